"""What each event makes of a patient's itinerary."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Literal, TypeVar, assert_never
from uuid import UUID

from scheduling.itinerary import events as e
from scheduling.itinerary.carried_forward import ItineraryCarriedForward, itinerary_of
from scheduling.itinerary.intervals import Act
from scheduling.itinerary.state import (
    ENDED,
    Clearance,
    ClearanceStatus,
    Firm,
    Frozen,
    Hold,
    Itinerary,
    Over,
    Provisional,
    Standing,
    Verdict,
    Visit,
)

T = TypeVar("T")


def evolve(state: Itinerary, event: e.ItineraryEvent | ItineraryCarriedForward) -> Itinerary:
    """The itinerary after this event."""
    match event:
        case e.ItineraryOpened():
            return replace(state, patient_id=event.patient_id)
        case e.ItineraryClosed():
            return replace(state, patient_id=event.patient_id, closed=True)
        case e.SlotHeld():
            hold = Hold(hold_id=event.hold_id, wanted=event.wanted, slot=event.slot, expires_at=event.expires_at)
            return replace(state, holds={**state.holds, hold.hold_id: hold})
        case e.HoldEnded():
            return replace(state, holds=_without(state.holds, event.hold_id))
        case e.VisitBooked():
            visit = Visit(visit_id=event.visit_id, wanted=event.wanted, slot=event.slot, standing=_standing(event))
            return replace(state, holds=_without(state.holds, event.visit_id), visits={**state.visits, visit.visit_id: visit})
        case e.VisitMoved():
            return _changed(state, event.visit_id, slot=event.slot, standing=_standing(event), same_day_approved=False)
        case e.VisitCancelled():
            return _over(state, event.visit_id, event.cause)
        case e.VisitMadeFirm():
            return _changed(state, event.visit_id, standing=Firm(clearance_id=event.clearance_id), changes=None)
        case e.VisitMadeProvisional():
            return _changed(state, event.visit_id, standing=Provisional(firm_by=event.firm_by))
        case e.VisitFrozen():
            return _frozen(state, event)
        case e.VisitCheckedIn():
            return _changed(state, event.visit_id, checked_in=True)
        case e.DayAttested():
            return _attested(state, event)
        case e.SameDayApproved():
            return _changed(state, event.visit_id, same_day_approved=True)
        case ItineraryCarriedForward():
            return itinerary_of(event)
        case e.ClearanceHeard() | e.ClearanceChangeHeard() | e.VerdictHeard() | e.ProcedureHeard() | e.TreatmentHeard():
            return _heard(replace(state, heard_ids=state.heard_ids | {event.heard_id}, said=state.said + 1), event)
        case _:
            assert_never(event)


def _heard(state: Itinerary, event: e.HeardEvent) -> Itinerary:
    match event:
        case e.ClearanceHeard():
            return _granted(state, event)
        case e.ClearanceChangeHeard():
            return _clearance_changed(state, event)
        case e.VerdictHeard():
            verdict = Verdict(outcome=event.outcome, modality=event.modality, zones=event.zones, until=event.until, heard=state.said)
            return replace(state, verdicts=(*state.verdicts, verdict))
        case e.ProcedureHeard():
            act = Act(ref=event.procedure_id, kind=event.kind, zones=event.zones, on=event.on)
            heard = {**state.procedures_heard, act.ref: state.said}
            return replace(state, procedures={**state.procedures, act.ref: act}, procedures_heard=heard)
        case e.TreatmentHeard():
            act = Act(ref=event.treatment_id, kind=event.modality, zones=event.zones, on=event.on)
            return _over(replace(state, treatments={**state.treatments, act.ref: act}), event.visit_id, "treated")
        case _:
            assert_never(event)


def _granted(state: Itinerary, event: e.ClearanceHeard) -> Itinerary:
    change = state.early.get(event.clearance_id)
    clearance = Clearance(
        clearance_id=event.clearance_id,
        modality=event.modality,
        zones=event.zones,
        examined_on=event.examined_on,
        granted_on=event.granted_on,
        valid_from=event.valid_from,
        valid_until=event.valid_until,
        status=_status(change.change) if change else "valid",
        earliest=change.earliest if change else None,
        heard=state.said,
    )
    return replace(state, clearances={**state.clearances, clearance.clearance_id: clearance})


def _clearance_changed(state: Itinerary, event: e.ClearanceChangeHeard) -> Itinerary:
    """The end of a clearance is final, whatever is heard of it later."""
    known = state.clearances.get(event.clearance_id)
    if known is None:
        before = state.early.get(event.clearance_id)
        final = before is not None and _status(before.change) in ENDED
        return state if final else replace(state, early={**state.early, event.clearance_id: event})
    return state if known.status in ENDED else _with_clearance(state, known, _status(event.change), event.earliest)


def _all_suspended(state: Itinerary) -> Itinerary:
    """Every clearance that stands counts as suspended."""
    said = state.said + 1
    held = {
        key: replace(one, status="suspended", earliest=None, heard=said) if one.status == "valid" else one
        for key, one in state.clearances.items()
    }
    return replace(state, clearances=held, said=said)


def _with_clearance(state: Itinerary, known: Clearance, status: ClearanceStatus, earliest: date | None) -> Itinerary:
    """A suspension or its end is a new word about the skin; the end of a clearance is none, it leaves what was said before it."""
    heard = state.said if status in ("valid", "suspended") else known.heard
    changed = replace(known, status=status, earliest=earliest, heard=heard)
    return replace(state, clearances={**state.clearances, known.clearance_id: changed})


def _status(change: e.ClearanceChange) -> ClearanceStatus:
    return "valid" if change == "reinstated" else change


def _attested(state: Itinerary, event: e.DayAttested) -> Itinerary:
    """A change named at the door suspends every clearance here at once; screening does the same and says when one stands again."""
    if event.changes:
        state = _all_suspended(state)
    return _changed(state, event.visit_id, changes=event.changes)


def _frozen(state: Itinerary, event: e.VisitFrozen) -> Itinerary:
    visit = state.visits[event.visit_id]
    rested_on = None if isinstance(visit.standing, Provisional) else visit.standing.clearance_id
    standing = Frozen(cause=event.cause, until=event.until, clearance_id=rested_on, rules=event.rules, earliest=event.earliest)
    return _changed(state, event.visit_id, standing=standing)


def _standing(event: e.VisitBooked | e.VisitMoved) -> Standing:
    return Firm(clearance_id=event.clearance_id) if event.firm_by is None else Provisional(firm_by=event.firm_by)


def _changed(state: Itinerary, visit_id: UUID, **values: object) -> Itinerary:
    visit = replace(state.visits[visit_id], **values)  # type: ignore[arg-type]  # names are those of Visit
    return replace(state, visits={**state.visits, visit_id: visit})


def _over(state: Itinerary, visit_id: UUID, cause: e.CancelCause | Literal["treated"]) -> Itinerary:
    visit = state.visits.get(visit_id)
    if visit is None:
        return state
    over = Over(visit=visit, cause=cause)
    return replace(state, visits=_without(state.visits, visit_id), over={**state.over, visit_id: over})


def _without(items: Mapping[UUID, T], key: UUID) -> Mapping[UUID, T]:
    return {other: item for other, item in items.items() if other != key}
