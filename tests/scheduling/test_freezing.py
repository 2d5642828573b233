"""A new fact freezes the visits it speaks against; a doctor's word thaws them; time or a revocation releases them."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from scheduling.deciders import ITINERARY
from scheduling.itinerary import commands as c
from scheduling.itinerary import events as e
from scheduling.itinerary import refusals
from scheduling.itinerary.state import Firm, Frozen, Provisional
from tests.scheduling.scenes import (
    BIOREVITALISATION,
    CONSULTATION,
    FACE_LASER,
    Desk,
    asked,
    changed,
    clearance,
    day,
    local,
    place,
    procedure,
    treatment,
    uid,
    verdict,
)

NOW = local("2026-03-02T09:00")
TEN = local("2026-03-10T10:00")
LATER = local("2026-03-05T09:00")


def booked(desk: Desk) -> UUID:
    desk.do(clearance("2026-03-02"))
    return desk.book(TEN, FACE_LASER, at=NOW)


def test_a_suspension_freezes_and_keeps_the_slot() -> None:
    """Frozen until a day before the visit; nothing is released; the consultation beside it stays as it is."""
    desk = Desk()
    visit = booked(desk)
    talk = desk.book(local("2026-03-09T10:00"), CONSULTATION, at=NOW)
    events = desk.do(changed("suspended", at=LATER))
    assert [type(event) for event in events] == [e.ClearanceChangeHeard, e.VisitFrozen]
    assert desk.visit(visit).standing.until == TEN - timedelta(hours=24)  # type: ignore[union-attr]
    assert [guard for event in events for guard in ITINERARY.guards(event)] == []
    assert desk.visit(talk).standing == Firm(clearance_id=None)


def test_a_late_suspension_keeps_the_slot_for_a_grace_but_not_beyond_the_visit() -> None:
    """Two hours before the visit: two hours of grace; during it: to its end."""
    for at, until in ((TEN - timedelta(hours=1), TEN + timedelta(hours=1)), (TEN + timedelta(minutes=10), TEN + timedelta(minutes=75))):
        desk = Desk()
        visit = booked(desk)
        desk.do(changed("suspended", at=at))
        assert desk.visit(visit).standing.until == until  # type: ignore[union-attr]


def test_a_reinstatement_thaws() -> None:
    """The visit is firm again under the same clearance and its clock is stopped; repeated: nothing."""
    desk = Desk()
    visit = booked(desk)
    desk.do(changed("suspended", at=LATER))
    back = changed("reinstated", at=LATER)
    [_, firm] = desk.do(back)
    assert desk.visit(visit).standing == Firm(clearance_id=uid("clearance"))
    assert f"freeze-{visit}" in {change.key for change in ITINERARY.timers(firm)}
    assert desk.do(back) == []


def test_a_freeze_ends_with_the_release_of_the_slot() -> None:
    """At its deadline the timer cancels the visit; not before, and not after it was thawed."""
    desk = Desk()
    visit = booked(desk)
    desk.do(changed("suspended", at=LATER))
    until = TEN - timedelta(hours=24)
    assert desk.do(c.EndFreeze(visit_id=visit, at=until - timedelta(seconds=1))) == []
    thawed = Desk(events=[*desk.events])
    thawed.do(changed("reinstated", at=LATER))
    assert thawed.do(c.EndFreeze(visit_id=visit, at=until)) == []
    [cancelled] = desk.do(c.EndFreeze(visit_id=visit, at=until))
    assert cancelled.cause == "frozen-too-long"
    assert ITINERARY.guards(cancelled)


@pytest.mark.parametrize(("end", "cause"), [("revoked", "clearance-revoked"), ("expired", "clearance-expired")])
def test_a_revoked_or_expired_clearance_releases(end: str, cause: str) -> None:
    """Firm or frozen, the visit is cancelled when its clearance ends."""
    for first in ((), (changed("suspended", at=LATER),)):
        desk = Desk()
        booked(desk)
        events = desk.do(*first, changed(end, at=LATER))
        assert [event.cause for event in events if isinstance(event, e.VisitCancelled)] == [cause]


def test_another_clearance_saves_a_visit_from_revocation() -> None:
    """A visit moves under a second valid clearance when its first is revoked."""
    desk = Desk()
    visit = booked(desk)
    desk.do(clearance("2026-03-04", name="second"), changed("revoked", at=LATER))
    assert desk.visit(visit).standing == Firm(clearance_id=uid("second"))


def test_a_suspension_freezes_the_provisional_sessions_too() -> None:
    """An adverse event after the first session suspends the clearance: the next session, provisional, freezes, and thaws with it."""
    desk = Desk()
    booked(desk)
    next_session = desk.book(local("2026-04-10T10:00"), FACE_LASER, at=NOW)
    desk.do(changed("suspended", at=LATER))
    assert desk.visit(next_session).standing.cause == "clearance-suspended"  # type: ignore[union-attr]
    desk.do(changed("reinstated", at=LATER))
    assert desk.visit(next_session).standing == Provisional(firm_by=local("2026-04-08T10:00"))


def test_a_suspended_visit_is_not_thawed_by_an_unrelated_fact() -> None:
    """Only a doctor's word ends a freeze that stands on a suspension, also for a day past its earliest date."""
    desk = Desk()
    visit = booked(desk)
    desk.do(changed("suspended", at=LATER, earliest="2026-03-09"), procedure("filler_ha", "2026-01-01", at=LATER))
    assert isinstance(desk.visit(visit).standing, Frozen)


