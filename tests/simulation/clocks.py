"""Time and ids that come from the seed."""

import random
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from erbium_kernel.clock import uuid7

MONDAY: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # before the clocks change in New York (8 March) and in Berlin (29 March)
SECOND: Final = 1_000_000  # microseconds


class Time:
    """Machine time of the whole simulation. Units: `us` microseconds since MONDAY."""

    def __init__(self) -> None:
        """Monday morning."""
        self.us = 0


class SiteClock:
    """One service's clocks: its machine runs `skew_us` ahead, development has moved its domain time by `offset`."""

    def __init__(self, time: Time, skew_us: int) -> None:
        """Domain time is machine time at first."""
        self._time, self._skew_us = time, skew_us
        self.offset = timedelta()
        self._known: tuple[int, datetime] = (-1, MONDAY)

    def set_skew(self, skew_us: int) -> None:
        """The machine's clock is set."""
        self._skew_us, self._known = skew_us, (-1, MONDAY)

    def machine(self) -> datetime:
        """Machine time, UTC."""
        us = self._time.us
        if self._known[0] != us:
            self._known = us, MONDAY + timedelta(microseconds=us + self._skew_us)
        return self._known[1]

    def now(self) -> datetime:
        """Domain time, UTC."""
        return self.machine() + self.offset


class SiteIds:
    """Ids and bytes from the seed."""

    def __init__(self, clock: SiteClock, chance: random.Random) -> None:
        """`chance` is this service's own."""
        self._clock, self._chance = clock, chance

    def new(self) -> UUID:
        """A UUIDv7 of machine time."""
        return uuid7(self._clock.machine(), self._chance.randbytes(10))

    def token(self, n: int) -> bytes:
        """Repeatable bytes."""
        return self._chance.randbytes(n)
