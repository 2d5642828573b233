"""A patient's itinerary as far as its decisions need it: holds, visits with their standing, acts, and what screening said."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal, TypeVar, assert_never
from uuid import UUID

from scheduling.itinerary import events as e
from scheduling.itinerary.intervals import Act
from scheduling.itinerary.slot import Slot, Wanted

T = TypeVar("T")
ClearanceStatus = Literal["valid", "suspended", "revoked", "expired"]
ENDED = ("revoked", "expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A slot kept until `expires_at`. Units: UTC."""

    hold_id: UUID
    wanted: Wanted
    slot: Slot
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm:
    """May take place: under this clearance, or (None) without needing one."""

    clearance_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisional:
    """Waits for a clearance that reaches its day, at most until `firm_by`. Units: UTC."""

    firm_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """May not take place; the slot is kept until `until`. `clearance_id`: the one it rested on. Units: UTC."""

    cause: e.FreezeCause
    until: datetime
    clearance_id: UUID | None
    rules: tuple[str, ...]
    earliest: date | None


Standing = Firm | Provisional | Frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A visit that has not been cancelled or treated. `changes`: what the day's attestation said, None = not asked yet."""

    visit_id: UUID
    wanted: Wanted
    slot: Slot
    standing: Standing
    checked_in: bool = False
    changes: bool | None = None
    same_day_approved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A visit that is over: cancelled for a cause, or treated."""

    visit: Visit
    cause: e.CancelCause | Literal["treated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """A grant and how it stands now. `heard`: when it was said, counted. Units: local dates, inclusive."""

    clearance_id: UUID
    modality: str
    zones: tuple[str, ...]
    examined_on: date
    granted_on: date
    valid_from: date
    valid_until: date
    status: ClearanceStatus
    earliest: date | None
    heard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A decision not to clear, and when it was said, counted."""

    outcome: e.NotClearedOutcome
    modality: str
    zones: tuple[str, ...]
    until: date | None
    heard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Itinerary:
    """Everything of one patient. `early` keeps changes of clearances whose grant has not been heard yet; `said` counts statements.

    `procedures_heard`: when each outside procedure was said last, counted.
    """

    patient_id: UUID | None = None
    closed: bool = False
    holds: Mapping[UUID, Hold] = field(default_factory=dict)
    visits: Mapping[UUID, Visit] = field(default_factory=dict)
    over: Mapping[UUID, Over] = field(default_factory=dict)
    procedures: Mapping[UUID, Act] = field(default_factory=dict)
    procedures_heard: Mapping[UUID, int] = field(default_factory=dict)
    treatments: Mapping[UUID, Act] = field(default_factory=dict)
    clearances: Mapping[UUID, Clearance] = field(default_factory=dict)
    early: Mapping[UUID, e.ClearanceChangeHeard] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    heard_ids: frozenset[UUID] = frozenset()
    said: int = 0

    def acts(self, without: UUID | None = None) -> tuple[Act, ...]:
        """Everything done or booked that an interval rule may look at, except the visit `without`."""
        booked = [
            Act(ref=visit.visit_id, kind=act, zones=visit.wanted.zones, on=visit.slot.on)
            for visit in self.visits.values()
            if (act := visit.wanted.act) is not None and visit.visit_id != without
        ]
        return (*self.procedures.values(), *self.treatments.values(), *booked)


INITIAL = Itinerary()


def evolve(state: Itinerary, event: e.ItineraryEvent) -> Itinerary:
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
