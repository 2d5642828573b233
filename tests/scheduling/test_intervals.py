"""The interval matrix: its numbers, zones, both neighbours; and no sequence of commands ever leaves a forbidden pair."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erbium_kernel.errors import Rejected
from scheduling.deciders import RULES
from scheduling.itinerary import commands as c
from scheduling.itinerary.intervals import Act, conflicts, earliest_legal
from scheduling.itinerary.slot import Wanted
from scheduling.rules import MODALITIES
from tests.scheduling.scenes import (
    BERLIN,
    BIOREVITALISATION,
    CONSULTATION,
    FACE_LASER,
    NEW_YORK,
    Desk,
    asked,
    book,
    clearance,
    hold,
    local,
    place,
    uid,
)

LASER_DAY = date(2026, 4, 15)


@pytest.mark.parametrize(
    ("procedure", "before_nafl", "before_afl", "after_nafl", "after_afl"),
    [
        ("peel_superficial", 14, 14, 28, 60),
        ("peel_medium", 30, 30, 60, 180),
        ("peel_deep", 90, 90, 60, 180),
        ("dermabrasion", 90, 90, 60, 180),
        ("botulinum_toxin", 14, 14, 14, 14),
        ("filler_ha", 14, 14, 14, 28),
        ("filler_other", 28, 28, 28, 60),
        ("biorevitalisation", 14, 14, 14, 14),
        ("waxing", 7, 14, 7, 28),
        ("something nobody has heard of", 90, 90, 60, 180),
    ],
)
def test_the_matrix_of_procedures(procedure: str, before_nafl: int, before_afl: int, after_nafl: int, after_afl: int) -> None:
    """One day less than the number is refused, the number itself is allowed, before and after, for each kind of laser."""
    for modality in MODALITIES:
        ablative = modality.startswith("afl")
        for days, sign in ((before_afl if ablative else before_nafl, -1), (after_afl if ablative else after_nafl, 1)):
            laser = Act(ref=uid("laser"), kind=modality, zones=("face",), on=LASER_DAY)
            near = Act(ref=uid("other"), kind=procedure, zones=("face",), on=LASER_DAY + sign * timedelta(days=days - 1))
            assert conflicts(RULES, near, [laser])
            assert not conflicts(RULES, replace(near, on=LASER_DAY + sign * timedelta(days=days)), [laser])


@pytest.mark.parametrize(
    ("earlier", "days"),
    [
        ("nafl_1550", {"nafl_1550": 28, "nafl_1927": 28, "afl_2940": 42, "afl_10600": 42}),
        ("nafl_1927", {"nafl_1550": 28, "nafl_1927": 28, "afl_2940": 42, "afl_10600": 42}),
        ("afl_2940", {"nafl_1550": 60, "nafl_1927": 60, "afl_2940": 42, "afl_10600": 90}),
        ("afl_10600", {"nafl_1550": 90, "nafl_1927": 60, "afl_2940": 90, "afl_10600": 90}),
    ],
)
def test_the_matrix_of_lasers(earlier: str, days: dict[str, int]) -> None:
    """Row earlier, column later; where two columns are not told apart, the longer stands."""
    found = {later: rule.gap_days_min for later in MODALITIES if (rule := RULES.interval(earlier, later))}
    assert found == days


def test_filler_on_the_hands_does_not_block_the_face() -> None:
    """Worked case 10: rules look at zones; an unknown zone counts as the face, an eyelid lies in the face."""
    face = Act(ref=uid("laser"), kind="nafl_1550", zones=("face",), on=LASER_DAY)
    for zones, blocked in ((("hands",), False), (("neck", "chest"), False), (("eyelid",), True), ((), True), (("hands", "nose"), True)):
        filler = Act(ref=uid("filler"), kind="filler_ha", zones=zones, on=LASER_DAY - timedelta(days=1))
        assert bool(conflicts(RULES, face, [filler])) is blocked
    eyelid = replace(face, zones=("eyelid",))
    assert not conflicts(RULES, eyelid, [Act(ref=uid("filler"), kind="filler_ha", zones=("cheeks",), on=LASER_DAY)])


def test_the_earliest_day_clears_both_neighbours() -> None:
    """Between two sessions the first legal day may lie behind the second one."""
    sessions = [Act(ref=uid(on), kind="nafl_1550", zones=("face",), on=date.fromisoformat(on)) for on in ("2026-04-01", "2026-04-28")]
    gel = Act(ref=uid("gel"), kind="biorevitalisation", zones=("face",), on=date(2026, 4, 10))
    assert earliest_legal(RULES, gel, sessions) == date(2026, 5, 12)


def test_days_are_counted_in_each_clinics_own_zone() -> None:
    """Botox in Berlin on the 1st at 00:30 is on the 1st although it is still the last of February in New York, where the laser is."""
    desk = Desk()
    now = local("2026-02-20T10:00")
    desk.do(clearance("2026-02-20", until="2026-03-20"))
    desk.book(local("2026-03-01T00:30"), Wanted(kind="botulinum_toxin", zones=("face",)), at=now)
    with pytest.raises(Rejected) as refused:
        desk.book(local("2026-03-14T23:30", "America/New_York"), FACE_LASER, at=now, clinic=NEW_YORK)
    assert refused.value.facts["earliest"] == "2026-03-15"
    allowed = desk.book(local("2026-03-15T00:30", "America/New_York"), FACE_LASER, at=now, clinic=NEW_YORK)
    assert desk.visit(allowed).slot.on.isoformat() == "2026-03-15"


# --- properties

WANTED = st.sampled_from(
    [
        FACE_LASER,
        Wanted(kind="laser", modality="nafl_1550", zones=("neck",)),
        Wanted(kind="laser", modality="afl_2940", zones=("cheeks",)),
        BIOREVITALISATION,
        Wanted(kind="botulinum_toxin", zones=("eyelid",)),
        Wanted(kind="filler_ha"),
        CONSULTATION,
    ]
)
CLINICS = st.sampled_from([BERLIN, NEW_YORK])
START = local("2026-03-20T09:00")  # both nights on which clocks change lie ahead of it in the first weeks
STARTS = st.builds(lambda days, hours: START + timedelta(days=days, hours=hours), st.integers(0, 120), st.integers(1, 23))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("book"), STARTS, WANTED, CLINICS),
        st.tuples(st.just("move"), STARTS, st.integers(0, 20), CLINICS),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
    ),
    max_size=14,
)


def everybody_is_cleared() -> Desk:
    """A patient for whom only the intervals can be in the way."""
    desk = Desk()
    for n, (modality, zone) in enumerate((m, z) for m in ("nafl_1550", "afl_2940") for z in ("face", "neck")):
        desk.do(clearance("2026-03-20", name=f"c{n}", modality=modality, zones=(zone,), at=START))
    return desk


def forbidden_pairs(desk: Desk) -> list[tuple[Act, Act]]:
    """Every two acts in force that the matrix forbids, found without the code under test: gap against number."""
    acts = sorted(desk.state.acts(), key=lambda act: act.on)
    found = []
    for n, earlier in enumerate(acts):
        for later in acts[n + 1 :]:
            if RULES.in_field(earlier.zones, later.zones):
                orders = (
                    ((earlier.kind, later.kind),) if earlier.on < later.on else ((earlier.kind, later.kind), (later.kind, earlier.kind))
                )
                for order in orders:
                    rule = RULES.interval(*order)
                    if rule is not None and later.on - earlier.on < timedelta(days=rule.gap_days_min):
                        found.append((earlier, later))
    return found


def play(desk: Desk, steps: Sequence[Any]) -> None:
    """Puts the steps to the desk; refusals are answers too."""
    for n, step in enumerate(steps):
        visits = list(desk.state.visits.values())
        with contextlib.suppress(Rejected):
            if step[0] == "book":
                _, starts, wanted, clinic = step
                desk.book(starts, wanted, at=START, clinic=clinic, name=f"visit {n}")
            elif visits and step[0] == "move":
                _, starts, which, clinic = step
                visit = visits[which % len(visits)]
                there = asked(starts, visit.wanted, clinic)
                desk.do(c.MoveVisit(visit_id=visit.visit_id, asked=there, place=place(clinic), at=START))
            elif visits:
                desk.do(c.CancelVisit(visit_id=visits[step[1] % len(visits)].visit_id, cause="patient", at=START))


@given(STEPS)
@settings(max_examples=80)
def test_no_sequence_of_commands_leaves_a_forbidden_pair(steps: Sequence[Any]) -> None:
    """Whatever is booked, moved and cancelled in whatever order at whichever clinic, no two acts are too close."""
    desk = everybody_is_cleared()
    play(desk, steps)
    assert forbidden_pairs(desk) == []


@given(STEPS, STARTS, CLINICS)
@settings(max_examples=60)
def test_a_move_is_a_cancellation_and_a_booking(steps: Sequence[Any], starts: Any, clinic: Any) -> None:
    """A move is allowed exactly when cancelling and booking anew is, and leads to the same slot and standing."""
    desk = everybody_is_cleared()
    play(desk, steps)
    if not desk.state.visits:
        return
    visit = next(iter(desk.state.visits.values()))
    moved, anew = Desk(events=[*desk.events]), Desk(events=[*desk.events])

    def by_move() -> Any:
        move = c.MoveVisit(visit_id=visit.visit_id, asked=asked(starts, visit.wanted, clinic), place=place(clinic), at=START)
        moved.do(move)
        return moved.visit(visit.visit_id)

    def by_booking() -> Any:
        wish = hold(starts, visit.wanted, at=START, clinic=clinic, name="anew")
        anew.do(c.CancelVisit(visit_id=visit.visit_id, cause="patient", at=START), wish, book(wish, START))
        return anew.visit(wish.hold_id)

    def outcome(way: Any) -> Any:
        try:
            visit = way()
            return visit.slot, visit.standing
        except Rejected as refusal:
            return refusal.slug, refusal.facts

    assert outcome(by_move) == outcome(by_booking)


@given(STEPS)
@settings(max_examples=30)
def test_every_repeated_command_yields_no_events(steps: Sequence[Any]) -> None:
    """The same booking, put again after anything else, changes nothing."""
    desk = everybody_is_cleared()
    play(desk, steps)
    for event in list(desk.events):
        if type(event).__name__ == "VisitBooked" and event.visit_id in desk.state.visits:
            assert desk.do(c.BookVisit(hold_id=event.visit_id, place=place(), at=START)) == []
