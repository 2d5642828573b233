"""Waiting for what is milliseconds behind: bounded in time and in looks, with a clock and a pause that are the caller's."""

from datetime import timedelta
from typing import Any

from device_telemetry.freshness import WAIT_SECONDS_MAX, screening_age_seconds
from device_telemetry.waiting import POLL_SECONDS_MIN, soon
from device_telemetry.wiring import SERVICE
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log_records import Slice
from tests.device_telemetry.making import CHAIN, NOW, PATIENT
from tests.house import others_first, runtime_of
from tests.kernel.ward import WardClock


class Pauses:
    """Counts them; each moves the clock by so much."""

    def __init__(self, clock: WardClock, moves_seconds: float) -> None:
        self.clock, self.moves_seconds, self.count = clock, moves_seconds, 0

    async def __call__(self, seconds: float) -> None:
        self.count += 1
        self.clock.at += timedelta(seconds=self.moves_seconds)


async def looked(moves_seconds: float, enough_after: int) -> tuple[int, int]:
    """(what the last look showed, pauses) when the nth look is enough."""
    clock, looks = WardClock(), [0]
    pauses = Pauses(clock, moves_seconds)

    async def look() -> int:
        looks[0] += 1
        return looks[0]

    found = await soon(look, lambda n: n >= enough_after, clock, seconds_max=0.1, pause=pauses)
    return found, pauses.count


async def test_the_first_look_that_is_enough() -> None:
    """Enough at once needs no pause; enough later is told as soon as it is seen."""
    assert await looked(0.001, 1) == (1, 0)
    assert await looked(0.001, 3) == (3, 2)


async def test_never_for_ever() -> None:
    """Time ends it; and where the clock stands still, or is set back, the pauses do: 20, 30 and 45 ms are the first."""
    assert await looked(0.06, 99) == (3, 2)
    assert await looked(0.0, 99) == (5, 4)
    assert await looked(-3_600.0, 99) == (5, 4)


async def aged(beaten: bool) -> tuple[Any, int]:
    clock = WardClock()
    clock.at = NOW
    runtime = runtime_of(SERVICE, MemoryStore(clock=clock, pause=others_first), clock)
    if beaten:
        await runtime.store.take_in(Slice(topic="erbium.screening.v1", partition=0, expected=0, next=1, heartbeat_at=NOW))
    pauses = Pauses(clock, POLL_SECONDS_MIN)
    return await screening_age_seconds(runtime, CHAIN, PATIENT, pause=pauses), pauses.count


async def test_the_copy_of_screening_without_a_server() -> None:
    """On the memory store, with no loop's time: a copy of which nobody was heard is waited for so long, and no longer."""
    for beaten in (False, True):  # heard, but nobody has followed it
        age, pauses = await aged(beaten)
        assert (age, 0 < pauses < WAIT_SECONDS_MAX / POLL_SECONDS_MIN) == (None, True)
