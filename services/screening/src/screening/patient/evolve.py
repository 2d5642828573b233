"""How each event changes the record. Total: the type checker points here when an event is added."""

from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from msgspec.structs import replace as changed

from screening.patient.decision_events import (
    ClearanceDeferred,
    ClearanceExpired,
    ClearanceGranted,
    ClearanceRefused,
    ClearanceReinstated,
    ClearanceRevoked,
    ClearanceSuspended,
    OverrideGranted,
    PatientErased,
    RetentionLockLifted,
)
from screening.patient.events import Event
from screening.patient.fact_events import (
    AdverseEventNoted,
    AdverseEventSettled,
    AdvisoryAcknowledged,
    ChangesAttested,
    ConsultationHeld,
    ExaminationRecorded,
    PatientRegistered,
    PreconditionRecorded,
    ProcedureCorrected,
    ProcedureReported,
    QuestionnaireAnswered,
    TestSpotPlaced,
    TestSpotRead,
    TreatmentNoted,
)
from screening.patient.state import Clearance, Erased, Registered, State, with_clearance

_NEXT_DAY = timedelta(days=1)


def evolve(state: State, event: Event) -> State:
    """The record after this event."""
    if isinstance(event, PatientRegistered):
        return Registered(registration=event)
    if isinstance(event, PatientErased):
        return Erased(event.erased_on)
    assert isinstance(state, Registered), f"{type(event).__name__} of somebody who is not registered"
    return changed(_recorded(state, event), version=state.version + 1)


def _recorded(state: Registered, event: Event) -> Registered:
    match event:
        case ProcedureReported():
            return changed(state, procedures={**state.procedures, event.procedure_id: event})
        case ProcedureCorrected():
            return changed(state, corrections={**state.corrections, event.procedure_id: event})
        case QuestionnaireAnswered():
            return changed(state, answer_sets={**state.answer_sets, event.answers_id: event})
        case ConsultationHeld():
            return changed(state, consultations={**state.consultations, event.consultation_id: event})
        case ExaminationRecorded():
            return changed(state, examinations={**state.examinations, event.consultation_id: event})
        case TestSpotPlaced():
            return changed(state, spots={**state.spots, event.spot_id: event})
        case TestSpotRead():
            readings = (*state.spot_readings.get(event.spot_id, ()), event)
            return changed(state, spot_readings={**state.spot_readings, event.spot_id: readings})
        case PreconditionRecorded():
            return changed(state, preconditions={**state.preconditions, event.precondition_id: event})
        case AdvisoryAcknowledged():
            return changed(state, acknowledged=(*state.acknowledged, event))
        case AdverseEventNoted():
            return changed(state, adverse_events={**state.adverse_events, event.adverse_event_id: event})
        case AdverseEventSettled():
            return changed(state, settled={**state.settled, event.adverse_event_id: event})
        case ChangesAttested():
            return changed(state, attestations={**state.attestations, event.attestation_id: event})
        case TreatmentNoted():
            return changed(state, treatments={**state.treatments, event.treatment_id: event})
        case _:
            return _decided(state, event)


def _decided(state: Registered, event: Event) -> Registered:
    match event:
        case OverrideGranted():
            return changed(state, overrides={**state.overrides, event.override_id: event})
        case ClearanceGranted():
            return with_clearance(state, Clearance(granted=event))
        case ClearanceDeferred() | ClearanceRefused():
            return changed(state, denials={**state.denials, event.clearance_id: event})
        case ClearanceSuspended():
            return with_clearance(state, replace(state.clearances[event.clearance_id], standing="suspended", suspension=event))
        case ClearanceReinstated():
            return with_clearance(state, replace(state.clearances[event.clearance_id], standing="valid", suspension=None))
        case ClearanceRevoked():
            was = state.clearances[event.clearance_id]
            return with_clearance(state, replace(was, standing="revoked", ended_on=event.revoked_on))
        case ClearanceExpired():
            was = state.clearances[event.clearance_id]
            return with_clearance(state, replace(was, standing="expired", ended_on=was.granted.valid_until + _NEXT_DAY))
        case RetentionLockLifted():
            return changed(state, lifted=frozenset((*state.lifted, *state.clearances, *state.treatments)))
        case (
            PatientRegistered() | PatientErased() | ProcedureReported() | ProcedureCorrected() | QuestionnaireAnswered()
            | ConsultationHeld() | ExaminationRecorded() | TestSpotPlaced() | TestSpotRead() | PreconditionRecorded()
            | AdvisoryAcknowledged() | AdverseEventNoted() | AdverseEventSettled() | ChangesAttested() | TreatmentNoted()
        ):  # fmt: skip
            raise AssertionError(f"{type(event).__name__} is handled above")
        case _:
            assert_never(event)
