"""The search for free slots finds exactly what is free, on both nights of the year too."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.deciders import RULES
from scheduling.hours import Hours, Window, openings, whole_day
from scheduling.rules import Buffers
from scheduling.slots import Day, FreeSlot, Resource, Search, free_slots
from tests.scheduling.scenes import local, uid

BERLIN = "Europe/Berlin"
LASER_RULE, TALK = RULES.visits["laser"], RULES.visits["consultation"]
DAY = date(2026, 3, 10)
EIGHT_TO_NOON = (Hours(weekday=2, opens_minute=480, closes_minute=720),)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def resource(name: str, busy: tuple[Window, ...] = (), opened: tuple[Window, ...] | None = None) -> Resource:
    return Resource(id=uid(name), open=openings(EIGHT_TO_NOON, DAY, DAY, BERLIN) if opened is None else opened, busy=busy)


def on_day(on: date, not_before: datetime | None = None) -> Day:
    window = whole_day(on, BERLIN)
    return Day(window=window, not_before=not_before or window.starts_at)


def search(**changes: object) -> Search:
    values: dict[str, object] = {
        "rule": TALK,
        "days": [on_day(DAY)],
        "step_minutes": 30,
        "practitioners": (resource("doctor"),),
        "rooms": (resource("room"),),
        "lasers": None,
    }
    return Search(**{**values, **changes})  # type: ignore[arg-type]


def clock(found: Sequence[FreeSlot]) -> list[str]:
    return [slot.starts_at.astimezone(ZoneInfo(BERLIN)).strftime("%H:%M") for slot in found]


def test_an_empty_day_is_free_as_long_as_the_clinic_is_open() -> None:
    """Half-hour consultations from 8 to 12: the last starts at 11:30; the first two only, if only two are wanted."""
    assert clock(free_slots(search(), 99)) == ["08:00", "08:30", "09:00", "09:30", "10:00", "10:30", "11:00", "11:30"]
    assert clock(free_slots(search(), 2)) == ["08:00", "08:30"]
    assert clock(free_slots(search(days=[on_day(DAY, local("2026-03-10T10:01"))]), 99)) == ["10:30", "11:00", "11:30"]


def test_buffers_keep_neighbours_apart() -> None:
    """A room busy from 09:40 (buffers included) leaves no 09:10 start: the consultation needs it until 09:45."""
    taken = Window(local("2026-03-10T09:40"), local("2026-03-10T10:00"))
    found = clock(free_slots(search(rooms=(resource("room", (taken,)),), step_minutes=5), 99))
    assert "09:05" in found
    assert "09:10" not in found
    assert "09:55" not in found
    assert "10:00" in found


def test_any_free_combination_will_do() -> None:
    """Two doctors and two rooms, each pair half taken: the slot names those that are free."""
    early, late = Window(local("2026-03-10T08:00"), local("2026-03-10T10:00")), Window(local("2026-03-10T10:00"), local("2026-03-10T12:00"))
    both = search(
        practitioners=(resource("doctor", (early,)), resource("second doctor", (late,))),
        rooms=(resource("room", (late,)), resource("second room", (early,))),
    )
    found = {slot.starts_at: (slot.practitioner_id, slot.room_id) for slot in free_slots(both, 99)}
    assert found[local("2026-03-10T08:00")] == (uid("second doctor"), uid("room"))
    assert found[local("2026-03-10T10:00")] == (uid("doctor"), uid("second room"))


def test_a_laser_visit_needs_a_laser_and_a_free_patient() -> None:
    """No laser, no slot; where the patient is elsewhere there is none either."""
    assert free_slots(search(rule=LASER_RULE, lasers=()), 99) == []
    elsewhere = (Window(local("2026-03-10T08:00"), local("2026-03-10T11:00")),)
    assert free_slots(search(rule=LASER_RULE, lasers=(resource("laser"),), patient=elsewhere), 99) == []
    assert clock(free_slots(search(rule=LASER_RULE, lasers=(resource("laser"),)), 1)) == ["08:00"]


@pytest.mark.parametrize(("on", "starts"), [(date(2026, 3, 29), 5 * 2), (date(2026, 10, 25), 7 * 2)])
def test_a_night_with_a_change_has_the_slots_it_has(on: date, starts: int) -> None:
    """Open 00:00 to 06:00: five hours of half-hour visits in spring, seven in autumn, each half an hour of real time."""
    night = openings((Hours(weekday=7, opens_minute=0, closes_minute=360),), on, on, BERLIN)
    doctor, room = resource("doctor", (), night), resource("room", (), night)
    found = free_slots(search(days=[on_day(on)], practitioners=(doctor,), rooms=(room,)), 99)
    assert len(found) == starts
    assert {slot.ends_at - slot.starts_at for slot in found} == {minutes(30)}
    assert len({slot.starts_at for slot in found}) == starts


GRAINS = st.integers(0, 24 * 12 + 11)
BUSY = st.lists(st.tuples(GRAINS, st.integers(1, 30)), max_size=8)
ODD = st.integers(0, 4)


@given(doctor=BUSY, room=BUSY, patient=BUSY, odd=ODD, on=st.sampled_from([DAY, date(2026, 3, 29), date(2026, 10, 25)]))
@settings(max_examples=80)
def test_the_bits_find_what_counting_finds(
    doctor: list[tuple[int, int]], room: list[tuple[int, int]], patient: list[tuple[int, int]], odd: int, on: date
) -> None:
    """Whatever is taken, also off the grain, the search finds exactly the starts that a plain comparison of intervals finds."""
    day = whole_day(on, BERLIN)
    always = (Window(day.starts_at - minutes(600), day.ends_at + minutes(600)),)

    def taken(rows: list[tuple[int, int]]) -> tuple[Window, ...]:
        return tuple(
            Window(day.starts_at + minutes(5 * first + odd), day.starts_at + minutes(5 * (first + length) + odd)) for first, length in rows
        )

    resources = {"doctor": taken(doctor), "room": taken(room), "patient": taken(patient)}
    found = free_slots(
        search(
            days=[on_day(on)], step_minutes=15, patient=resources["patient"],
            practitioners=(resource("d", resources["doctor"], always),), rooms=(resource("r", resources["room"], always),),
        ),
        9_999,
    )  # fmt: skip
    expected = []
    start = day.starts_at
    while start < day.ends_at:
        if all(
            _apart(start, rule, resources[name])
            for name, rule in (("doctor", TALK.practitioner), ("room", TALK.room), ("patient", Buffers(before_minutes=0, after_minutes=0)))
        ):
            expected.append(start)
        start += minutes(15)
    assert [slot.starts_at for slot in found] == expected


def _apart(start: datetime, buffers: Buffers, busy: tuple[Window, ...]) -> bool:
    first, last = start - minutes(buffers.before_minutes), start + minutes(TALK.duration_minutes + buffers.after_minutes)
    return all(window.ends_at <= first or last <= window.starts_at for window in busy)
