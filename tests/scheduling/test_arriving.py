"""Check in, attest the day, approve the same day: done, refused, repeated. (Raced: test_raced.py.)"""

from datetime import timedelta
from uuid import UUID

import pytest

from erbium_kernel.errors import NotFound
from scheduling.itinerary import commands as c
from scheduling.itinerary import events as e
from scheduling.itinerary import refusals
from scheduling.itinerary.slot import Wanted
from scheduling.itinerary.state import Frozen
from tests.scheduling.scenes import CONSULTATION, FACE_LASER, NEW_YORK, Desk, changed, clearance, local, uid

NOW = local("2026-03-02T09:00")
TEN = local("2026-03-10T10:00")


def arrived(desk: Desk, *, examined: str = "2026-03-02") -> UUID:
    """A firm laser visit whose patient has checked in."""
    desk.do(clearance("2026-03-02", examined=examined))
    visit = desk.book(TEN, FACE_LASER, at=NOW)
    desk.do(c.CheckIn(visit_id=visit, at=TEN))
    return visit


def attest(visit: UUID, *, changes: bool) -> c.AttestDay:
    return c.AttestDay(visit_id=visit, changes=changes, attested_by="nurse-1", at=TEN)


# --- check in


def test_a_patient_checks_in() -> None:
    """Done on the day of the visit, with the clearance it rests on; repeated: nothing."""
    desk = Desk()
    visit = arrived(desk)
    [checked_in] = [event for event in desk.events if isinstance(event, e.VisitCheckedIn)]
    assert (checked_in.clearance_id, checked_in.on.isoformat()) == (uid("clearance"), "2026-03-10")
    assert desk.do(c.CheckIn(visit_id=visit, at=TEN)) == []


def test_a_consultation_checks_in_without_a_clearance() -> None:
    """Nothing but a laser visit needs one."""
    desk = Desk()
    visit = desk.book(TEN, CONSULTATION, at=NOW)
    [checked_in] = desk.do(c.CheckIn(visit_id=visit, at=TEN))
    assert checked_in.clearance_id is None


def test_today_is_the_clinics_today() -> None:
    """23:30 on the 9th in New York is the 10th in Berlin: the visit of the 10th in New York may not be checked in yet."""
    desk = Desk()
    visit = desk.book(local("2026-03-10T10:00", "America/New_York"), CONSULTATION, at=NOW, clinic=NEW_YORK)
    with pytest.raises(refusals.VisitNotToday):
        desk.do(c.CheckIn(visit_id=visit, at=local("2026-03-09T23:30", "America/New_York")))
    assert desk.do(c.CheckIn(visit_id=visit, at=local("2026-03-10T00:30", "America/New_York")))


def test_only_a_firm_visit_checks_in() -> None:
    """Refused: provisional, frozen, unknown, over, and a visit examined today that nobody approved for today."""
    desk = Desk()
    with pytest.raises(NotFound):
        desk.do(c.CheckIn(visit_id=uid("nobody's"), at=TEN))
    desk.do(clearance("2026-03-02"))
    waits = desk.book(local("2026-04-10T10:00"), FACE_LASER, at=NOW)
    with pytest.raises(refusals.VisitNotFirm):
        desk.do(c.CheckIn(visit_id=waits, at=local("2026-04-10T10:00")))
    desk.do(c.CancelVisit(visit_id=waits, cause="patient", at=NOW))
    with pytest.raises(refusals.VisitOver):
        desk.do(c.CheckIn(visit_id=waits, at=local("2026-04-10T10:00")))
    frozen = desk.book(TEN, FACE_LASER, at=NOW)
    desk.do(changed("suspended", at=TEN - timedelta(minutes=1)))
    with pytest.raises(refusals.VisitNotFirm):
        desk.do(c.CheckIn(visit_id=frozen, at=TEN))


# --- attest the day


def test_an_attestation_without_changes_is_recorded() -> None:
    """Done: nothing else follows; repeated: nothing."""
    desk = Desk()
    visit = arrived(desk)
    [attested] = desk.do(attest(visit, changes=False))
    assert (attested.changes, attested.attested_by) == (False, "nurse-1")
    assert desk.do(attest(visit, changes=False)) == []


