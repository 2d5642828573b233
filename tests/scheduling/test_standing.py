"""Firm, provisional or refused: what screening said decides about a laser visit; nothing else needs a clearance."""

from typing import Any

import pytest

from erbium_kernel.errors import Rejected
from scheduling.deciders import RULES
from scheduling.itinerary import commands as c
from scheduling.itinerary import events as e
from scheduling.itinerary import refusals
from scheduling.itinerary.slot import Wanted
from scheduling.itinerary.state import Firm, Provisional
from tests.scheduling.scenes import FACE_LASER, Desk, book, changed, clearance, hold, local, uid, verdict

NOW = local("2026-03-02T09:00")
LATER = local("2026-03-02T09:05")


def standing(desk: Desk, on: str, wanted: Wanted = FACE_LASER, *, at: Any = NOW) -> str:
    """The answer to a booking on that day, in words."""
    wish = hold(local(f"{on}T10:00"), wanted, at=at)
    try:
        desk.do(wish, book(wish, at))
    except Rejected as refusal:
        reasons = refusal.facts.get("reasons")
        words = "+".join(reasons) if isinstance(reasons, list) else refusal.slug
        return f"{words} until {refusal.facts.get('earliest', '-')}"
    kind = desk.visit(wish.hold_id).standing
    return "firm" if isinstance(kind, Firm) else "provisional" if isinstance(kind, Provisional) else "frozen"


EYELID, NECK = (Wanted(kind="laser", modality="nafl_1550", zones=(zone,)) for zone in ("eyelid", "neck"))
THULIUM = Wanted(kind="laser", modality="nafl_1927", zones=("face",))


@pytest.mark.parametrize(
    ("said", "on", "wanted", "answer"),
    [
        ([], "2026-03-10", FACE_LASER, "NO_CLEARANCE until None"),
        ([clearance("2026-03-02")], "2026-03-10", FACE_LASER, "firm"),
        ([clearance("2026-03-02")], "2026-04-01", FACE_LASER, "firm"),  # day 30 counts
        ([clearance("2026-03-02")], "2026-04-02", FACE_LASER, "provisional"),  # day 31: not without a newer one
        ([clearance("2026-03-02", until="2026-06-01")], "2026-04-02", FACE_LASER, "provisional"),  # valid longer, but too old by then
        ([clearance("2026-03-02")], "2026-03-10", EYELID, "firm"),  # face covers the eyelid
        ([clearance("2026-03-02", zones=("eyelid",))], "2026-03-10", FACE_LASER, "NO_CLEARANCE until None"),
        ([clearance("2026-03-02")], "2026-03-10", NECK, "NO_CLEARANCE until None"),
        ([clearance("2026-03-02")], "2026-03-10", THULIUM, "NO_CLEARANCE until None"),
        ([clearance("2026-03-12", at=NOW)], "2026-03-10", FACE_LASER, "CLEARANCE_NOT_YET_VALID until 2026-03-12"),
        ([clearance("2026-03-02"), changed("suspended", at=NOW)], "2026-03-10", FACE_LASER, "CLEARANCE_SUSPENDED until None"),
        ([clearance("2026-03-02"), changed("suspended", at=NOW, earliest="2026-03-12")], "2026-03-12", FACE_LASER, "provisional"),
        ([clearance("2026-03-02"), changed("suspended", at=NOW), changed("reinstated", at=LATER)], "2026-03-10", FACE_LASER, "firm"),
        ([clearance("2026-03-02"), changed("revoked", at=NOW)], "2026-03-10", FACE_LASER, "CLEARANCE_REVOKED until None"),
        ([clearance("2026-03-02"), changed("expired", at=NOW)], "2026-05-10", FACE_LASER, "CLEARANCE_EXPIRED until None"),
        ([verdict("DEFERRED", until="2026-03-12", at=NOW)], "2026-03-11", FACE_LASER, "DEFERRED until 2026-03-12"),
        ([verdict("DEFERRED", until="2026-03-12", at=NOW)], "2026-03-12", FACE_LASER, "provisional"),
        ([verdict("DEFERRED", at=NOW)], "2026-05-12", FACE_LASER, "DEFERRED until None"),
        ([verdict("CONDITIONAL", at=NOW)], "2026-03-12", FACE_LASER, "provisional"),
        ([verdict("CONDITIONAL", until="2026-06-01", at=NOW)], "2026-05-31", FACE_LASER, "CONDITIONAL until 2026-06-01"),
        ([verdict("NEEDS_PHYSICIAN", at=NOW)], "2026-03-12", FACE_LASER, "provisional"),
        ([verdict("INELIGIBLE", at=NOW)], "2026-03-12", FACE_LASER, "INELIGIBLE until None"),
        ([verdict("INCOMPLETE", at=NOW)], "2026-03-12", FACE_LASER, "INCOMPLETE until None"),
        ([clearance("2026-03-02"), verdict("INCOMPLETE", at=NOW)], "2026-03-12", FACE_LASER, "firm"),  # asking again is no finding
        ([clearance("2026-03-02"), verdict("DEFERRED", until="2026-03-20", zones=("eyelid",), at=NOW)], "2026-03-12", FACE_LASER,
         "firm"),  # a clearance that stands is not undercut: what contradicts it would have suspended it
        ([clearance("2026-03-02", until="2026-03-11"), verdict("DEFERRED", until="2026-03-20", zones=("eyelid",), at=NOW)], "2026-03-12",
         FACE_LASER, "DEFERRED until 2026-03-20"),  # where it does not reach, a newer deferral inside the field speaks
        ([verdict("DEFERRED", until="2026-03-20", zones=("eyelid",), at=NOW), clearance("2026-03-02")], "2026-03-12", FACE_LASER, "firm"),
    ],
)  # fmt: skip
def test_standing_of_a_laser_visit(said: list[Any], on: str, wanted: Wanted, answer: str) -> None:
    """The newest word of screening about each zone decides; only a clearance that reaches the day makes it firm."""
    desk = Desk()
    desk.do(*said)
    assert standing(desk, on, wanted) == answer


