"""The worked cases of the clinic reference (section 9) that scheduling decides, as a table a doctor can read.

Each row: what has been heard or done so far, what is asked, and the answer in words. Face, NAFL 1550, clinic in Berlin.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from erbium_kernel.errors import Rejected
from scheduling.deciders import RULES
from scheduling.itinerary import commands as c
from scheduling.itinerary.intervals import Act, legal_days
from scheduling.itinerary.state import Firm, Frozen, Provisional
from tests.scheduling.scenes import (
    BIOREVITALISATION,
    CONSULTATION,
    FACE_LASER,
    PATIENT,
    Desk,
    changed,
    clearance,
    day,
    hold,
    local,
    procedure,
    treatment,
    uid,
    verdict,
)

LASER_VISIT = uid("laser visit")


def laser(starts: str, at: str) -> Sequence[Any]:
    """Hold and book a laser visit."""
    wish = hold(local(starts), FACE_LASER, at=local(at), name="laser visit")
    return wish, c.BookVisit(hold_id=wish.hold_id, at=wish.at)


def biorevitalisation(starts: str, at: str) -> Sequence[Any]:
    """Hold and book a biorevitalisation."""
    wish = hold(local(starts), BIOREVITALISATION, at=local(at))
    return wish, c.BookVisit(hold_id=wish.hold_id, at=wish.at)


def consultation(starts: str, at: str) -> Sequence[Any]:
    """Hold and book a consultation."""
    wish = hold(local(starts), CONSULTATION, at=local(at))
    return wish, c.BookVisit(hold_id=wish.hold_id, at=wish.at)


def check_in(at: str) -> Sequence[Any]:
    """The patient of the laser visit is at the door."""
    return (c.CheckIn(visit_id=LASER_VISIT, at=local(at)),)


def attest(at: str, *, changes: bool) -> Sequence[Any]:
    """Has anything changed since the examination?"""
    return (c.AttestDay(visit_id=LASER_VISIT, changes=changes, attested_by="nurse-1", at=local(at)),)


class Case(NamedTuple):
    """One row: `given` must succeed, `asked` is answered."""

    number: str
    story: str
    given: Sequence[Any]
    asked: Sequence[Any]
    answer: str


BOTOX_1_MARCH = procedure("botulinum_toxin", "2026-03-01", at=local("2026-03-02T09:00"))
BIOREV_1_APRIL = procedure("biorevitalisation", "2026-04-01", at=local("2026-04-02T09:00"))
FILLER_12_MARCH = procedure("filler_ha", "2026-03-12", at=local("2026-03-21T09:00"))

CASES = (
    Case("2", "Botox 03-01 23:30, laser 03-15 08:00: 13 d 8 h 30 min are 14 calendar days",
         [BOTOX_1_MARCH, clearance("2026-03-14")], laser("2026-03-15T08:00", "2026-03-14T10:00"), "firm"),
    Case("2, a day less", "Botox 03-01, laser 03-14",
         [BOTOX_1_MARCH, clearance("2026-03-10")], laser("2026-03-14T08:00", "2026-03-10T10:00"), "refused, earliest 2026-03-15"),
    Case("5, day 13", "biorevitalisation 04-01, laser 04-14",
         [BIOREV_1_APRIL, clearance("2026-04-10")], laser("2026-04-14T10:00", "2026-04-10T10:00"), "refused, earliest 2026-04-15"),
    Case("5, day 14", "biorevitalisation 04-01, laser 04-15",
         [BIOREV_1_APRIL, clearance("2026-04-10")], laser("2026-04-15T10:00", "2026-04-10T10:00"), "firm"),
    Case("6, day 13", "laser done 04-15, biorevitalisation asked for 04-28",
         [clearance("2026-04-10"), *laser("2026-04-15T10:00", "2026-04-10T10:00"),
          treatment("2026-04-15", at=local("2026-04-15T10:30"), visit=LASER_VISIT)],
         biorevitalisation("2026-04-28T10:00", "2026-04-20T10:00"), "refused, earliest 2026-04-29"),
    Case("6, day 14", "laser done 04-15, biorevitalisation asked for 04-29",
         [clearance("2026-04-10"), *laser("2026-04-15T10:00", "2026-04-10T10:00"),
          treatment("2026-04-15", at=local("2026-04-15T10:30"), visit=LASER_VISIT)],
         biorevitalisation("2026-04-29T10:00", "2026-04-20T10:00"), "firm"),
    Case("12, at the door", "cleared, cold sore on arrival: attested, and the booking is frozen at once",
         [clearance("2026-03-01"), *laser("2026-03-10T10:00", "2026-03-01T12:00"), *check_in("2026-03-10T09:50")],
         attest("2026-03-10T09:55", changes=True), "frozen (attestation)"),
    Case("12, screening answers", "deferred, date open: the clearance is suspended, the booking stays frozen",
         [clearance("2026-03-01"), *laser("2026-03-10T10:00", "2026-03-01T12:00"), *check_in("2026-03-10T09:50"),
          *attest("2026-03-10T09:55", changes=True)],
         [changed("suspended", at=local("2026-03-10T09:56")), verdict("DEFERRED", at=local("2026-03-10T09:57"))], "frozen (attestation)"),
    Case("12, another day", "while the date is open, no other day is offered",
         [clearance("2026-03-01"), changed("suspended", at=local("2026-03-10T09:56")), verdict("DEFERRED", at=local("2026-03-10T09:57"))],
         laser("2026-03-20T10:00", "2026-03-11T10:00"), "refused, date open"),
    Case("18", "consultation 10:00, all complete, no findings, device ready 11:30",
         [*consultation("2026-03-10T10:00", "2026-03-09T10:00"), clearance("2026-03-10", at=local("2026-03-10T10:40")),
          *laser("2026-03-10T11:30", "2026-03-10T10:45")],
         [c.ApproveSameDay(visit_id=LASER_VISIT, approved_by="doctor-1", at=local("2026-03-10T10:50"))], "firm, same day approved"),
    Case("20", "cleared 03-20, then filler of 03-12 is reported: the booking of 03-24 is frozen",
         [clearance("2026-03-20"), *laser("2026-03-24T10:00", "2026-03-20T10:00")],
         [FILLER_12_MARCH, changed("suspended", at=local("2026-03-21T09:01"), earliest="2026-03-26")], "frozen (interval)"),
    Case("20, too early", "a laser visit on 03-25 is asked for after that",
         [clearance("2026-03-20"), FILLER_12_MARCH, changed("suspended", at=local("2026-03-21T09:01"), earliest="2026-03-26")],
         laser("2026-03-25T10:00", "2026-03-21T10:00"), "refused, earliest 2026-03-26"),
    Case("20, the date", "a laser visit on 03-26 may wait for a new clearance",
         [clearance("2026-03-20"), FILLER_12_MARCH, changed("suspended", at=local("2026-03-21T09:01"), earliest="2026-03-26")],
         laser("2026-03-26T10:00", "2026-03-21T10:00"), "provisional"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[f"{case.number}: {case.story}" for case in CASES])
def test_worked_case(case: Case) -> None:
    """Scheduling answers the worked cases as the clinic reference does."""
    desk = Desk()
    desk.do(*case.given)
    assert answer(desk, case.asked) == case.answer


def answer(desk: Desk, asked: Sequence[Any]) -> str:
    """The answer to what is asked, in words."""
    try:
        desk.do(*asked)
    except Rejected as refusal:
        earliest = refusal.facts.get("earliest")
        return f"refused, earliest {earliest}" if earliest else "refused, date open"
    visit = list(desk.state.visits.values())[-1]
    match visit.standing:
        case Firm():
            return "firm, same day approved" if visit.same_day_approved else "firm"
        case Provisional():
            return "provisional"
        case Frozen(cause=cause):
            return f"frozen ({cause})"


def test_worked_case_7() -> None:
    """7: between sessions 28 days apart biorevitalisation has exactly one legal day, between sessions 27 days apart none."""
    first = Act(ref=uid("first"), kind="nafl_1550", zones=("face",), on=day("2026-04-01"))
    second = replace(first, ref=uid("second"), on=day("2026-04-29"))
    between = Act(ref=PATIENT, kind="biorevitalisation", zones=("face",), on=day("2026-04-01"))
    sought = (day("2026-04-01"), day("2026-04-29"))
    assert legal_days(RULES, between, (first, second), *sought) == (day("2026-04-15"),)
    assert legal_days(RULES, between, (first, replace(second, on=day("2026-04-28"))), *sought) == ()
