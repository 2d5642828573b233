"""Frames end to end: HTTP, broker, rows and sums, two service processes, both servers and the lasers on this machine's cores."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bench.ground import Ground, Running, connect
from bench.http_load import closed_loop
from bench.lasers import FRAMES_OF_A_BATCH, LASERS, frames_followed, open_lasers, telemetry
from bench.measuring import Aim, Claim, Measure, Reading
from bench.patience import until
from bench.rows.frames_in import talking
from erbium_kernel.running import Running as Opened

STORED_SECONDS_MAX: Final = 60.0
LOOK_SECONDS: Final = 0.05
STORED: Final = "SELECT coalesce(sum(frames), 0) FROM zone_sums WHERE treatment_id = ANY($1)"
KEPT: Final = "SELECT count(*) FROM frames WHERE treatment_id = ANY($1)"


@asynccontextmanager
async def claims(ground: Ground) -> AsyncIterator[list[Claim]]:
    """The clock runs from the first batch sent until the last one is stored."""
    await frames_followed(ground)
    with ground.services(("device_telemetry", "api"), ("device_telemetry", "work")) as [api, work]:
        async with telemetry(ground) as opened:
            yield [
                Claim(
                    name="frames: end to end", unit="readings/s", ours=through(ground, opened, api, work), raw=None,
                    against="nothing: the sum of the two rows above", aims=(Aim(of="per_second", at_least=120_000),), seconds=3.0,
                )
            ]  # fmt: skip


def through(ground: Ground, opened: Opened, api: Running, work: Running) -> Measure:
    """Every frame sent is found stored, once: counted, else nothing is measured."""

    async def measure(seconds: float) -> Reading:
        lasers = await open_lasers(opened, ground)
        treatments = [laser.treatment_id for laser in lasers]
        watch = await connect(ground.superuser("device_telemetry"))
        cpu_s, begun = api.cpu_s() + work.cpu_s(), time.perf_counter()
        load = await closed_loop(api.url, LASERS, seconds, talking(lasers))
        batches = sum(laser.sent_in_all for laser in lasers)

        async def all_stored() -> bool:
            return bool(await watch.fetchval(STORED, treatments) >= batches * FRAMES_OF_A_BATCH)

        await until(all_stored, seconds_max=STORED_SECONDS_MAX, look_seconds=LOOK_SECONDS)
        took, used_s = time.perf_counter() - begun, api.cpu_s() + work.cpu_s() - cpu_s
        kept = await watch.fetchval(KEPT, treatments)
        await watch.close()
        frames = batches * FRAMES_OF_A_BATCH
        assert kept == frames, f"{frames} frames were acknowledged, {kept} are stored"
        return Reading(
            per_second=frames / took, p50_ms=load.p50_ms, p99_ms=load.p99_ms, cpu_us=1e6 * used_s / frames,
            load_us=(load.load_us or 0) / FRAMES_OF_A_BATCH,
        )  # fmt: skip

    return measure
