"""How a process of a service starts: what it asks for first, when it is ready, and what it refuses."""

import asyncio
import contextlib
import importlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from erbium_kernel.process import serve
from erbium_kernel.settings import Settings, SettingsUnfit
from tests.kernel.follow.ward_process import POLL_SECONDS, SECONDS_MAX, Ward, a_ward
from tests.kernel.observing.tls import Authority, in_front_of


@pytest.fixture(scope="module")
async def ward(postgres_url: str, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    """One ward for this file, migrated."""
    async with a_ward(postgres_url, kafka, tmp_path_factory.mktemp("ward")) as ward:
        code, _, err = await ward.command("migrate")
        assert code == 0, err
        yield ward


def free_ports(count: int) -> list[str]:
    """Ports that nobody has at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [str(each.getsockname()[1]) for each in sockets]


@contextlib.asynccontextmanager
async def asked(ward: Ward, kind: str, **settings: str) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """A process that starts, and clients of its second port and of its first."""
    inside, outside = free_ports(2)
    process = await ward.spawn(kind, ERBIUM_METRICS_PORT=inside, ERBIUM_HTTP_PORT=outside, **settings)
    try:
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{inside}", trust_env=False) as inward,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{outside}", trust_env=False) as outward,
            asyncio.timeout(SECONDS_MAX),
        ):
            yield inward, outward
    finally:
        process.kill()
        await process.communicate()


async def readiness(client: httpx.AsyncClient) -> tuple[bool, dict[str, str]]:
    """(ready, what is not fine); nothing yet while nobody answers."""
    try:
        report = (await client.get("/readyz")).json()
    except httpx.TransportError:
        return False, {}
    return report["ready"], {name: check["reason"] for name, check in report["checks"].items() if not check["ok"]}


async def ready(client: httpx.AsyncClient) -> list[dict[str, str]]:
    """Waits until it is ready; returns what was not fine on the way."""
    seen = []
    while not (found := await readiness(client))[0]:
        seen.append(found[1])
        await asyncio.sleep(POLL_SECONDS)
    return seen


async def test_health_and_metrics(ward: Ward) -> None:
    """Each role tells how it is; a worker is ready when its intake has got partitions, not before; the numbers of operations are there."""
    async with asked(ward, "work") as (client, _):
        assert any("intake" in seen for seen in await ready(client))
        checks = (await client.get("/readyz")).json()["checks"]
        assert {"relay", "intake", "timers", "watch", "measures", "ward.beds", "ward.order-meal", "database"} <= checks.keys()
        while 'follow_lag_seconds{subscriber="ward.beds"}' not in (await client.get("/metrics")).text:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)


async def test_a_worker_without_kafka_is_not_ready(ward: Ward) -> None:
    """Where no Kafka is the second port names the intake as the only reason; the first port, which needs none, is ready."""
    async with asked(ward, "all", ERBIUM_KAFKA="127.0.0.1:1") as (inward, outward):
        await ready(outward)
        assert await readiness(inward) == (False, {"intake": "it has no connection to Kafka yet"})
    async with asked(ward, "api", ERBIUM_KAFKA="127.0.0.1:1") as (inward, outward):
        await ready(inward)
        await ready(outward)


@pytest.mark.parametrize("setting", ["ERBIUM_METRICS_PORT", "ERBIUM_HTTP_PORT"])
async def test_a_port_that_is_taken(ward: Ward, postgres_url: str, setting: str) -> None:
    """A port that somebody else has is told in one sentence, before a group has been joined or a lease asked for."""
    leases = asyncio.create_task(leases_asked_for(ward, postgres_url))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, out, err = await ward.command("all", **{setting: str(taken.getsockname()[1])})
    assert (code, err.count("\n")) == (1, 1)
    assert "cannot be listened on" in err
    assert "aiokafka.consumer" not in out
    assert not leases.done(), leases.result()
    leases.cancel()
    await asyncio.wait({leases})


async def leases_asked_for(ward: Ward, postgres_url: str) -> set[str]:
    """Ends as soon as there are connections under the name of a lease."""
    admin = await asyncpg.connect(postgres_url)
    try:
        while True:
            found = await admin.fetch("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE $1", f"{ward.package}.%")
            if found:
                return {record["application_name"] for record in found}
            await asyncio.sleep(0.001)
    finally:
        await admin.close()


async def test_a_service_s_own_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only this service needs is asked for with the rest: device-telemetry's API hands frames to Kafka, its workers store them."""
    for name in [name for name in os.environ if name.startswith("ERBIUM_")]:
        monkeypatch.delenv(name)
    telemetry = importlib.import_module("device_telemetry.wiring").SERVICE
    assert telemetry.needed_by("api") == ("kafka",)
    assert telemetry.needed_by("work") == ("database_frames_url",)
    assert set(telemetry.needed_by("all")) == {"kafka", "database_frames_url"}
    for kind, named in (("api", "ERBIUM_KAFKA"), ("work", "ERBIUM_DATABASE_FRAMES_URL"), ("all", "ERBIUM_DATABASE_FRAMES_URL")):
        with pytest.raises(SettingsUnfit, match=rf"^Not set: .*{named} \(") as told:
            await serve(telemetry, Settings(), kind)  # type: ignore[arg-type]
        assert str(told.value).count(f"{named} (") == 1


async def test_the_wrong_authority(ward: Ward, postgres_url: str, tmp_path: Path) -> None:
    """A database server whose certificate is another authority's is refused at once, in a sentence with the setting, not its password."""
    ours, theirs = Authority.made(tmp_path / "ours"), Authority.made(tmp_path / "theirs")
    parts = urlsplit(ward.urls.work)
    assert parts.password is not None
    async with in_front_of("127.0.0.1", int(parts.port or 0), theirs) as front:
        where = parts.netloc.rpartition("@")[0] + f"@127.0.0.1:{front.port}"
        url = parts._replace(netloc=where, query=f"sslmode=verify-full&sslrootcert={ours.ca_file}").geturl()
        code, out, err = await ward.command("work", ERBIUM_DATABASE_WORK_URL=url)
    assert (code, err.count("\n")) == (1, 1)
    assert "ERBIUM_DATABASE_WORK_URL: the server's certificate is not accepted" in err
    assert parts.password not in out + err
    assert "waiting for the database" not in out


async def test_kafka_s_security_is_looked_at_first(ward: Ward) -> None:
    """What is missing for Kafka's security ends the process with a sentence, before anything else is tried."""
    code, _, err = await ward.command("work", ERBIUM_KAFKA_SECURITY_PROTOCOL="SASL_SSL", ERBIUM_KAFKA_USER="ward")
    assert (code, err.count("\n")) == (1, 1)
    assert "ERBIUM_KAFKA_PASSWORD_FILE" in err