def test_a_deferral_freezes_the_sessions_before_its_date_only() -> None:
    """Sessions on or after the new date are not touched."""
    desk = Desk()
    desk.do(verdict("NEEDS_PHYSICIAN", at=NOW))
    early = desk.book(local("2026-03-20T10:00"), FACE_LASER, at=NOW)
    late = desk.book(local("2026-05-20T10:00"), FACE_LASER, at=NOW)
    desk.do(verdict("DEFERRED", until="2026-04-15", at=LATER))
    assert isinstance(desk.visit(early).standing, Frozen)
    assert isinstance(desk.visit(late).standing, Provisional)


def test_a_reported_procedure_freezes_its_neighbours() -> None:
    """Outside filler reported late: the laser visit 7 days after it is frozen with rule and first legal day; a corrected date thaws it."""
    desk = Desk()
    visit = booked(desk)
    desk.do(procedure("filler_ha", "2026-03-03", at=LATER))
    standing = desk.visit(visit).standing
    assert isinstance(standing, Frozen)
    assert (standing.cause, standing.rules, str(standing.earliest)) == ("interval", ("FILLER_HA_TO_NAFL_1550 v1",), "2026-03-17")
    corrected = replace(procedure("filler_ha", "2026-03-03", at=LATER), heard_id=uid("corrected"), on=day("2026-01-03"))
    desk.do(corrected)
    assert desk.visit(visit).standing == Firm(clearance_id=uid("clearance"))


def test_an_outside_procedure_after_the_visit_is_seen_as_well() -> None:
    """Both neighbours: a procedure planned elsewhere five days after the laser visit freezes it too."""
    desk = Desk()
    visit = booked(desk)
    desk.do(procedure("peel_superficial", "2026-03-15", at=LATER))
    assert desk.visit(visit).standing.rules == ("NAFL_1550_TO_PEEL_SUPERFICIAL v1",)  # type: ignore[union-attr]


def test_a_treatment_counts_on_its_real_date() -> None:
    """Booked for the 10th, treated on the 12th: the after-window runs from the 12th, the visit is over, the gel on the 24th freezes."""
    desk = Desk()
    visit = booked(desk)
    gel = desk.book(local("2026-03-24T10:00"), BIOREVITALISATION, at=NOW)
    desk.do(treatment("2026-03-12", at=local("2026-03-12T10:00"), visit=visit))
    assert visit not in desk.state.visits
    assert desk.state.over[visit].cause == "treated"
    assert desk.visit(gel).standing.earliest.isoformat() == "2026-03-26"  # type: ignore[union-attr]
    with pytest.raises(refusals.VisitOver):
        desk.do(c.CancelVisit(visit_id=visit, cause="no-show", at=LATER))


def test_a_treatment_heard_twice_counts_once() -> None:
    """Its start and its end name the same treatment: the second changes nothing."""
    desk = Desk()
    visit = booked(desk)
    desk.do(treatment("2026-03-10", at=TEN, visit=visit))
    assert desk.do(treatment("2026-03-10", at=TEN + timedelta(hours=1), visit=visit)) == []


def test_a_fact_heard_twice_changes_nothing() -> None:
    """The same message again yields no event."""
    desk = Desk()
    for fact in (
        clearance("2026-03-02"),
        changed("suspended", at=LATER),
        verdict("DEFERRED", at=NOW),
        procedure("filler_ha", "2026-01-01", at=NOW),
    ):
        desk.do(fact)
        assert desk.do(fact) == []


