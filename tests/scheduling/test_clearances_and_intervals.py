"""Where clearances and intervals meet: which clearance carries a visit, which first day is promised, whose word an outside procedure is."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scheduling.itinerary import commands as c
from scheduling.itinerary import events as e
from scheduling.itinerary import refusals
from scheduling.itinerary.slot import Wanted
from scheduling.itinerary.state import Firm, Frozen, Provisional
from tests.scheduling.scenes import (
    BIOREVITALISATION,
    FACE_LASER,
    Desk,
    changed,
    clearance,
    local,
    procedure,
    uid,
    verdict,
)

NOW = local("2026-03-02T09:00")
TEN = local("2026-03-10T10:00")
LATER = local("2026-03-05T09:00")
NOSE = Wanted(kind="laser", modality="nafl_1550", zones=("nose",))


# --- the end of one clearance is not the end of another


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_the_end_of_a_newer_clearance_leaves_the_older_one(end: str) -> None:
    """The face was cleared, then the nose by itself; the nose's clearance ends: the face's still carries the visit to the nose."""
    desk = Desk()
    desk.do(clearance("2026-03-02", name="face"))
    visit = desk.book(TEN, NOSE, at=NOW)
    desk.do(clearance("2026-03-03", name="nose", zones=("nose",)), changed(end, name="nose", at=LATER))
    assert desk.visit(visit).standing == Firm(clearance_id=uid("face"))


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_visit_goes_over_to_the_older_clearance(end: str) -> None:
    """It rested on the newer one, which ends: it is not cancelled as long as another one carries it."""
    desk = Desk()
    desk.do(clearance("2026-03-02", name="face"), clearance("2026-03-02", name="nose", zones=("nose",)))
    visit = desk.book(TEN, NOSE, at=NOW)
    assert desk.visit(visit).standing == Firm(clearance_id=uid("nose"))
    [_, firm] = desk.do(changed(end, name="nose", at=LATER))
    assert firm == e.VisitMadeFirm(visit_id=visit, clinic_id=firm.clinic_id, clearance_id=uid("face"))


def test_a_suspended_clearance_carries_no_visit() -> None:
    """The end of the newer one hands over to the older one only if that stands: suspended it carries nobody, and the slot is free."""
    desk = Desk()
    desk.do(clearance("2026-03-02", name="face"), clearance("2026-03-02", name="nose", zones=("nose",)))
    visit = desk.book(TEN, NOSE, at=NOW)
    desk.do(changed("suspended", name="face", at=LATER), changed("revoked", name="nose", at=LATER))
    assert desk.state.over[visit].cause == "clearance-revoked"


def test_a_deferral_before_an_ended_clearance_does_not_come_back() -> None:
    """Deferred, then cleared, then revoked: the old deferral's day is not offered again; a doctor decides first."""
    desk = Desk()
    desk.do(verdict("DEFERRED", until="2026-03-05", at=NOW), clearance("2026-03-02"), changed("revoked", at=LATER))
    with pytest.raises(refusals.NotCleared) as refused:
        desk.book(TEN, FACE_LASER, at=LATER)
    assert refused.value.facts == {"reasons": ["CLEARANCE_REVOKED"], "earliest": None}


# --- a verdict about another day, or another indication, leaves a clearance that stands


@pytest.mark.parametrize(
    "later",
    [
        verdict("NEEDS_PHYSICIAN", at=LATER),  # asked for a day after the override has ended
        verdict("DEFERRED", until="2026-04-09", at=LATER),
        verdict("INELIGIBLE", at=LATER),  # asked for another indication
        verdict("DEFERRED", until="2026-03-20", zones=("eyelid",), at=LATER),
    ],
)
def test_a_verdict_leaves_a_clearance_that_stands(later: Any) -> None:
    """What contradicts a clearance suspends it in screening; a decision not to grant another one freezes nothing that rests on it."""
    desk = Desk()
    desk.do(clearance("2026-03-02", until="2026-03-12"))
    visit = desk.book(TEN, FACE_LASER, at=NOW)
    assert len(desk.do(later)) == 1
    assert desk.visit(visit).standing == Firm(clearance_id=uid("clearance"))
    assert desk.do(c.CheckIn(visit_id=visit, at=TEN))


def test_a_verdict_speaks_of_the_days_that_no_clearance_reaches() -> None:
    """The session after the clearance's last day is what the verdict was about."""
    desk = Desk()
    desk.do(clearance("2026-03-02", until="2026-03-12"))
    session = desk.book(local("2026-03-30T10:00"), FACE_LASER, at=NOW)
    desk.do(verdict("DEFERRED", until="2026-04-09", at=LATER))
    standing = desk.visit(session).standing
    assert isinstance(standing, Frozen)
    assert (standing.cause, str(standing.earliest)) == ("not-cleared", "2026-04-09")


def test_changes_attested_hold_every_clearance_until_a_doctor_has_looked() -> None:
    """Two clearances carry the visit; changes are attested: the other one does not let it slip through before screening has answered."""
    desk = Desk()
    desk.do(clearance("2026-03-02", name="first"), clearance("2026-03-03", name="second", at=NOW))
    visit = desk.book(TEN, FACE_LASER, at=NOW)
    desk.do(c.CheckIn(visit_id=visit, at=TEN), c.AttestDay(visit_id=visit, changes=True, attested_by="nurse-1", at=TEN))
    for name in ("second", "first"):
        desk.do(changed("suspended", name=name, at=TEN))
        assert isinstance(desk.visit(visit).standing, Frozen)
    desk.do(changed("reinstated", name="first", at=TEN))
    assert desk.visit(visit).standing == Firm(clearance_id=uid("first"))


