"""Frames over HTTP until the broker has them, per core of the service's process: against an application that only decodes them."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from bench.ground import Ground, Running, make_topic
from bench.history import grow
from bench.http_load import Asks, Connection, Refused, closed_loop, patiently, request
from bench.lasers import FRAMES_OF_A_BATCH, LASERS, Laser, open_lasers, telemetry
from bench.measuring import Aim, Claim, Measure, Reading
from bench.rivals.apps import rival_app
from device_telemetry.frames.codec import FRAMES_MAX
from erbium_kernel.running import Running as Opened

ACCEPTED: Final = 202
BATCHES: Final = (FRAMES_OF_A_BATCH, FRAMES_MAX)
RIVALS_TOO: Final = (FRAMES_OF_A_BATCH,)
RIVAL_TOPIC: Final = "bench.rival.readings"
DECODE_ONLY: Final = [sys.executable, "-m", "bench.programs.decode_only"]


@asynccontextmanager
async def claims(ground: Ground) -> AsyncIterator[list[Claim]]:
    """One service process (`api`), 32 lasers that send as soon as they are answered: live (50 s of a scanner), and back-filling (the most
    that a batch may hold)."""
    await make_topic(ground, RIVAL_TOPIC)
    async with telemetry(ground) as opened, rival_app("frames_app", ground) as usual:
        with ground.services(("device_telemetry", "api")) as [service]:
            decoder = ground.start_program("decode-only", DECODE_ONLY, "device_telemetry")
            try:
                yield [
                    Claim(
                        name=f"frames: HTTP batch of {frames:,} to broker ack, per core", unit="readings/s",
                        ours=sending(ground, opened, service, frames), raw=sending(ground, opened, decoder, frames),
                        against="the same batches decoded only, per core", aims=(Aim(of="ratio", at_least=0.6),), per_core=True,
                        rivals={"pydantic, aiokafka": sending(ground, opened, usual, frames, plain=True)} if frames in RIVALS_TOO else {},
                        again=frames in RIVALS_TOO,
                    )
                    for frames in BATCHES
                ]  # fmt: skip
            finally:
                ground.stop(decoder)


def sending(ground: Ground, opened: Opened, served: Running | None, frames: int, *, plain: bool = False) -> Measure:
    """Fresh lasers each time. `cpu_us` is the server process's, per reading."""

    async def measure(seconds: float) -> Reading:
        assert served is not None
        lasers = await open_lasers(opened, ground, frames=frames)
        cpu_s = served.cpu_s()
        found = await closed_loop(served.url, LASERS, seconds, talking(lasers, plain=plain))
        used_us, batches = 1e6 * (served.cpu_s() - cpu_s), found.per_second * seconds
        return replace(
            found, per_second=found.per_second * frames, cpu_us=used_us / (batches * frames), load_us=(found.load_us or 0) / frames,
        )  # fmt: skip

    return measure


def talking(lasers: list[Laser], *, plain: bool = False) -> Callable[[int, Connection], Callable[[], Awaitable[object]]]:
    """Each connection is one laser."""

    def talk(n: int, connection: Asks) -> Callable[[], Awaitable[object]]:
        return sender(lasers[n], connection, plain=plain)

    return talk


def sender(laser: Laser, connection: Asks, *, plain: bool = False) -> Callable[[], Awaitable[object]]:
    """One batch after the other of one laser; `plain`: as a list of objects, for the rival."""
    path = f"/v1/devices/{laser.device_id}/{'readings' if plain else 'frames'}"
    headers = {"authorization": f"Bearer {laser.token}", "content-type": "application/json" if plain else "application/x-ndjson"}
    body_of = laser.next_plain_batch if plain else laser.next_batch

    async def once() -> None:
        answer = await patiently(connection, request("POST", path, headers, body_of()))
        if answer.status != ACCEPTED:
            raise Refused(f"{answer.status} {answer.body[:300]!r}")

    return once


@asynccontextmanager
async def profiled(ground: Ground) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """One batch."""
    from bench.profile import InProcess, app_of  # it imports us

    await grow(ground, 1)
    async with telemetry(ground) as opened, app_of(ground, "device_telemetry") as app:
        free = [sender(laser, InProcess(app)) for laser in await open_lasers(opened, ground)]

        async def once() -> None:
            laser = free.pop()
            await laser()
            free.append(laser)

        yield once
