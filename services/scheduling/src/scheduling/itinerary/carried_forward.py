"""A patient's itinerary said whole in one event, where its stream has become long: what was said before is folded no more."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from scheduling.itinerary.events import CancelCause, ClearanceChangeHeard, FreezeCause
from scheduling.itinerary.intervals import Act
from scheduling.itinerary.slot import Slot, Wanted
from scheduling.itinerary.state import Clearance, Firm, Frozen, Hold, Itinerary, Over, Provisional, Standing, Verdict, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedVisit:
    """A visit with its standing in plain fields. `until`: of a provisional visit the time it must be firm by, of a frozen one its release.

    `over`: how it ended; None = it has not. Units: UTC.
    """

    visit_id: UUID
    wanted: Wanted
    slot: Slot
    standing: Literal["firm", "provisional", "frozen"]
    clearance_id: UUID | None
    until: datetime | None
    cause: FreezeCause | None
    rules: tuple[str, ...]
    earliest: date | None
    checked_in: bool
    changes: bool | None
    same_day_approved: bool
    over: CancelCause | Literal["treated"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedProcedure:
    """An outside procedure, and when it was said last, counted."""

    act: Act
    heard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItineraryCarriedForward:
    """Everything that the events before it have led to. The classes it borrows from the state are stored with it: they change by upcast."""

    patient_id: UUID | None
    closed: bool
    holds: tuple[Hold, ...]
    visits: tuple[CarriedVisit, ...]
    procedures: tuple[CarriedProcedure, ...]
    treatments: tuple[Act, ...]
    clearances: tuple[Clearance, ...]
    early: tuple[ClearanceChangeHeard, ...]
    verdicts: tuple[Verdict, ...]
    heard_ids: tuple[UUID, ...]
    said: int


def carried(state: Itinerary) -> ItineraryCarriedForward:
    """The event that says this state."""
    return ItineraryCarriedForward(
        patient_id=state.patient_id,
        closed=state.closed,
        holds=tuple(state.holds.values()),
        visits=(*(_carried(one, None) for one in state.visits.values()), *(_carried(one.visit, one.cause) for one in state.over.values())),
        procedures=tuple(CarriedProcedure(act=act, heard=state.procedures_heard[ref]) for ref, act in state.procedures.items()),
        treatments=tuple(state.treatments.values()),
        clearances=tuple(state.clearances.values()),
        early=tuple(state.early.values()),
        verdicts=state.verdicts,
        heard_ids=tuple(sorted(state.heard_ids)),
        said=state.said,
    )


def itinerary_of(event: ItineraryCarriedForward) -> Itinerary:
    """The state that this event says."""
    return Itinerary(
        patient_id=event.patient_id,
        closed=event.closed,
        holds={one.hold_id: one for one in event.holds},
        visits={one.visit_id: _visit(one) for one in event.visits if one.over is None},
        over={one.visit_id: Over(visit=_visit(one), cause=one.over) for one in event.visits if one.over is not None},
        procedures={one.act.ref: one.act for one in event.procedures},
        procedures_heard={one.act.ref: one.heard for one in event.procedures},
        treatments={one.ref: one for one in event.treatments},
        clearances={one.clearance_id: one for one in event.clearances},
        early={one.clearance_id: one for one in event.early},
        verdicts=event.verdicts,
        heard_ids=frozenset(event.heard_ids),
        said=event.said,
    )


def _carried(visit: Visit, over: CancelCause | Literal["treated"] | None) -> CarriedVisit:
    standing = visit.standing
    frozen = standing if isinstance(standing, Frozen) else None
    return CarriedVisit(
        visit_id=visit.visit_id, wanted=visit.wanted, slot=visit.slot,
        standing="frozen" if frozen else "firm" if isinstance(standing, Firm) else "provisional",
        clearance_id=None if isinstance(standing, Provisional) else standing.clearance_id,
        until=standing.firm_by if isinstance(standing, Provisional) else frozen.until if frozen else None,
        cause=frozen.cause if frozen else None, rules=frozen.rules if frozen else (), earliest=frozen.earliest if frozen else None,
        checked_in=visit.checked_in, changes=visit.changes, same_day_approved=visit.same_day_approved, over=over,
    )  # fmt: skip


def _visit(one: CarriedVisit) -> Visit:
    return Visit(
        visit_id=one.visit_id, wanted=one.wanted, slot=one.slot, standing=_standing(one),
        checked_in=one.checked_in, changes=one.changes, same_day_approved=one.same_day_approved,
    )  # fmt: skip


def _standing(one: CarriedVisit) -> Standing:
    if one.standing == "firm":
        return Firm(clearance_id=one.clearance_id)
    assert one.until is not None, "a visit that is not firm has a clock"
    if one.standing == "provisional":
        return Provisional(firm_by=one.until)
    assert one.cause is not None, "a frozen visit has a cause"
    return Frozen(cause=one.cause, until=one.until, clearance_id=one.clearance_id, rules=one.rules, earliest=one.earliest)
