"""Frames from the broker into rows, sums, ranges and the place on the topic, in one transaction: against a plain COPY of the same rows."""

import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from bench.asking import rival
from bench.ground import Ground, connect, make_topic, own_cpu_s
from bench.history import grow
from bench.lasers import FRAMES_OF_A_BATCH, Laser, frames_followed, open_lasers, record, telemetry
from bench.measuring import Aim, Claim, Measure, Reading
from device_telemetry.frames.consumer import FRAMES_TOPIC, GROUP, FramesConsumer
from device_telemetry.frames.roles import PARTITION_FETCH_BYTES_MAX, frames_engine
from device_telemetry.projections.frame_store import PostgresFrameStore
from erbium_kernel.running import Running as Opened
from erbium_kernel.topic.kafka import KafkaInlet, KafkaOutlet
from erbium_kernel.topic_port import Outgoing

RIVAL_TOPIC: Final = "bench.rival.stored"
FRAMES_PER_SECOND_SOUGHT: Final = 30_000  # so many wait on the topic for each second of measurement
ROWS_OF_A_TRANSACTION: Final = 10_000  # as ours
RAW_TABLE: Final = """
CREATE TABLE IF NOT EXISTS raw_frames (
    chain_id uuid NOT NULL, device_id uuid NOT NULL, boot_id uuid NOT NULL, seq bigint NOT NULL, stored_on date NOT NULL,
    treatment_id uuid NOT NULL, received_at timestamptz NOT NULL, device_ms bigint NOT NULL, zone text NOT NULL, pass_no smallint NOT NULL,
    energy_set_mj float8 NOT NULL, energy_mj float8 NOT NULL, mtz_count integer NOT NULL, grid_row smallint NOT NULL,
    grid_col smallint NOT NULL, emission boolean NOT NULL, temp_tip_c float8, fault_bits integer NOT NULL,
    PRIMARY KEY (chain_id, device_id, boot_id, seq, stored_on));
CREATE INDEX IF NOT EXISTS raw_frames_of_treatment ON raw_frames (chain_id, treatment_id);
"""
RAW_ROWS: Final = """
SELECT $1::uuid, b.id, b.id, n::bigint, current_date, b.id, now(), 60000 + 100 * n::bigint, 'face', 1::smallint, 40::float8, 39.9::float8,
       (n % 4)::integer, (n / 20 % 15)::smallint, (n % 20)::smallint, true, 31.5::float8, 0
FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 20)) b, generate_series(1, 500) n
"""


@asynccontextmanager
async def claims(ground: Ground) -> AsyncIterator[list[Claim]]:
    """The consumer of the service's `frames` role, fed from a real topic, in this process."""
    raw = await connect(ground.raw_url)
    await raw.execute(RAW_TABLE)
    await make_topic(ground, RIVAL_TOPIC)
    await frames_followed(ground)
    try:
        async with consuming(ground) as (opened, consumer, outlet), rival("frames_stored", ground) as usual:
            yield [
                Claim(
                    name="frames: broker to rows", unit="readings/s", ours=storing(ground, opened, consumer, outlet),
                    raw=copying(ground, raw),
                    against="binary COPY of 10,000 rows a transaction into the same table and indexes, one connection",
                    aims=(Aim(of="ratio", at_least=0.55),), rivals={"one ORM row each": usual()},
                )
            ]  # fmt: skip
    finally:
        await raw.close()


@asynccontextmanager
async def consuming(ground: Ground) -> AsyncIterator[tuple[Opened, FramesConsumer, KafkaOutlet]]:
    """A consumer that is alone in its group, and a way onto its topic."""
    async with telemetry(ground) as opened, frames_engine(opened) as engine:
        inlet = KafkaInlet(ground.servers.kafka, GROUP, [FRAMES_TOPIC], partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX)
        outlet = KafkaOutlet(ground.servers.kafka, compression="zstd")
        try:
            yield opened, FramesConsumer(opened.runtime, PostgresFrameStore(engine), inlet, lambda: None), outlet
        finally:
            await inlet.close()
            await outlet.close()


