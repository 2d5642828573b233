"""Clinic time on ordinary days and on both nights on which the clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.hours import AmbiguousLocalTime, Hours, LocalTime, NoSuchLocalTime, instant_of, whole_day, windows

BERLIN, NEW_YORK, LORD_HOWE, BEIRUT = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut"
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)  # Berlin: 02:00 -> 03:00, and 03:00 -> 02:00
DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31))
NIGHTS = (date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5), date(2026, 10, 4))
MINUTES = st.integers(0, 1439)


def at(on: date, clock: str, fold: int | None = None) -> LocalTime:
    hours, minutes = clock.split(":")
    return LocalTime(on=on, minute=int(hours) * 60 + int(minutes), fold=fold)


def test_a_time_that_the_clock_jumps_over_is_refused() -> None:
    """02:30 does not exist in Berlin on the last Sunday of March; 01:59 and 03:00 do, a minute apart."""
    with pytest.raises(NoSuchLocalTime) as refused:
        instant_of(at(SPRING, "02:30"), BERLIN)
    assert refused.value.facts == {"on": "2026-03-29", "time": "02:30", "time_zone": BERLIN}
    assert instant_of(at(SPRING, "03:00"), BERLIN) - instant_of(at(SPRING, "01:59"), BERLIN) == timedelta(minutes=1)


def test_a_time_shown_twice_needs_a_fold() -> None:
    """02:30 is shown twice in Berlin on the last Sunday of October: an hour lies between fold 0 and fold 1."""
    with pytest.raises(AmbiguousLocalTime):
        instant_of(at(AUTUMN, "02:30"), BERLIN)
    first, second = (instant_of(at(AUTUMN, "02:30", fold), BERLIN) for fold in (0, 1))
    assert (first, second - first) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), timedelta(hours=1))


def test_a_fold_on_an_ordinary_day_changes_nothing() -> None:
    """Where the clock shows a time once, the fold is not asked for and not looked at."""
    assert instant_of(at(date(2026, 6, 1), "02:30", 1), BERLIN) == instant_of(at(date(2026, 6, 1), "02:30"), BERLIN)


@pytest.mark.parametrize(
    ("on", "zone", "hours"),
    [
        (SPRING, BERLIN, 23), (AUTUMN, BERLIN, 25), (date(2026, 6, 1), BERLIN, 24),
        (date(2026, 3, 8), NEW_YORK, 23), (date(2026, 11, 1), NEW_YORK, 25),
        (date(2026, 10, 4), LORD_HOWE, 23.5), (date(2026, 4, 5), LORD_HOWE, 24.5),
        (date(2026, 3, 29), BEIRUT, 23),  # the clocks jump at midnight: the day begins at 01:00
    ],
)  # fmt: skip
def test_a_day_is_as_long_as_it_is(on: date, zone: str, hours: float) -> None:
    """A local day has 23, 24 or 25 hours; on Lord Howe half an hour more or less."""
    day = whole_day(on, zone)
    assert (day.ends_at - day.starts_at) / timedelta(hours=1) == hours


def test_a_clinic_open_through_the_night_is_open_through_the_change() -> None:
    """00:00 to 06:00 is five hours in spring and seven in autumn; hours inside the jump begin where the clock goes on."""
    night = [Hours(weekday=7, opens_minute=0, closes_minute=6 * 60)]
    lengths = [(window.ends_at - window.starts_at) / timedelta(hours=1) for on in (SPRING, AUTUMN) for window in windows(night, on, BERLIN)]
    assert lengths == [5, 7]
    late = [Hours(weekday=7, opens_minute=2 * 60 + 30, closes_minute=4 * 60)]
    [window] = windows(late, SPRING, BERLIN)
    assert window.starts_at.astimezone(ZoneInfo(BERLIN)).strftime("%H:%M") == "03:00"
    nothing = [Hours(weekday=7, opens_minute=2 * 60, closes_minute=3 * 60)]
    assert windows(nothing, SPRING, BERLIN) == ()
    [twice] = windows(nothing, AUTUMN, BERLIN)
    assert twice.ends_at - twice.starts_at == timedelta(hours=2)


@given(st.one_of(DAYS, st.sampled_from(NIGHTS)), MINUTES, st.sampled_from([0, 1]), st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, BEIRUT]))
def test_an_instant_shows_the_time_that_was_asked_for(on: date, minute: int, fold: int, zone: str) -> None:
    """Whatever instant is found, the clinic's wall clock shows the asked time then; else the time does not exist."""
    try:
        found = instant_of(LocalTime(on=on, minute=minute, fold=fold), zone)
    except NoSuchLocalTime:
        first = datetime.combine(on, datetime.min.time(), tzinfo=UTC) - timedelta(hours=15)
        shown = {(first + timedelta(minutes=n)).astimezone(ZoneInfo(zone)) for n in range(0, 30 * 60 + 1 * 60)}
        assert not any((one.date(), one.hour * 60 + one.minute) == (on, minute) for one in shown)
        return
    local = found.astimezone(ZoneInfo(zone))
    assert (local.date(), local.hour * 60 + local.minute) == (on, minute)


@given(st.one_of(DAYS, st.sampled_from(NIGHTS)), st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, BEIRUT]))
def test_days_follow_without_gap_or_overlap(on: date, zone: str) -> None:
    """A day ends at the instant at which the next begins."""
    assert whole_day(on, zone).ends_at == whole_day(on + timedelta(days=1), zone).starts_at
