"""The itinerary's one decision, and what it claims, releases and sets its clocks for."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import assert_never
from uuid import UUID

from erbium_kernel.decider import CancelTimer, Carry, Claim, Decider, Guard, Release, SetTimer, TimerChange
from erbium_kernel.errors import NotFound, PersonErased
from erbium_kernel.event import EventTable, Stored
from scheduling.itinerary import commands as c
from scheduling.itinerary import events as e
from scheduling.itinerary.arriving import decide_day
from scheduling.itinerary.booking import cancelled, decide_booking
from scheduling.itinerary.carried_forward import ItineraryCarriedForward, carried
from scheduling.itinerary.evolve import evolve
from scheduling.itinerary.hearing import decide_heard
from scheduling.itinerary.refusals import SlotTaken
from scheduling.itinerary.slot import Slot
from scheduling.itinerary.state import INITIAL, Frozen, Itinerary, Provisional
from scheduling.rules import Rules

HOLD_EXPIRES = "hold-expires"
FIRM_BY = "visit-firm-by"
FREEZE_ENDS = "visit-freeze-ends"

StoredEvent = e.ItineraryEvent | ItineraryCarriedForward
EVENTS = EventTable({**e.EVENTS, "itinerary-carried-forward": Stored(record=ItineraryCarriedForward)})


def decide(rules: Rules, command: c.ItineraryCommand, state: Itinerary) -> Sequence[e.ItineraryEvent]:
    """What follows from a command under these rules. Raises: what `refusals` names, NotFound, PersonErased."""
    match command:
        case c.OpenItinerary():
            return [] if state.patient_id is not None else [e.ItineraryOpened(patient_id=command.patient_id)]
        case c.CloseItinerary():
            return _close(command, state)
        case c.HearClearance() | c.HearClearanceChange() | c.HearVerdict() | c.HearProcedure() | c.HearTreatment():
            return decide_heard(rules, command, state)
        case c.ExpireHold() | c.ReleaseProvisional() | c.EndFreeze():
            return _time_is_up(command, state)
        case c.HoldSlot() | c.GiveBackHold() | c.BookVisit() | c.MoveVisit() | c.CancelVisit():
            return decide_booking(rules, _patient(state), command, state)
        case c.CheckIn() | c.AttestDay() | c.ApproveSameDay():
            return decide_day(rules, _patient(state), command, state)
        case _:
            assert_never(command)


def _patient(state: Itinerary) -> UUID:
    if state.patient_id is None:
        raise NotFound("There is no such patient in this chain.")
    if state.closed:
        raise PersonErased
    return state.patient_id


def _close(command: c.CloseItinerary, state: Itinerary) -> Sequence[e.ItineraryEvent]:
    if state.closed:
        return []
    holds = [
        e.HoldEnded(hold_id=hold.hold_id, patient_id=command.patient_id, slot=hold.slot, cause="patient-erased")
        for hold in state.holds.values()
    ]
    visits = [cancelled(command.patient_id, visit, "patient-erased") for visit in state.visits.values()]
    return [*holds, *visits, e.ItineraryClosed(patient_id=command.patient_id)]


def _time_is_up(command: c.TimerCommand, state: Itinerary) -> Sequence[e.ItineraryEvent]:
    """A clock that comes late, twice or too early changes nothing that has moved on meanwhile."""
    if state.patient_id is None:
        return []
    match command:
        case c.ExpireHold():
            hold = state.holds.get(command.hold_id)
            if hold is None or hold.expires_at > command.at:
                return []
            return [e.HoldEnded(hold_id=hold.hold_id, patient_id=state.patient_id, slot=hold.slot, cause="expired")]
        case c.ReleaseProvisional():
            visit = state.visits.get(command.visit_id)
            if visit is None or not isinstance(visit.standing, Provisional) or visit.standing.firm_by > command.at:
                return []
            return [cancelled(state.patient_id, visit, "not-firm-in-time")]
        case c.EndFreeze():
            visit = state.visits.get(command.visit_id)
            if visit is None or not isinstance(visit.standing, Frozen) or visit.standing.until > command.at:
                return []
            return [cancelled(state.patient_id, visit, "frozen-too-long")]
        case _:
            assert_never(command)


def guards(event: StoredEvent) -> Sequence[Guard]:
    """A hold claims everything its slot occupies, the patient too; the booking keeps these claims under the same id."""
    match event:
        case e.SlotHeld():
            return _claims(event.slot, event.hold_id)
        case e.HoldEnded():
            return _releases(event.slot, event.hold_id)
        case e.VisitMoved():
            return [*_releases(event.was, event.visit_id), *_claims(event.slot, event.visit_id)]
        case e.VisitCancelled():
            return _releases(event.slot, event.visit_id)
        case _:
            return ()


def _claims(slot: Slot, holder: UUID) -> list[Guard]:
    return [Claim(resource=taken.resource_id, starts_at=taken.starts_at, ends_at=taken.ends_at, holder=holder) for taken in slot.occupied]


def _releases(slot: Slot, holder: UUID) -> list[Guard]:
    return [Release(resource=taken.resource_id, holder=holder) for taken in slot.occupied]


def timers(event: StoredEvent) -> Sequence[TimerChange]:
    """A hold, a provisional and a frozen visit each have a clock; what ends the phase stops it."""
    match event:
        case e.SlotHeld():
            return [SetTimer(key=f"hold-{event.hold_id}", type=HOLD_EXPIRES, due_at=event.expires_at, ref=event.hold_id)]
        case e.HoldEnded():
            return [CancelTimer(key=f"hold-{event.hold_id}")]
        case e.VisitBooked() | e.VisitMoved():
            clocks = [CancelTimer(key=f"hold-{event.visit_id}"), *_stopped(event.visit_id)]
            return clocks if event.firm_by is None else [*clocks, _firm_by(event.visit_id, event.firm_by)]
        case e.VisitMadeProvisional():
            return [*_stopped(event.visit_id), _firm_by(event.visit_id, event.firm_by)]
        case e.VisitFrozen():
            ends = SetTimer(key=f"freeze-{event.visit_id}", type=FREEZE_ENDS, due_at=event.until, ref=event.visit_id)
            return [*_stopped(event.visit_id), ends]
        case e.VisitMadeFirm() | e.VisitCancelled() | e.TreatmentHeard():
            return _stopped(event.visit_id)
        case _:
            return ()


def _firm_by(visit_id: UUID, due_at: datetime) -> SetTimer:
    return SetTimer(key=f"firm-{visit_id}", type=FIRM_BY, due_at=due_at, ref=visit_id)


def _stopped(visit_id: UUID) -> list[TimerChange]:
    return [CancelTimer(key=f"firm-{visit_id}"), CancelTimer(key=f"freeze-{visit_id}")]


def taken(_: str) -> SlotTaken:
    """What a refused claim means to a front desk."""
    return SlotTaken()


def itinerary_decider(rules: Rules) -> Decider[c.ItineraryCommand, Itinerary, StoredEvent]:
    """The itinerary under these rules."""
    return Decider(
        category="itinerary",
        events=EVENTS,
        initial=INITIAL,
        decide=partial(decide, rules),
        evolve=evolve,
        guards=guards,
        timers=timers,
        guard_refusal=taken,
        carry=Carry(ItineraryCarriedForward, carried),
    )