def test_a_frozen_visit_may_be_moved_to_a_day_that_is_possible() -> None:
    """Moving past the earliest date turns a frozen visit into a provisional one."""
    desk = Desk()
    visit = booked(desk)
    desk.do(changed("suspended", at=LATER, earliest="2026-03-20"))
    desk.do(c.MoveVisit(visit_id=visit, asked=asked(local("2026-03-20T10:00"), FACE_LASER), place=place(), at=LATER))
    assert isinstance(desk.visit(visit).standing, Provisional)


# --- what stands in the way now


def test_a_frozen_visit_says_what_stands_in_its_way_now() -> None:
    """Frozen for an interval, then suspended, then the interval is mended: the cause follows, the deadline stays as it was."""
    desk = Desk()
    visit = booked(desk)
    filler = procedure("filler_ha", "2026-03-03", at=LATER)
    told = [filler, changed("suspended", at=LATER, earliest="2026-03-17"), replace(filler, heard_id=uid("mended"), on=day("2026-01-03"))]
    seen = []
    for fact in told:
        desk.do(fact)
        standing = desk.visit(visit).standing
        assert isinstance(standing, Frozen)
        seen.append((standing.cause, len(standing.rules), str(standing.earliest), standing.until))
    until = TEN - timedelta(hours=24)
    assert seen == [
        ("interval", 1, "2026-03-17", until),
        ("clearance-suspended", 1, "2026-03-17", until),
        ("clearance-suspended", 0, "2026-03-17", until),
    ]
    desk.do(changed("reinstated", at=LATER))
    assert desk.visit(visit).standing == Firm(clearance_id=uid("clearance"))


def test_a_second_suspension_moves_the_day() -> None:
    """Suspended without a date, then with one, then with a later one: the frozen visit names it; its slot is kept no longer for that."""
    desk = Desk()
    visit = booked(desk)
    for n, (earliest, said) in enumerate([(None, "None"), ("2026-03-20", "2026-03-20"), ("2026-04-04", "2026-04-04")]):
        desk.do(changed("suspended", at=LATER + timedelta(hours=n), earliest=earliest))
        standing = desk.visit(visit).standing
        assert isinstance(standing, Frozen)
        assert (standing.cause, str(standing.earliest), standing.until) == ("clearance-suspended", said, TEN - timedelta(hours=24))


def test_a_later_session_thaws_when_its_day_becomes_possible() -> None:
    """Suspended, date open: the session in April freezes; healed, possible from the 4th of April: it waits for its clearance again."""
    desk = Desk()
    booked(desk)
    later = desk.book(local("2026-04-10T10:00"), FACE_LASER, at=NOW)
    desk.do(changed("suspended", at=LATER))
    assert isinstance(desk.visit(later).standing, Frozen)
    desk.do(changed("suspended", at=LATER + timedelta(days=1), earliest="2026-04-04"))
    assert desk.visit(later).standing == Provisional(firm_by=local("2026-04-08T10:00"))
    desk.do(changed("suspended", at=LATER + timedelta(days=2), earliest="2026-04-20"))
    assert isinstance(desk.visit(later).standing, Frozen)


def test_another_clearance_thaws() -> None:
    """Suspended for good reason in one plan, cleared in another that covers the visit: it goes over to that one."""
    desk = Desk()
    visit = booked(desk)
    desk.do(changed("suspended", at=LATER), clearance("2026-03-06", name="second"))
    assert desk.visit(visit).standing == Firm(clearance_id=uid("second"))
    desk.do(changed("reinstated", at=LATER + timedelta(days=2)))
    assert desk.visit(visit).standing == Firm(clearance_id=uid("second"))


def test_an_attested_change_stays_the_cause_until_a_doctor_has_looked() -> None:
    """What screening says of it afterwards moves the day, not the cause; reinstated, the visit is firm and must be attested anew."""
    desk = Desk()
    visit = booked(desk)
    desk.do(c.CheckIn(visit_id=visit, at=TEN), c.AttestDay(visit_id=visit, changes=True, attested_by="nurse-1", at=TEN))
    desk.do(changed("suspended", at=TEN + timedelta(minutes=1), earliest="2026-03-17"))
    standing = desk.visit(visit).standing
    assert isinstance(standing, Frozen)
    assert (standing.cause, str(standing.earliest)) == ("attestation", "2026-03-17")
    desk.do(changed("reinstated", at=TEN + timedelta(minutes=30)))
    assert (desk.visit(visit).standing, desk.visit(visit).changes) == (Firm(clearance_id=uid("clearance")), None)
