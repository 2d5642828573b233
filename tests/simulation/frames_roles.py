"""Telemetry's own roles, as its `frames.roles` makes them, on the memory store of frames."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from device_telemetry.frames.consumer import FRAMES_TOPIC, GROUP, FramesConsumer
from device_telemetry.frames.settling import LOOKING_AGAIN, SETTLING, LookingAgain, Settling
from device_telemetry.rulebook import RULES
from device_telemetry.treatment.state import Running, Settled
from erbium_kernel.follow import Effect
from erbium_kernel.log_records import Row
from tests.simulation.delivery import UnevenInlet

if TYPE_CHECKING:
    from tests.simulation.roles import Opened, Step
    from tests.simulation.sites import Process
    from tests.simulation.watch import Seen


def looking_again(process: "Process") -> Effect:
    """The subscriber that tells a treatment again when time or its operator says so."""
    return LookingAgain(Settling(process.runtime, process.site.world.frame_store, RULES))


def storing(process: "Process") -> "Opened":
    """Frames off the topic."""
    site = process.site

    @asynccontextmanager
    async def opened() -> "AsyncIterator[Step | None]":
        inlet: Any = UnevenInlet(process, "frames", site.world.broker.inlet(GROUP, [FRAMES_TOPIC]))

        def stored() -> None:
            site.world.turns.signal(f"{site.name}/{SETTLING}")

        try:
            yield FramesConsumer(process.runtime, site.world.frame_store, inlet, stored).step
        finally:
            await inlet.close()

    return opened


def settling(process: "Process") -> "Opened":
    """Treatments told what their frames have come to; one process at a time."""

    @asynccontextmanager
    async def opened() -> "AsyncIterator[Step | None]":
        async with process.site.store.lease(SETTLING) as lease:
            yield None if lease is None else Settling(process.runtime, process.site.world.frame_store, RULES).step

    return opened


def had_effect(seen: "Seen", row: Row) -> bool:
    """Has the treatment gone on from what this row says? What ended may wait for frames."""
    state = seen.states[str(row.envelope.stream)]
    match row.envelope.type:
        case "treatment-silence-check-due":
            return not (isinstance(state, Running) and state.silence_check)
        case "treatment-backfill-expired":
            return isinstance(state, Settled)
        case _:
            return True


__all__ = ["LOOKING_AGAIN", "SETTLING", "had_effect", "looking_again", "settling", "storing"]
