"""What other services have seen of this patient: adverse events, changes attested, treatments. Hearing it twice is once."""

from collections.abc import Sequence
from typing import assert_never

from screening.patient.commands import HeardOf, NoteAdverseEvent, NoteChanges, NoteTreatment, SettleAdverseEvent
from screening.patient.events import Event
from screening.patient.fact_events import AdverseEventNoted, AdverseEventSettled, ChangesAttested, TreatmentNoted
from screening.patient.state import Registered


def note(command: HeardOf, state: Registered) -> Sequence[Event]:
    """The fact, unless it is known. Why settled first: an event that was closed before it was heard of stays closed."""
    match command:
        case NoteAdverseEvent():
            return [] if command.adverse_event_id in state.adverse_events else [_adverse_event(command)]
        case SettleAdverseEvent():
            settled = AdverseEventSettled(adverse_event_id=command.adverse_event_id, closed_on=command.closed_on)
            return [] if command.adverse_event_id in state.settled else [settled]
        case NoteChanges():
            return [] if command.attestation_id in state.attestations else [_changes(command)]
        case NoteTreatment():
            return [] if command.treatment_id in state.treatments else [_treatment(command)]
        case _:
            assert_never(command)


def _adverse_event(command: NoteAdverseEvent) -> AdverseEventNoted:
    return AdverseEventNoted(
        clinic_id=command.clinic_id,
        adverse_event_id=command.adverse_event_id,
        treatment_id=command.treatment_id,
        level=command.level,
        opened_on=command.opened_on,
    )


def _changes(command: NoteChanges) -> ChangesAttested:
    return ChangesAttested(
        clinic_id=command.clinic_id,
        attestation_id=command.attestation_id,
        visit_id=command.visit_id,
        attested_on=command.attested_on,
        attested_at=command.attested_at,
    )


def _treatment(command: NoteTreatment) -> TreatmentNoted:
    return TreatmentNoted(
        clinic_id=command.clinic_id,
        treatment_id=command.treatment_id,
        clearance_id=command.clearance_id,
        modality=command.modality,
        zones=command.zones,
        treated_on=command.treated_on,
    )