def storing(ground: Ground, opened: Opened, consumer: FramesConsumer, outlet: KafkaOutlet) -> Measure:
    """What waits on the topic when the clock starts is stored when it stops; counted in the table afterwards."""

    async def measure(seconds: float) -> Reading:
        await drained(consumer)
        lasers = await open_lasers(opened, ground, tokens=False)
        frames = await filled(ground, outlet, lasers, int(seconds * FRAMES_PER_SECOND_SOUGHT))
        watch = await connect(ground.superuser("device_telemetry"))
        cpu_s, begun = own_cpu_s(), time.perf_counter()
        while await _stored(watch, lasers) < frames:
            await consumer.step()
        took, used_s = time.perf_counter() - begun, own_cpu_s() - cpu_s
        count = await watch.fetchval("SELECT count(*) FROM frames WHERE treatment_id = ANY($1)", [laser.treatment_id for laser in lasers])
        await watch.close()
        assert count == frames, f"{frames} frames went in, {count} are stored"
        return Reading(per_second=frames / took, cpu_us=1e6 * used_s / frames)

    return measure


async def drained(consumer: FramesConsumer) -> None:
    """Nothing of an earlier measurement waits, and all partitions are ours."""
    quiet = 0
    while quiet < 3:
        quiet = 0 if (await consumer.step()).kind == "worked" else quiet + 1


async def filled(ground: Ground, outlet: KafkaOutlet, lasers: list[Laser], frames: int) -> int:
    """So many frames on the topic (whole batches), laser after laser."""
    batches = max(len(lasers), frames // FRAMES_OF_A_BATCH)
    records = []
    for n in range(batches):
        laser = lasers[n % len(lasers)]
        records.append(Outgoing(key=f"{ground.chain}/{laser.device_id}".encode(), value=record(ground, laser)))
    sent = 0
    while sent < len(records):
        sent += await outlet.publish(FRAMES_TOPIC, records[sent:])
    return batches * FRAMES_OF_A_BATCH


async def _stored(watch: "asyncpg.Connection[Any]", lasers: list[Laser]) -> int:
    """Why the sums and not the rows: counting rows would cost more than storing them."""
    return int(
        await watch.fetchval(
            "SELECT coalesce(sum(frames), 0) FROM zone_sums WHERE treatment_id = ANY($1)", [laser.treatment_id for laser in lasers]
        )
    )


def copying(ground: Ground, raw: "asyncpg.Connection[Any]") -> Measure:
    """The raw limit: buffers in PostgreSQL's own binary form, made before the clock starts."""

    async def measure(seconds: float) -> Reading:
        await raw.execute("TRUNCATE raw_frames")
        buffers = [await _buffer(raw, ground) for _ in range(max(1, int(seconds * FRAMES_PER_SECOND_SOUGHT) // ROWS_OF_A_TRANSACTION))]
        begun = time.perf_counter()
        for buffer in buffers:
            await raw.copy_to_table("raw_frames", source=buffer, format="binary")
        took = time.perf_counter() - begun
        return Reading(per_second=len(buffers) * ROWS_OF_A_TRANSACTION / took)

    return measure


async def _buffer(raw: "asyncpg.Connection[Any]", ground: Ground) -> io.BytesIO:
    buffer = io.BytesIO()
    await raw.copy_from_query(RAW_ROWS, ground.chain, output=buffer, format="binary")
    buffer.seek(0)
    return buffer


@asynccontextmanager
async def profiled(ground: Ground) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """One step of the consumer, which stores up to 60 batches of 500."""
    await grow(ground, 1)
    async with consuming(ground) as (opened, consumer, outlet):
        await drained(consumer)
        for _ in range(10):
            await filled(ground, outlet, await open_lasers(opened, ground, tokens=False), 200_000)

        yield consumer.step
