"""Hold, book, move, cancel: what a front desk asks of an itinerary."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from erbium_kernel.errors import NotFound
from scheduling.hours import LocalTime, instant_of
from scheduling.itinerary import refusals
from scheduling.itinerary.commands import (
    Asked,
    BookingCommand,
    BookVisit,
    CancelVisit,
    GiveBackHold,
    HoldSlot,
    MoveVisit,
    Place,
)
from scheduling.itinerary.events import CancelCause, HoldEnded, ItineraryEvent, SlotHeld, VisitBooked, VisitCancelled, VisitMoved
from scheduling.itinerary.legality import fits, legal_slot
from scheduling.itinerary.slot import Slot
from scheduling.itinerary.standing import admitted, judge, today_at
from scheduling.itinerary.state import Firm, Itinerary, Provisional, Visit
from scheduling.rules import Rules


def decide_booking(rules: Rules, patient_id: UUID, command: BookingCommand, state: Itinerary) -> Sequence[ItineraryEvent]:
    """What follows from a front desk's wish, or its refusal."""
    match command:
        case HoldSlot():
            return _hold(rules, command, state)
        case GiveBackHold():
            return _give_back(patient_id, command, state)
        case BookVisit():
            return _book(rules, patient_id, command, state)
        case MoveVisit():
            return _move(rules, patient_id, command, state)
        case CancelVisit():
            return _cancel(patient_id, command, state)
        case _:
            assert_never(command)


def the_visit(state: Itinerary, visit_id: UUID) -> Visit:
    """The visit, if it is not over. Raises: NotFound, VisitOver."""
    if visit_id in state.over:
        raise refusals.VisitOver(cause=state.over[visit_id].cause)
    if visit_id not in state.visits:
        raise NotFound("There is no such visit of this patient.")
    return state.visits[visit_id]


def cancelled(patient_id: UUID, visit: Visit, cause: CancelCause) -> VisitCancelled:
    """The visit gives its slot back."""
    return VisitCancelled(visit_id=visit.visit_id, patient_id=patient_id, slot=visit.slot, cause=cause)


def _hold(rules: Rules, command: HoldSlot, state: Itinerary) -> Sequence[ItineraryEvent]:
    known = state.holds.get(command.hold_id) or state.visits.get(command.hold_id)
    if known is not None and known.wanted == command.wanted and _is_there(known.slot, command.asked, command.place):
        return []
    if known is not None or command.hold_id in state.over:
        raise refusals.HoldExists
    slot = legal_slot(rules, command.patient_id, command.wanted, command.asked, command.place, command.at)
    if sum(hold.expires_at > command.at for hold in state.holds.values()) >= rules.clocks.holds_open_max:
        raise refusals.TooManyHolds(holds_open_max=rules.clocks.holds_open_max)
    judgement = judge(rules, state, command.wanted, slot.on, today_at(slot, command.at), command.hold_id)
    admitted(rules, judgement, slot, command.at)
    expires_at = command.at + timedelta(minutes=rules.clocks.hold_minutes)
    return [SlotHeld(hold_id=command.hold_id, patient_id=command.patient_id, wanted=command.wanted, slot=slot, expires_at=expires_at)]


def _is_there(slot: Slot, asked: Asked, place: Place) -> bool:
    """The slot is what is asked for, whatever has become of the place meanwhile."""
    starts_at = instant_of(asked.starts, slot.time_zone) if isinstance(asked.starts, LocalTime) else asked.starts
    there = (slot.clinic_id, slot.practitioner_id, slot.room_id, slot.device_id, slot.starts_at)
    return there == (place.clinic_id, asked.practitioner_id, asked.room_id, asked.device_id, starts_at)


def _give_back(patient_id: UUID, command: GiveBackHold, state: Itinerary) -> Sequence[ItineraryEvent]:
    hold = state.holds.get(command.hold_id)
    if hold is not None:
        return [HoldEnded(hold_id=hold.hold_id, patient_id=patient_id, slot=hold.slot, cause="given-back")]
    if command.hold_id in state.visits:
        raise refusals.HoldGone
    return []


def _book(rules: Rules, patient_id: UUID, command: BookVisit, state: Itinerary) -> Sequence[ItineraryEvent]:
    if command.hold_id in state.visits:
        return []
    hold = state.holds.get(command.hold_id)
    if hold is None or command.place is None or hold.expires_at <= command.at:
        raise refusals.HoldGone
    fits(hold.wanted, hold.slot, command.place)
    judgement = judge(rules, state, hold.wanted, hold.slot.on, today_at(hold.slot, command.at), hold.hold_id)
    standing = admitted(rules, judgement, hold.slot, command.at)
    clearance_id, firm_by = _parts(standing)
    return [
        VisitBooked(
            visit_id=hold.hold_id,
            patient_id=patient_id,
            wanted=hold.wanted,
            slot=hold.slot,
            clearance_id=clearance_id,
            firm_by=firm_by,
        )
    ]


def _move(rules: Rules, patient_id: UUID, command: MoveVisit, state: Itinerary) -> Sequence[ItineraryEvent]:
    visit = the_visit(state, command.visit_id)
    if visit.checked_in:
        raise refusals.AlreadyArrived
    if _is_there(visit.slot, command.asked, command.place):
        return []
    slot = legal_slot(rules, patient_id, visit.wanted, command.asked, command.place, command.at)
    judgement = judge(rules, state, visit.wanted, slot.on, today_at(slot, command.at), visit.visit_id)
    standing = admitted(rules, judgement, slot, command.at)
    clearance_id, firm_by = _parts(standing)
    return [
        VisitMoved(
            visit_id=visit.visit_id,
            patient_id=patient_id,
            wanted=visit.wanted,
            was=visit.slot,
            slot=slot,
            clearance_id=clearance_id,
            firm_by=firm_by,
        )
    ]


def _parts(standing: Firm | Provisional) -> tuple[UUID | None, datetime | None]:
    return (standing.clearance_id, None) if isinstance(standing, Firm) else (None, standing.firm_by)


def _cancel(patient_id: UUID, command: CancelVisit, state: Itinerary) -> Sequence[ItineraryEvent]:
    over = state.over.get(command.visit_id)
    if over is not None and over.cause != "treated":
        return []
    return [cancelled(patient_id, the_visit(state, command.visit_id), command.cause)]
