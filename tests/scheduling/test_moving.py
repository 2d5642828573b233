"""Move and cancel: done, refused, repeated; and what an erasure leaves. (Raced: test_raced.py.)"""

from datetime import timedelta

import pytest

from erbium_kernel.decider import Release
from erbium_kernel.errors import NotFound
from scheduling.deciders import ITINERARY
from scheduling.itinerary import commands as c
from scheduling.itinerary import events as e
from scheduling.itinerary import refusals
from scheduling.itinerary.state import Firm, Frozen, Provisional
from tests.scheduling.scenes import (
    BIOREVITALISATION,
    CONSULTATION,
    FACE_LASER,
    PATIENT,
    Desk,
    changed,
    clearance,
    hold,
    local,
    move,
    uid,
    verdict,
)

NOW = local("2026-03-02T09:00")
TEN = local("2026-03-10T10:00")


def test_a_visit_moves_to_another_slot_in_one_step() -> None:
    """Done: the old claims are released before the new ones are made, so a visit may move by less than its length."""
    desk = Desk()
    visit = desk.book(TEN, CONSULTATION, at=NOW)
    [moved] = desk.do(move(visit, TEN + timedelta(minutes=15), CONSULTATION, at=NOW))
    kinds = [type(guard).__name__ for guard in ITINERARY.guards(moved)]
    assert kinds == ["Release"] * 3 + ["Claim"] * 3
    assert desk.visit(visit).slot.starts_at == TEN + timedelta(minutes=15)
    assert desk.do(move(visit, TEN + timedelta(minutes=15), CONSULTATION, at=NOW)) == []


def test_a_visit_is_no_neighbour_of_itself() -> None:
    """A laser visit may move by a day although 28 days lie between two laser visits."""
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    visit = desk.book(TEN, FACE_LASER, at=NOW)
    assert desk.do(move(visit, TEN + timedelta(days=1), FACE_LASER, at=NOW))


def test_a_move_is_refused_like_a_booking() -> None:
    """Refused: too close to another visit, an unknown visit, one that is over, one whose patient has arrived."""
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    laser = desk.book(TEN, FACE_LASER, at=NOW)
    gel = desk.book(local("2026-03-30T10:00"), BIOREVITALISATION, at=NOW)
    with pytest.raises(refusals.IntervalTooShort):
        desk.do(move(gel, local("2026-03-23T10:00"), BIOREVITALISATION, at=NOW))
    with pytest.raises(NotFound):
        desk.do(move(uid("nobody's"), TEN, CONSULTATION, at=NOW))
    desk.do(c.CheckIn(visit_id=laser, at=TEN))
    with pytest.raises(refusals.AlreadyArrived):
        desk.do(move(laser, TEN + timedelta(days=1), FACE_LASER, at=TEN))
    desk.do(c.CancelVisit(visit_id=gel, cause="patient", at=NOW))
    with pytest.raises(refusals.VisitOver):
        desk.do(move(gel, local("2026-04-23T10:00"), BIOREVITALISATION, at=NOW))


def test_a_move_may_change_the_standing() -> None:
    """A firm visit moved beyond its clearance is provisional, and moved back it is firm again."""
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    visit = desk.book(TEN, FACE_LASER, at=NOW)
    desk.do(move(visit, local("2026-04-10T10:00"), FACE_LASER, at=NOW))
    assert desk.visit(visit).standing == Provisional(firm_by=local("2026-04-08T10:00"))
    desk.do(move(visit, TEN, FACE_LASER, at=NOW))
    assert desk.visit(visit).standing == Firm(clearance_id=uid("clearance"))


def test_a_visit_is_cancelled() -> None:
    """Done: its slot is free; repeated: nothing; refused: unknown, or treated."""
    desk = Desk()
    visit = desk.book(TEN, CONSULTATION, at=NOW)
    [cancelled] = desk.do(c.CancelVisit(visit_id=visit, cause="clinic", at=NOW))
    assert {type(guard).__name__ for guard in ITINERARY.guards(cancelled)} == {"Release"}
    assert desk.do(c.CancelVisit(visit_id=visit, cause="clinic", at=NOW)) == []
    with pytest.raises(NotFound):
        desk.do(c.CancelVisit(visit_id=uid("nobody's"), cause="clinic", at=NOW))


@pytest.mark.parametrize("standing", ["provisional", "frozen", "frozen for good"])
def test_a_visit_that_may_not_take_place_is_cancelled_too(standing: str) -> None:
    """Provisional or frozen: everything it holds is given back, its clocks stop, and nothing thaws it afterwards."""
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    visit = desk.book(local("2026-04-10T10:00") if standing == "provisional" else TEN, FACE_LASER, at=NOW)
    if standing != "provisional":
        desk.do(changed("suspended", at=NOW), *([verdict("INELIGIBLE", at=NOW)] if standing == "frozen for good" else []))
        assert isinstance(desk.visit(visit).standing, Frozen)
    held = desk.visit(visit).slot.occupied
    [cancelled] = desk.do(c.CancelVisit(visit_id=visit, cause="patient", at=NOW))
    assert {guard.resource for guard in ITINERARY.guards(cancelled) if isinstance(guard, Release)} == {one.resource_id for one in held}
    assert {change.key for change in ITINERARY.timers(cancelled)} == {f"firm-{visit}", f"freeze-{visit}"}
    assert len(desk.do(changed("reinstated", at=NOW))) == 1
    for late in (c.EndFreeze(visit_id=visit, at=TEN), c.ReleaseProvisional(visit_id=visit, at=TEN)):
        assert desk.do(late) == []


def test_erasing_a_patient_frees_every_slot() -> None:
    """Holds are given back, visits cancelled, and nothing is booked any more; repeated: nothing."""
    desk = Desk()
    desk.book(TEN, CONSULTATION, at=NOW)
    desk.do(hold(TEN + timedelta(days=1), CONSULTATION, at=NOW))
    events = desk.do(c.CloseItinerary(patient_id=PATIENT))
    assert [type(event) for event in events] == [e.HoldEnded, e.VisitCancelled, e.ItineraryClosed]
    assert desk.do(c.CloseItinerary(patient_id=PATIENT)) == []
    assert desk.do(clearance("2026-03-02")) == []