@pytest.mark.parametrize("kind", [kind for kind in RULES.visits if kind != "laser"])
def test_other_visits_need_no_clearance(kind: Any) -> None:
    """A consultation, a follow-up or another procedure is firm even for a patient who may not be treated with a laser."""
    desk = Desk()
    desk.do(verdict("INELIGIBLE", at=NOW))
    assert standing(desk, "2026-03-10", Wanted(kind=kind)) == "firm"


def test_an_expired_clearance_makes_nothing_possible() -> None:
    """On the day of the booking the facts are too old: the patient must be examined again, whatever day is asked for."""
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    assert standing(desk, "2026-05-10", at=local("2026-04-03T10:00")) == "CLEARANCE_EXPIRED until None"


def test_ineligible_beats_a_date() -> None:
    """Absolute beats deferred: with both an open refusal and an interval no date is offered, and both reasons are listed."""
    desk = Desk()
    gel = Wanted(kind="botulinum_toxin", zones=("face",))
    desk.book(local("2026-03-05T10:00"), gel, at=NOW)
    desk.do(verdict("INELIGIBLE", at=NOW))
    assert standing(desk, "2026-03-10") == "INELIGIBLE+BOTULINUM_TOXIN_TO_NAFL_1550 v1 until None"


def test_a_suspension_wins_in_any_order() -> None:
    """A suspension heard before the grant that it ends still ends it."""
    desk = Desk()
    desk.do(changed("suspended", at=NOW), clearance("2026-03-02"))
    assert standing(desk, "2026-03-10") == "CLEARANCE_SUSPENDED until None"


def test_two_clearances_do_not_add_up() -> None:
    """A visit to face and neck under two clearances is provisional: a treatment is bound to one."""
    desk = Desk()
    desk.do(clearance("2026-03-02", name="face"), clearance("2026-03-02", name="neck", zones=("neck",)))
    both = Wanted(kind="laser", modality="nafl_1550", zones=("face", "neck"))
    assert standing(desk, "2026-03-10", both) == "provisional"


def test_a_provisional_visit_becomes_firm_by_a_clearance() -> None:
    """The clearance that reaches its day makes it firm and stops its clock."""
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    visit = desk.book(local("2026-04-10T10:00"), FACE_LASER, at=NOW)
    events = desk.do(clearance("2026-03-30", name="second"))
    assert [type(event) for event in events] == [e.ClearanceHeard, e.VisitMadeFirm]
    assert desk.visit(visit).standing == Firm(clearance_id=uid("second"))


def test_a_provisional_visit_is_released_48_hours_before() -> None:
    """Its timer cancels it then, not earlier, and never once it is firm."""
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    visit = desk.book(local("2026-04-10T10:00"), FACE_LASER, at=NOW)
    deadline = local("2026-04-08T10:00")
    assert desk.do(c.ReleaseProvisional(visit_id=visit, at=local("2026-04-08T09:59"))) == []
    firm = Desk(events=[*desk.events])
    firm.do(clearance("2026-03-30", name="second"))
    assert firm.do(c.ReleaseProvisional(visit_id=visit, at=deadline)) == []
    [released] = desk.do(c.ReleaseProvisional(visit_id=visit, at=deadline))
    assert isinstance(released, e.VisitCancelled)
    assert released.cause == "not-firm-in-time"


def test_a_provisional_visit_cannot_be_booked_for_tomorrow() -> None:
    """There would be no 48 hours of notice."""
    desk = Desk()
    desk.do(verdict("NEEDS_PHYSICIAN", at=NOW))
    with pytest.raises(refusals.TooLateForProvisional):
        desk.book(local("2026-03-03T10:00"), FACE_LASER, at=NOW)


def test_expiry_leaves_the_later_sessions_of_a_series_alone() -> None:
    """When the first session's clearance expires, the provisional second session keeps waiting for its own."""
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    visit = desk.book(local("2026-04-10T10:00"), FACE_LASER, at=NOW)
    desk.do(changed("expired", at=local("2026-04-02T00:00")))
    assert isinstance(desk.visit(visit).standing, Provisional)