# --- the first day that is promised


def test_the_promised_day_breaks_no_interval_either() -> None:
    """Deferred until the 20th, and biorevitalisation is booked for the 25th: the first day is 14 days after that, not the 20th."""
    desk = Desk()
    desk.book(local("2026-03-25T10:00"), BIOREVITALISATION, at=NOW)
    desk.do(verdict("DEFERRED", until="2026-03-20", at=NOW))
    with pytest.raises(refusals.NotCleared) as refused:
        desk.book(TEN, FACE_LASER, at=NOW)
    assert refused.value.facts == {"reasons": ["DEFERRED"], "earliest": "2026-04-08"}
    assert isinstance(desk.visit(desk.book(local("2026-04-08T10:00"), FACE_LASER, at=NOW)).standing, Provisional)


def test_a_frozen_visit_names_a_day_on_which_nothing_stands_in_the_way() -> None:
    """A suspension freezes a visit; the day it names clears the neighbours, too."""
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    visit = desk.book(TEN, FACE_LASER, at=NOW)
    desk.book(local("2026-03-28T10:00"), BIOREVITALISATION, at=NOW)
    desk.do(changed("suspended", earliest="2026-03-20", at=LATER))
    standing = desk.visit(visit).standing
    assert isinstance(standing, Frozen)
    assert (standing.cause, str(standing.earliest)) == ("clearance-suspended", "2026-04-11")


# --- what a doctor may override before a laser is settled by the clearance


@pytest.mark.parametrize(
    ("kind", "on", "standing"),
    [
        ("peel_medium", "2026-02-24", "firm"),  # day 14 of 30: from then on a doctor may override it
        ("peel_medium", "2026-02-25", "refused"),  # day 13: inside the seed's window nobody may
        ("filler_other", "2026-02-24", "firm"),
        ("filler_other", "2026-02-25", "refused"),
        ("filler_unknown", "2026-02-24", "firm"),
        ("waxing", "2026-03-09", "firm"),
        ("filler_ha", "2026-02-25", "refused"),
        ("botulinum_toxin", "2026-02-25", "refused"),
        ("peel_deep", "2026-01-01", "refused"),
        ("peel_unknown", "2026-01-01", "refused"),
    ],
)
def test_a_doctors_override_can_be_booked(kind: str, on: str, standing: str) -> None:
    """Cleared with the procedure on record: what may be overridden has been; what nobody may override is refused here all the same."""
    desk = Desk()
    desk.do(procedure(kind, on, at=NOW), clearance("2026-03-02"))
    if standing == "refused":
        with pytest.raises(refusals.IntervalTooShort):
            desk.book(TEN, FACE_LASER, at=NOW)
    else:
        assert desk.visit(desk.book(TEN, FACE_LASER, at=NOW)).standing == Firm(clearance_id=uid("clearance"))


def test_a_procedure_heard_after_the_clearance_freezes() -> None:
    """The doctor did not know of it when clearing; once reinstated with it known, the visit is firm again."""
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    visit = desk.book(TEN, FACE_LASER, at=NOW)
    desk.do(procedure("peel_medium", "2026-02-18", at=LATER))
    assert desk.visit(visit).standing.rules == ("PEEL_MEDIUM_TO_NAFL_1550 v1",)  # type: ignore[union-attr]
    desk.do(changed("suspended", at=LATER, earliest="2026-03-20"), changed("reinstated", at=LATER + timedelta(hours=1)))
    assert desk.visit(visit).standing == Firm(clearance_id=uid("clearance"))


def test_without_a_clearance_that_reaches_the_day_nothing_is_settled() -> None:
    """Provisional is not overridden: beyond the clearance's days the matrix speaks for itself."""
    desk = Desk()
    desk.do(procedure("peel_medium", "2026-03-18", at=NOW), clearance("2026-03-02"))
    with pytest.raises(refusals.IntervalTooShort) as refused:
        desk.book(local("2026-04-10T10:00"), FACE_LASER, at=NOW)
    assert refused.value.facts["earliest"] == "2026-04-17"


def test_what_follows_a_laser_is_never_settled() -> None:
    """A peel elsewhere ten days after the laser: no clearance speaks of that."""
    desk = Desk()
    desk.do(procedure("peel_medium", "2026-03-20", at=NOW), clearance("2026-03-02"))
    with pytest.raises(refusals.IntervalTooShort):
        desk.book(TEN, FACE_LASER, at=NOW)


def test_visits_of_the_chain_are_never_overridden_by_a_clearance() -> None:
    """A biorevitalisation booked here is no outside procedure: 14 days, whatever was cleared."""
    desk = Desk()
    desk.book(local("2026-03-03T10:00"), BIOREVITALISATION, at=NOW)
    desk.do(clearance("2026-03-02"))
    with pytest.raises(refusals.IntervalTooShort):
        desk.book(TEN, FACE_LASER, at=NOW)


def test_waxing_corrected_from_something_graver_frees_its_day() -> None:
    """Reported as Botox, corrected to waxing under the same id: 7 days, not 14, and not an unknown kind's 90."""
    desk = Desk()
    reported = procedure("botulinum_toxin", "2026-03-02", at=NOW)
    desk.do(clearance("2026-03-02"), reported)
    with pytest.raises(refusals.IntervalTooShort):
        desk.book(TEN, FACE_LASER, at=NOW)
    desk.do(replace(reported, heard_id=uid("mended"), kind="waxing"))
    assert isinstance(desk.visit(desk.book(TEN, FACE_LASER, at=NOW)).standing, Firm)
