"""What this process has seen acknowledged by the broker: the tables are a moment behind, and it matters when that moment is long."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from device_telemetry.frames import ranges
from device_telemetry.frames.ranges import Ranges

BOOTS_REMEMBERED_MAX: Final = 2_000
BATCHES_WAITING_MAX: Final = 1_000  # of one boot; the oldest ones are kept

Boot = tuple[UUID, UUID, UUID]  # chain, laser, power-on


@dataclass(slots=True)
class _Known:
    have: Ranges = ()
    waiting: deque[tuple[datetime, int]] = field(default_factory=deque)  # when a batch was sent, one of its numbers


class Acknowledged:
    """Bounded; what is forgotten costs a laser no more than sending it again."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._boots: dict[Boot, _Known] = {}

    def of(self, boot: Boot) -> Ranges:
        """The numbers of one boot that the broker has, as far as remembered."""
        known = self._boots.get(boot)
        return known.have if known else ()

    def add(self, boot: Boot, have: Ranges, at: datetime, seq: int | None) -> None:
        """These numbers too, after a batch in which this number counts (None: none does). Units: `at` machine time."""
        known = self._boots.pop(boot, None) or _Known()
        while len(self._boots) >= BOOTS_REMEMBERED_MAX:
            self._boots.pop(next(iter(self._boots)))
        self._boots[boot] = known
        known.have = ranges.merged(known.have, have)  # another batch may have been acknowledged since `have` was looked up
        if seq is not None and len(known.waiting) < BATCHES_WAITING_MAX:
            known.waiting.append((at, seq))

    def behind_seconds(self, boot: Boot, stored: Ranges, now: datetime) -> float:
        """How long the oldest acknowledged batch has not been in the totals; 0 when all are, or nothing is remembered."""
        known = self._boots.get(boot)
        if known is None:
            return 0.0
        while known.waiting and ranges.holds(stored, known.waiting[0][1]):
            known.waiting.popleft()
        return (now - known.waiting[0][0]).total_seconds() if known.waiting else 0.0
