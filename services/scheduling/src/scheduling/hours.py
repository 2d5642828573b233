"""Clinic time: weekly hours on the wall clock of a zone, and the instants they mean on one day, on both nights of the year too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from erbium_kernel.errors import Rejected

MINUTES_PER_DAY = 24 * 60


class NoSuchLocalTime(Rejected):
    """The clocks of this clinic jump over that time on that night."""

    slug = "scheduling.no-such-local-time"
    do = "Name a time that the clinic's clock shows, or send the instant with its offset."


class AmbiguousLocalTime(Rejected):
    """The clocks of this clinic show that time twice on that night."""

    slug = "scheduling.ambiguous-local-time"
    do = "Send `fold` 0 for the first or 1 for the second time the clock shows it, or send the instant with its offset."


class Window(NamedTuple):
    """From an instant to another, half-open. Units: UTC."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """One opening on one weekday. Units: `weekday` ISO (1 = Monday), minutes of the wall clock since midnight (1440 = 24:00)."""

    weekday: int
    opens_minute: int
    closes_minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTime:
    """What a clinic's wall clock shows; `fold` says which of two when the clock shows it twice."""

    on: date
    minute: int
    fold: int | None = None


def instant_of(when: LocalTime, zone: str) -> datetime:
    """The one instant at which the clock shows this. Raises: NoSuchLocalTime, AmbiguousLocalTime."""
    first, second = _readings(when.on, when.minute, zone)
    if not _shows(first, when, zone):
        raise NoSuchLocalTime(on=when.on.isoformat(), time=clock_text(when.minute), time_zone=zone)
    if first != second and when.fold is None:
        raise AmbiguousLocalTime(on=when.on.isoformat(), time=clock_text(when.minute), time_zone=zone)
    return second if when.fold else first


def clock_text(minute: int) -> str:
    """`HH:MM` of a minute of the day; 24:00 for its end."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def windows(hours: Sequence[Hours], on: date, zone: str) -> tuple[Window, ...]:
    """The instants of the hours of one day. A time that the clock jumps over is the jump itself; one shown twice opens at the
    first and closes at the second, so a clinic open through the night is open for the 23 or 25 hours of it."""
    found = []
    for row in hours:
        if row.weekday == on.isoweekday():
            found.append(Window(_edge(on, row.opens_minute, zone, last=False), _edge(on, row.closes_minute, zone, last=True)))
    return tuple(sorted(window for window in found if window.starts_at < window.ends_at))


def whole_day(on: date, zone: str) -> Window:
    """From the first instant of a local day to the first of the next: 23, 24 or 25 hours, in places half an hour off."""
    return Window(_edge(on, 0, zone, last=False), _edge(on + timedelta(days=1), 0, zone, last=False))


def openings(hours: Sequence[Hours], first: date, last: date, zone: str) -> tuple[Window, ...]:
    """The hours of these days, both included; one that ends where the next begins goes on through midnight."""
    days = ((last - first).days + 1) if last >= first else 0
    joined: list[Window] = []
    for window in (window for n in range(days) for window in windows(hours, first + timedelta(days=n), zone)):
        if joined and window.starts_at <= joined[-1].ends_at:
            joined[-1] = Window(joined[-1].starts_at, max(joined[-1].ends_at, window.ends_at))
        else:
            joined.append(window)
    return tuple(joined)


def inside(window: Window, hours: Sequence[Hours], on: date, zone: str) -> bool:
    """Does a window that begins on that day lie in one opening?"""
    found = openings(hours, on, on + timedelta(days=1), zone)
    return any(opening.starts_at <= window.starts_at and window.ends_at <= opening.ends_at for opening in found)


def _readings(on: date, minute: int, zone: str) -> tuple[datetime, datetime]:
    """The wall clock read with the offset before and after a jump; equal on ordinary days."""
    day, within = divmod(minute, MINUTES_PER_DAY)
    local = datetime.combine(on + timedelta(days=day), time(within // 60, within % 60), tzinfo=ZoneInfo(zone))
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _shows(instant: datetime, when: LocalTime, zone: str) -> bool:
    local = instant.astimezone(ZoneInfo(zone))
    return (local.date(), local.hour * 60 + local.minute) == (when.on, when.minute)


def _edge(on: date, minute: int, zone: str, *, last: bool) -> datetime:
    first, second = _readings(on, minute, zone)
    if first <= second:
        return second if last else first
    return _jump(second, first, zone)


def _jump(before: datetime, after: datetime, zone: str) -> datetime:
    """The minute between two instants at which the zone's offset changes."""
    tz = ZoneInfo(zone)
    offset = after.astimezone(tz).utcoffset()
    while after - before > timedelta(minutes=1):
        middle = before + timedelta(minutes=(after - before) // timedelta(minutes=2))
        if middle.astimezone(tz).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
