"""Check in, attest the day, approve the same day: what happens at the door."""

from collections.abc import Sequence
from typing import assert_never
from uuid import UUID

from scheduling.itinerary import refusals
from scheduling.itinerary.booking import the_visit
from scheduling.itinerary.commands import ApproveSameDay, AttestDay, CheckIn, DayCommand
from scheduling.itinerary.events import DayAttested, ItineraryEvent, SameDayApproved, VisitCheckedIn
from scheduling.itinerary.freezing import frozen
from scheduling.itinerary.standing import today_at, valid_on
from scheduling.itinerary.state import Clearance, Firm, Frozen, Itinerary, Provisional, Visit
from scheduling.rules import Rules


def decide_day(rules: Rules, patient_id: UUID, command: DayCommand, state: Itinerary) -> Sequence[ItineraryEvent]:
    """What follows from what happens at the door, or its refusal."""
    visit = the_visit(state, command.visit_id)
    match command:
        case CheckIn():
            return _check_in(rules, patient_id, command, visit, state)
        case AttestDay():
            return _attest(rules, patient_id, command, visit)
        case ApproveSameDay():
            return _approve(rules, patient_id, command, visit, state)
        case _:
            assert_never(command)


def _check_in(rules: Rules, patient_id: UUID, command: CheckIn, visit: Visit, state: Itinerary) -> Sequence[ItineraryEvent]:
    if visit.checked_in:
        return []
    _on_its_day(command, visit)
    clearance = _firm(rules, visit, state)
    if clearance is not None and clearance.examined_on == visit.slot.on and not visit.same_day_approved:
        raise refusals.SameDayNotApproved
    return [
        VisitCheckedIn(
            visit_id=visit.visit_id,
            patient_id=patient_id,
            clinic_id=visit.slot.clinic_id,
            time_zone=visit.slot.time_zone,
            on=visit.slot.on,
            clearance_id=clearance.clearance_id if clearance else None,
            device_id=visit.slot.device_id,
            wanted=visit.wanted,
        )
    ]


def _attest(rules: Rules, patient_id: UUID, command: AttestDay, visit: Visit) -> Sequence[ItineraryEvent]:
    if visit.changes is not None and visit.changes == command.changes:
        return []
    if visit.changes:
        raise refusals.ChangesStand
    if not visit.checked_in:
        raise refusals.NotArrived
    _on_its_day(command, visit)
    attested = DayAttested(
        visit_id=visit.visit_id,
        patient_id=patient_id,
        clinic_id=visit.slot.clinic_id,
        on=visit.slot.on,
        clearance_id=_rests_on(visit),
        changes=command.changes,
        attested_by=command.attested_by,
    )
    if not command.changes or visit.wanted.kind != "laser" or isinstance(visit.standing, Frozen):
        return [attested]
    return [attested, frozen(rules, visit, "attestation", command.at)]


def _approve(rules: Rules, patient_id: UUID, command: ApproveSameDay, visit: Visit, state: Itinerary) -> Sequence[ItineraryEvent]:
    if visit.same_day_approved:
        return []
    _on_its_day(command, visit)
    clearance = _firm(rules, visit, state)
    if clearance is None or clearance.examined_on != visit.slot.on:
        raise refusals.NotTheSameDay
    if clearance.modality not in rules.same_day_modalities:
        raise refusals.SameDayNeedsOverride(modality=clearance.modality)
    return [
        SameDayApproved(
            visit_id=visit.visit_id,
            patient_id=patient_id,
            clinic_id=visit.slot.clinic_id,
            on=visit.slot.on,
            clearance_id=clearance.clearance_id,
            approved_by=command.approved_by,
        )
    ]


def _on_its_day(command: DayCommand, visit: Visit) -> None:
    if today_at(visit.slot, command.at) != visit.slot.on:
        raise refusals.VisitNotToday(on=visit.slot.on.isoformat(), time_zone=visit.slot.time_zone)


def _firm(rules: Rules, visit: Visit, state: Itinerary) -> Clearance | None:
    """The clearance that the visit rests on today, None if it needs none. Raises: VisitNotFirm."""
    match visit.standing:
        case Firm(clearance_id=None):
            return None
        case Firm(clearance_id=clearance_id):
            clearance = state.clearances.get(clearance_id) if clearance_id else None
            if clearance is None or not valid_on(rules, clearance, visit.slot.on):
                raise refusals.VisitNotFirm(standing="firm", cause="clearance no longer valid")
            return clearance
        case Frozen():
            raise refusals.VisitNotFirm(standing="frozen", cause=visit.standing.cause)
        case Provisional():
            raise refusals.VisitNotFirm(standing="provisional")
        case _:
            assert_never(visit.standing)


def _rests_on(visit: Visit) -> UUID | None:
    return None if isinstance(visit.standing, Provisional) else visit.standing.clearance_id
