"""What this process has seen acknowledged by the broker, and stored: the tables are a moment behind, and it matters when that is long."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from device_telemetry.frames import ranges
from device_telemetry.frames.absorbing import BootSoFar
from device_telemetry.frames.ranges import Ranges

BOOTS_REMEMBERED_MAX: Final = 2_000
BATCHES_WAITING_MAX: Final = 1_000  # of one boot; the oldest ones are kept

Boot = tuple[UUID, UUID, UUID]  # chain, laser, power-on


@dataclass(slots=True)
class _Known:
    so_far: BootSoFar = field(default_factory=BootSoFar)
    waiting: deque[tuple[datetime, int]] = field(default_factory=deque)  # when a batch was sent, one of its numbers


class Acknowledged:
    """Bounded; what is forgotten is looked up again, and costs a laser no more than sending it again."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._boots: dict[Boot, _Known] = {}

    def of(self, boot: Boot) -> BootSoFar | None:
        """What the broker or the tables have of one boot, as far as seen here; None when nothing is remembered of it."""
        known = self._boots.get(boot)
        return known.so_far if known else None

    def learn(self, boot: Boot, so_far: BootSoFar) -> BootSoFar:
        """This too has been received. Returns all that has. Why joined: another batch may have come since this was looked up."""
        known = self._boots.pop(boot, None) or _Known()
        while len(self._boots) >= BOOTS_REMEMBERED_MAX:
            self._boots.pop(next(iter(self._boots)))
        self._boots[boot] = known
        known.so_far = known.so_far.joined(so_far)
        return known.so_far

    def wait_for(self, boot: Boot, seq: int, at: datetime) -> None:
        """A batch in which this number counts has been acknowledged. Units: `at` machine time."""
        known = self._boots.get(boot)
        if known is not None and len(known.waiting) < BATCHES_WAITING_MAX:
            known.waiting.append((at, seq))

    def behind_seconds(self, boot: Boot, stored: Ranges, now: datetime) -> float:
        """How long the oldest acknowledged batch has not been in the totals; 0 when all are, or nothing is remembered."""
        known = self._boots.get(boot)
        if known is None:
            return 0.0
        while known.waiting and ranges.holds(stored, known.waiting[0][1]):
            known.waiting.popleft()
        return (now - known.waiting[0][0]).total_seconds() if known.waiting else 0.0
