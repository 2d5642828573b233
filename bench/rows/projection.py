"""From a commit in screening to the row in scheduling's read table: relay, Kafka, intake, follower. Times are the commits' own."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import httpx

from bench.asking import Ask, program, rival
from bench.commit_times import AT, delays
from bench.ground import Ground, Running, connect, make_topic
from bench.history import followed, know_clinics, quiet
from bench.measuring import Aim, Claim, Measure, Reading, reading
from scheduling.wiring import SERVICE as SCHEDULING
from screening.wiring import SERVICE as SCREENING

RATES: Final = (200, 1_000)  # events a second
P99_MS_MAX: Final = 20
ARRIVED_SECONDS_MAX: Final = 40.0
HOP_TOPIC: Final = "bench.hop"
RIVAL_TOPIC: Final = "bench.rival.facts"
COMMITTED: Final = f"SELECT ordering_id AS id, {AT} FROM log WHERE chain_id = $1 AND stream = ANY($2) AND version = 1"
ARRIVED: Final = f"SELECT patient_id AS id, {AT} FROM patients WHERE chain_id = $1 AND patient_id = ANY($2)"


@asynccontextmanager
async def claims(ground: Ground) -> AsyncIterator[list[Claim]]:
    """Two rates; screening's process has its writer inside, scheduling's is the service as it is."""
    await know_clinics(ground)
    for service in (SCREENING, SCHEDULING):
        connection = await connect(ground.superuser(service.package))
        await followed(connection, service)
        await connection.close()
    for topic in (HOP_TOPIC, RIVAL_TOPIC):
        await make_topic(ground, topic)
    committing = ground.start_program("screening-committing", [sys.executable, "-m", "bench.programs.committing"], "screening")
    scheduling = ground.start("scheduling", "all")
    try:
        async with (
            program("programs.hop", url=ground.raw_url, kafka=ground.servers.kafka, topic=HOP_TOPIC) as hop,
            rival("eventsourcing_projection", ground) as eventsourcing,
            rival("orm_projection", ground) as orm,
        ):
            yield [
                Claim(
                    name=f"commit to another service's read table, {rate:,} events/s", unit="events/s",
                    ours=arriving(ground, committing, scheduling, rate), raw=hopping(hop, rate),
                    against="insert, send, receive, insert: one row each, no order, nothing resent",
                    aims=(Aim(of="p99_ms", at_most=P99_MS_MAX),), seconds=3.0,
                    rivals={"eventsourcing": eventsourcing(per_second=rate), "orm and a polled outbox": orm(per_second=rate)},
                )
                for rate in RATES
            ]  # fmt: skip
    finally:
        ground.stop(committing, scheduling)


def hopping(hop: Ask, per_second: int) -> Measure:
    """The raw limit."""

    async def measure(seconds: float) -> Reading:
        delays_s = (await hop(seconds=seconds, per_second=per_second))["delays_s"]
        return reading(seconds, delays_s)

    return measure


def arriving(ground: Ground, committing: Running, scheduling: Running, per_second: int) -> Measure:
    """Every fact committed is looked for in the other service; one that does not arrive fails the measurement."""

    async def measure(seconds: float) -> Reading:
        await quiet(ground, SCREENING, SCHEDULING)
        cpu_s = committing.cpu_s() + scheduling.cpu_s()
        async with httpx.AsyncClient(timeout=ARRIVED_SECONDS_MAX, trust_env=False) as http:
            asked = {"per_second": per_second, "seconds": seconds}
            told: dict[str, Any] = (await http.post(f"{committing.url}/commit", params=asked)).json()
        assert not told["failed"], f"commits failed: {told['failed']}"
        patients = [UUID(patient) for patient in told["patients"]]
        begins = ("screening", COMMITTED, [f"patient-{patient}" for patient in patients])
        delays_s = await delays(ground, begins, ("scheduling", ARRIVED, patients), patients)
        return reading(told["took_s"], delays_s, cpu_s=committing.cpu_s() + scheduling.cpu_s() - cpu_s)

    return measure
