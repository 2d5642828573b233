"""Free slots of one clinic: each resource's time as one number whose bits are five-minute grains, so that a search is a few shifts.

Why bits: a month of a large clinic is searched in milliseconds, whatever is booked. A grain is a length of real time, so days of 23 or
25 hours need no special case.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from scheduling.hours import Window
from scheduling.rules import Buffers, VisitRule

GRAIN = timedelta(minutes=5)
MARGIN = timedelta(hours=3)  # looked at on either side of the time searched, for buffers and visits that go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Somebody or something a visit needs: open then, taken then. Units: UTC."""

    id: UUID
    open: tuple[Window, ...]
    busy: tuple[Window, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeSlot:
    """A start at which everything needed is free, with the first of each that is. Units: UTC."""

    starts_at: datetime
    ends_at: datetime
    practitioner_id: UUID
    room_id: UUID
    device_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A local day on which a visit may start, from `not_before` on; starts are counted from the day's beginning. Units: UTC."""

    window: Window
    not_before: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is searched, on days in the order of time. `lasers` None = the visit needs none; `patient` = when the patient is elsewhere."""

    rule: VisitRule
    days: Sequence[Day]
    step_minutes: int
    practitioners: Sequence[Resource]
    rooms: Sequence[Resource]
    lasers: Sequence[Resource] | None
    patient: tuple[Window, ...] = ()


def free_slots(search: Search, limit: int) -> list[FreeSlot]:
    """The first `limit` free slots that start on one of the days, in the order of time."""
    if not search.days:
        return []
    line = _Line.over(Window(search.days[0].window.starts_at, search.days[-1].window.ends_at))
    duration = timedelta(minutes=search.rule.duration_minutes)
    practitioners = _starts(line, search.practitioners, duration, search.rule.practitioner)
    rooms = _starts(line, search.rooms, duration, search.rule.room)
    lasers = None if search.lasers is None else _starts(line, search.lasers, duration, search.rule.laser)
    none = Buffers(before_minutes=0, after_minutes=0)
    possible = line.grid(search.days, search.step_minutes) & line.free(search.patient, duration, none)
    possible &= _any(practitioners) & _any(rooms)
    if lasers is not None:
        possible &= _any(lasers)
    found: list[FreeSlot] = []
    for grain in _bits(possible):
        if len(found) == limit:
            break
        starts_at = line.starts_at + grain * GRAIN
        found.append(
            FreeSlot(
                starts_at=starts_at,
                ends_at=starts_at + duration,
                practitioner_id=_first(practitioners, grain),
                room_id=_first(rooms, grain),
                device_id=None if lasers is None else _first(lasers, grain),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class _Line:
    """A stretch of real time in grains, with a margin on either side."""

    starts_at: datetime
    grains: int

    @classmethod
    def over(cls, span: Window) -> "_Line":
        starts_at = span.starts_at - MARGIN
        return cls(starts_at, -(-(span.ends_at + MARGIN - starts_at) // GRAIN))

    def inner(self, windows: Sequence[Window]) -> int:
        """Grains that lie wholly in a window."""
        return self._mask(
            (-(-(window.starts_at - self.starts_at) // GRAIN), (window.ends_at - self.starts_at) // GRAIN) for window in windows
        )

    def outer(self, windows: Sequence[Window]) -> int:
        """Grains that a window touches."""
        return self._mask(
            ((window.starts_at - self.starts_at) // GRAIN, -(-(window.ends_at - self.starts_at) // GRAIN)) for window in windows
        )

    def _mask(self, ranges: Iterator[tuple[int, int]]) -> int:
        mask = 0
        for first, last in ranges:
            first, last = max(first, 0), min(last, self.grains)
            if first < last:
                mask |= ((1 << (last - first)) - 1) << first
        return mask

    def open(self, windows: Sequence[Window], duration: timedelta) -> int:
        """Starts from which the whole visit lies in an opening."""
        return _runs(self.inner(windows), -(-duration // GRAIN))

    def free(self, busy: Sequence[Window], duration: timedelta, buffers: Buffers) -> int:
        """Starts at which nothing busy touches the visit or the buffers around it."""
        before, after = timedelta(minutes=buffers.before_minutes), timedelta(minutes=buffers.after_minutes)
        lead = -(-before // GRAIN)
        length = lead + -(-(duration + after) // GRAIN)
        everything = (1 << self.grains) - 1
        return _runs(everything & ~self.outer(busy), length) << lead

    def grid(self, days: Sequence[Day], step_minutes: int) -> int:
        """Starts on the grid of their day."""
        mask = 0
        for day in days:
            start = day.window.starts_at
            while start < day.window.ends_at:
                if start >= day.not_before:
                    mask |= 1 << ((start - self.starts_at) // GRAIN)
                start += timedelta(minutes=step_minutes)
        return mask


def _starts(line: _Line, resources: Sequence[Resource], duration: timedelta, buffers: Buffers) -> Mapping[UUID, int]:
    return {one.id: line.open(one.open, duration) & line.free(one.busy, duration, buffers) for one in resources}


def _runs(mask: int, length: int) -> int:
    """Bits from which at least `length` bits in a row are set. Why doubling: the work grows with the logarithm of the length."""
    have = 1
    while have < length:
        step = min(have, length - have)
        mask &= mask >> step
        have += step
    return mask


def _any(starts: Mapping[UUID, int]) -> int:
    mask = 0
    for one in starts.values():
        mask |= one
    return mask


def _first(starts: Mapping[UUID, int], grain: int) -> UUID:
    return next(resource for resource, mask in starts.items() if mask >> grain & 1)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
