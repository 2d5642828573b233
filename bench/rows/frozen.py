"""From a new fact in screening to the frozen visit in scheduling: Botox is reported, the clearance is suspended, the visit stands still."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from bench.asking import program
from bench.bookings import Booked, booked
from bench.commit_times import AT, delays
from bench.ground import Ground, Running, connect, make_topic
from bench.history import followed, know_clinics, quiet
from bench.http_load import Connection, Refused, at_rate, patiently, request
from bench.http_load import connect as to_server
from bench.measuring import Aim, Claim, Measure, Reading, reading
from bench.patients import CREATED, key_header, procedure_on
from bench.rows.projection import HOP_TOPIC, hopping
from bench.service_here import here
from erbium_kernel.running import Running as Opened
from scheduling.wiring import SERVICE as SCHEDULING
from screening.wiring import SERVICE as SCREENING

FACTS_PER_SECOND: Final = 50
P99_MS_MAX: Final = 200
CONNECTIONS: Final = 16
SUSPENDED: Final = f"SELECT ordering_id AS id, {AT} FROM log WHERE chain_id = $1 AND stream = ANY($2) AND type = 'clearance-suspended'"
FROZEN: Final = f"SELECT patient_id AS id, {AT} FROM visits WHERE chain_id = $1 AND visit_id = ANY($2) AND standing = 'frozen'"


@asynccontextmanager
async def claims(ground: Ground) -> AsyncIterator[list[Claim]]:
    """Both services whole (`all`), facts over HTTP at random times, 50 a second."""
    await know_clinics(ground)
    for service in (SCREENING, SCHEDULING):
        connection = await connect(ground.superuser(service.package))
        await followed(connection, service)
        await connection.close()
    await make_topic(ground, HOP_TOPIC)
    with ground.services(("screening", "all"), ("scheduling", "all")) as [screening, scheduling]:
        async with (
            here(ground, SCREENING) as there,
            here(ground, SCHEDULING) as beyond,
            program("programs.hop", url=ground.raw_url, kafka=ground.servers.kafka, topic=HOP_TOPIC) as hop,
        ):
            yield [
                Claim(
                    name=f"fact to suspended clearance to frozen visit, {FACTS_PER_SECOND}/s", unit="facts/s",
                    ours=freezing(ground, screening, scheduling, there, beyond), raw=hopping(hop, FACTS_PER_SECOND),
                    against="insert, send, receive, insert: one hop, nothing decided",
                    aims=(Aim(of="p99_ms", at_most=P99_MS_MAX),),
                    seconds=3.0,
                )
            ]  # fmt: skip


def freezing(ground: Ground, screening: Running, scheduling: Running, there: Opened, beyond: Opened) -> Measure:
    """Every visit has to be frozen; from the fact's commit (the suspension's own: one transaction) to that of the read table's row."""

    async def measure(seconds: float) -> Reading:
        waiting = await booked(ground, there, beyond, int(FACTS_PER_SECOND * seconds * 1.5) + 20)
        await quiet(ground, SCREENING, SCHEDULING)
        cpu_s = screening.cpu_s() + scheduling.cpu_s()
        told = await _report(ground, screening, waiting, seconds)
        begins = ("screening", SUSPENDED, [f"patient-{one.patient_id}" for one in told])
        ends = ("scheduling", FROZEN, [one.visit_id for one in told])
        delays_s = await delays(ground, begins, ends, [one.patient_id for one in told])
        return reading(seconds, delays_s, cpu_s=screening.cpu_s() + scheduling.cpu_s() - cpu_s)

    return measure


async def _report(ground: Ground, screening: Running, waiting: Sequence[Booked], seconds: float) -> list[Booked]:
    """Facts about these patients, over HTTP."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    connections = [await to_server(screening.url) for _ in range(CONNECTIONS)]
    for connection in connections:
        free.put_nowait(connection)
    headers = {"authorization": f"Bearer {ground.token('front_desk')}", "content-type": "application/json"}
    body = procedure_on(str(ground.clinics[0]), (datetime.now(UTC) - timedelta(days=2)).date())
    told: list[Booked] = []

    async def once(n: int) -> None:
        one = waiting[n]
        told.append(one)
        asked = request(
            "POST", f"/v1/patients/{one.patient_id}/procedures", headers | key_header() | {"if-match": f'"{one.version}"'}, body
        )
        connection = await free.get()
        answer = await patiently(connection, asked)
        free.put_nowait(connection)
        if answer.status != CREATED:
            raise Refused(f"{answer.status} {answer.body[:300]!r}")

    _, failed = await at_rate(FACTS_PER_SECOND, seconds, once)
    for connection in connections:
        connection.close()
    assert not failed, f"facts were not taken: {dict(failed)}"
    return told
