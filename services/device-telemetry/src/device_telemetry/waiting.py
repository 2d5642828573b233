"""Waits for what is milliseconds behind. Clock and pause are the caller's, so that a simulation decides both."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from erbium_kernel.ports import Clock

POLL_SECONDS_MIN: Final = 0.02
POLL_SECONDS_MAX: Final = 0.1  # the longer it takes, the rarer it is looked: many who wait must not starve those who are waited for
POLL_GROWTH: Final = 1.5

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]


async def soon(
    look: Callable[[], Awaitable[T]], enough: Callable[[T], bool], clock: Clock, *, seconds_max: float, pause: Pause = asyncio.sleep
) -> T:
    """What the first look shows that is enough; what the last one shows when `seconds_max` of machine time have passed.

    Why the pauses are added up too: a clock that stands still, or is set back, must not keep anybody waiting.
    """
    end, paused, next_pause = clock.machine() + timedelta(seconds=seconds_max), 0.0, POLL_SECONDS_MIN
    found = await look()
    while not enough(found) and paused < seconds_max and clock.machine() < end:
        await pause(next_pause)
        paused += next_pause
        next_pause = min(POLL_SECONDS_MAX, POLL_GROWTH * next_pause)
        found = await look()
    return found
