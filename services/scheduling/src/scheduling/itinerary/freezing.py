"""After a fact has been heard: every visit to come is judged again, and made firm, frozen, thawed or given up."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import assert_never

from scheduling.itinerary.booking import cancelled
from scheduling.itinerary.events import CancelCause, FreezeCause, ItineraryEvent, VisitFrozen, VisitMadeFirm, VisitMadeProvisional
from scheduling.itinerary.standing import Judgement, Possible, Refused, firm_deadline, freeze_deadline, judge, today_at
from scheduling.itinerary.state import Clearance, Firm, Frozen, Itinerary, Provisional, Visit
from scheduling.rules import Rules


def reassessed(rules: Rules, state: Itinerary, at: datetime) -> Iterator[ItineraryEvent]:
    """What follows for the visits to come, in the order of their start; nothing follows where nothing changes."""
    for visit in sorted(state.visits.values(), key=lambda visit: (visit.slot.starts_at, visit.visit_id)):
        if visit.slot.ends_at > at:
            judgement = judge(rules, state, visit.wanted, visit.slot.on, today_at(visit.slot, at), visit.visit_id)
            change = _change(rules, state, visit, judgement, at)
            if change is not None:
                yield change


def frozen(
    rules: Rules, visit: Visit, cause: FreezeCause, at: datetime, broken: tuple[str, ...] = (), earliest: date | None = None
) -> VisitFrozen:
    """The visit keeps its slot for a while and may not take place meanwhile."""
    until = freeze_deadline(rules, visit.slot, at)
    return VisitFrozen(visit_id=visit.visit_id, clinic_id=visit.slot.clinic_id, cause=cause, until=until, rules=broken, earliest=earliest)


def _change(rules: Rules, state: Itinerary, visit: Visit, judgement: Judgement, at: datetime) -> ItineraryEvent | None:
    resting = _resting(state, visit)
    if judgement.conflicts:
        return _after_conflict(rules, state, visit, judgement, resting, at)
    match judgement.clearance:
        case Firm(clearance_id=clearance_id):
            still = isinstance(visit.standing, Firm) and (resting is None or resting.status == "valid")
            return None if still else VisitMadeFirm(visit_id=visit.visit_id, clinic_id=visit.slot.clinic_id, clearance_id=clearance_id)
        case Possible():
            return _ended(state, visit, resting) or _waits(rules, visit, resting, at)
        case Refused():
            return _ended(state, visit, resting) or _against(rules, visit, judgement.clearance, resting, at)
        case _:
            assert_never(judgement.clearance)


def _after_conflict(
    rules: Rules, state: Itinerary, visit: Visit, judgement: Judgement, resting: Clearance | None, at: datetime
) -> ItineraryEvent | None:
    if (ended := _ended(state, visit, resting)) is not None:
        return ended
    if isinstance(visit.standing, Frozen):
        return None
    broken = tuple(f"{conflict.rule.id} v{conflict.rule.version}" for conflict in judgement.conflicts)
    return frozen(rules, visit, "interval", at, broken, judgement.legal_on)


def _ended(state: Itinerary, visit: Visit, resting: Clearance | None) -> ItineraryEvent | None:
    """A visit whose clearance was revoked or has expired, with no other to rest on, gives its slot back."""
    if resting is None or state.patient_id is None or resting.status not in ("revoked", "expired"):
        return None
    cause: CancelCause = "clearance-revoked" if resting.status == "revoked" else "clearance-expired"
    return cancelled(state.patient_id, visit, cause)


def _waits(rules: Rules, visit: Visit, resting: Clearance | None, at: datetime) -> ItineraryEvent | None:
    """No clearance reaches the day, but one is possible: only a doctor's word ends a freeze that stands on a suspension."""
    match visit.standing:
        case Provisional():
            return None
        case Firm():
            return frozen(rules, visit, _cause(resting), at)
        case Frozen():
            firm_by = firm_deadline(rules, visit.slot)
            suspended = resting is not None and resting.status == "suspended"
            if suspended or firm_by <= at:
                return None
            return VisitMadeProvisional(visit_id=visit.visit_id, clinic_id=visit.slot.clinic_id, firm_by=firm_by)
        case _:
            assert_never(visit.standing)


def _against(rules: Rules, visit: Visit, refused: Refused, resting: Clearance | None, at: datetime) -> ItineraryEvent | None:
    """Something speaks against the day. Facts that only grew old leave a provisional visit as it is."""
    if isinstance(visit.standing, Frozen) or (isinstance(visit.standing, Provisional) and refused.stale):
        return None
    suspended = "CLEARANCE_SUSPENDED" in refused.reasons
    return frozen(rules, visit, "clearance-suspended" if suspended else _cause(resting), at, (), refused.earliest)


def _cause(resting: Clearance | None) -> FreezeCause:
    return "clearance-suspended" if resting is not None and resting.status == "suspended" else "not-cleared"


def _resting(state: Itinerary, visit: Visit) -> Clearance | None:
    if isinstance(visit.standing, Provisional) or visit.standing.clearance_id is None:
        return None
    return state.clearances.get(visit.standing.clearance_id)
