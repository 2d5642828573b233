"""A read table made again from the log: against reading the same rows of the log through a plain cursor."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bench.asking import rival
from bench.ground import Ground, connect, own_cpu_s
from bench.measuring import Aim, Claim, Measure, Reading
from bench.service_here import here
from erbium_kernel.follow import Follower
from erbium_kernel.projecting import Projecting
from erbium_kernel.rebuild import empty
from erbium_kernel.running import Running
from screening.projections.patients import PROJECTION
from screening.wiring import SERVICE

CURSOR_ROWS: Final = 5_000
EVERY_ROW: Final = "SELECT position, type, data FROM log ORDER BY epoch, log.tx, position"
UP_TO: Final = "SELECT count(*) FROM log WHERE (epoch, log.tx, position) <= ($1, $2::text::xid8, $3)"


@asynccontextmanager
async def claims(ground: Ground) -> AsyncIterator[list[Claim]]:
    """Screening's patients: every event of a patient touches its row. As `rebuild` does it, but for as long as it is measured."""
    async with (
        here(ground, SERVICE) as opened,
        rival("eventsourcing_rebuild", ground) as eventsourcing,
        rival("orm_rebuild", ground) as orm,
    ):
        yield [
            Claim(
                name="rebuild of a read table", unit="events/s", ours=rebuilding(ground, opened), raw=reading_on(ground),
                against=f"a cursor over the log, {CURSOR_ROWS:,} rows a fetch", aims=(Aim(of="ratio", at_least=0.25),),
                rivals={"eventsourcing": eventsourcing(), "orm": orm()},
            )
        ]  # fmt: skip


def rebuilding(ground: Ground, opened: Running) -> Measure:
    """From the beginning of the log, until the time is over or the log ends."""

    async def measure(seconds: float) -> Reading:
        assert opened.work_engine is not None
        async with opened.runtime.store.lease(PROJECTION.name) as lease:
            assert lease is not None
            await empty(opened.work_engine, PROJECTION)
            follower = Follower(Projecting(opened.runtime.codec, PROJECTION, opened.work_engine), lease, opened.runtime.clock)
            cpu_s, begun = own_cpu_s(), time.perf_counter()
            while time.perf_counter() - begun < seconds:
                if (await follower.step()).kind == "idle":
                    break
            took, used_s = time.perf_counter() - begun, own_cpu_s() - cpu_s
            at = await lease.checkpoint()
        watch = await connect(ground.superuser("screening"))
        count = await watch.fetchval(UP_TO, at.epoch, str(at.tx), at.position)
        await watch.close()
        return Reading(per_second=count / took, cpu_us=1e6 * used_s / count)

    return measure


def reading_on(ground: Ground) -> Measure:
    """The raw limit: as the same role, decoded by the driver, thrown away."""

    async def measure(seconds: float) -> Reading:
        connection = await connect(ground.urls("screening").work)
        count, begun = 0, time.perf_counter()
        async with connection.transaction(readonly=True):
            cursor = await connection.cursor(EVERY_ROW)
            while time.perf_counter() - begun < seconds:
                rows = await cursor.fetch(CURSOR_ROWS)
                count += len(rows)
                if len(rows) < CURSOR_ROWS:
                    break
        took = time.perf_counter() - begun
        await connection.close()
        return Reading(per_second=count / took)

    return measure