def test_a_change_freezes_the_visit_at_once() -> None:
    """The visit freezes in the same breath, before screening has answered, and its clearance counts as suspended here."""
    desk = Desk()
    visit = arrived(desk)
    events = desk.do(attest(visit, changes=True))
    assert [type(event) for event in events] == [e.DayAttested, e.VisitFrozen]
    assert desk.state.clearances[uid("clearance")].status == "suspended"
    desk.do(clearance("2026-03-10", name="neck", zones=("neck",), at=TEN))
    assert isinstance(desk.visit(visit).standing, Frozen)


def test_a_change_is_not_taken_back_at_the_door() -> None:
    """Refused: only a doctor clears again; after the reinstatement the day is attested anew."""
    desk = Desk()
    visit = arrived(desk)
    desk.do(attest(visit, changes=True))
    with pytest.raises(refusals.ChangesStand):
        desk.do(attest(visit, changes=False))
    desk.do(changed("suspended", at=TEN), changed("reinstated", at=TEN))
    assert desk.visit(visit).changes is None
    assert desk.do(attest(visit, changes=False))


def test_a_change_may_follow_an_attestation_without_one() -> None:
    """What comes up later at the door still freezes."""
    desk = Desk()
    visit = arrived(desk)
    desk.do(attest(visit, changes=False))
    assert len(desk.do(attest(visit, changes=True))) == 2


def test_nobody_attests_for_a_patient_who_is_not_there() -> None:
    """Refused before the check-in."""
    desk = Desk()
    visit = desk.book(TEN, CONSULTATION, at=NOW)
    with pytest.raises(refusals.NotArrived):
        desk.do(attest(visit, changes=False))


# --- the same day


def same_day(desk: Desk, wanted: Wanted = FACE_LASER) -> UUID:
    """Examined and cleared this morning, a laser visit at 11:30."""
    desk.do(clearance("2026-03-10", modality=wanted.modality or "", at=local("2026-03-10T10:40")))
    return desk.book(local("2026-03-10T11:30"), wanted, at=local("2026-03-10T10:45"))


def test_the_same_day_is_approved() -> None:
    """Done: an examination of today and a clearance valid today; repeated: nothing; then the patient may check in."""
    desk = Desk()
    visit = same_day(desk)
    with pytest.raises(refusals.SameDayNotApproved):
        desk.do(c.CheckIn(visit_id=visit, at=local("2026-03-10T11:00")))
    approve = c.ApproveSameDay(visit_id=visit, approved_by="doctor-1", at=local("2026-03-10T10:50"))
    [approved] = desk.do(approve)
    assert approved.clearance_id == uid("clearance")
    assert desk.do(approve) == []
    assert desk.do(c.CheckIn(visit_id=visit, at=local("2026-03-10T11:00")))


def test_the_same_day_is_refused_without_its_conditions() -> None:
    """Refused: examined on an earlier day, not today, frozen, or an ablative laser."""
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    visit = desk.book(TEN, FACE_LASER, at=NOW)
    with pytest.raises(refusals.NotTheSameDay):
        desk.do(c.ApproveSameDay(visit_id=visit, approved_by="doctor-1", at=TEN))
    with pytest.raises(refusals.VisitNotToday):
        desk.do(c.ApproveSameDay(visit_id=visit, approved_by="doctor-1", at=NOW))
    desk = Desk()
    visit = same_day(desk)
    desk.do(changed("suspended", at=local("2026-03-10T10:49")))
    with pytest.raises(refusals.VisitNotFirm):
        desk.do(c.ApproveSameDay(visit_id=visit, approved_by="doctor-1", at=local("2026-03-10T10:50")))
    desk = Desk()
    visit = same_day(desk, Wanted(kind="laser", modality="afl_10600", zones=("face",)))
    with pytest.raises(refusals.SameDayNeedsOverride):
        desk.do(c.ApproveSameDay(visit_id=visit, approved_by="doctor-1", at=local("2026-03-10T10:50")))
