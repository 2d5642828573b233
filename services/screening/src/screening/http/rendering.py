"""State to view: pure, so that a repeated request is answered again from the state it was answered with."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from erbium_kernel.http import Opener
from screening.http.views import (
    AssessmentView,
    LimitsView,
    MissingView,
    OverrideView,
    PatientView,
    ProcedureView,
    ReasonView,
    RecordedView,
    TracedClearanceView,
    TraceView,
)
from screening.patient.decision_events import ClearanceDeferred, ClearanceRefused
from screening.patient.state import Clearance, Registered, State
from screening.rules import Asked, Assessment, Reason, TraceLine


def patient_view(state: State, patient_id: UUID, opener: Opener) -> PatientView:
    """The patient as registered."""
    assert isinstance(state, Registered)
    was = state.registration
    return PatientView(
        patient_id=patient_id, clinic_id=was.clinic_id, name=opener(was.name), birth_date=opener(was.birth_date),
        contact=opener(was.contact), registered_on=was.registered_on, version=state.version,
    )  # fmt: skip


def recorded(id_: UUID) -> Callable[[State, UUID, Opener], RecordedView]:
    """The answer to a recorded fact."""

    def render(state: State, patient_id: UUID, _: Opener) -> RecordedView:
        return RecordedView(id=id_, patient_id=patient_id, suspended_clearance_ids=_suspended(state))

    return render


def procedure(procedure_id: UUID) -> Callable[[State, UUID, Opener], ProcedureView]:
    """A procedure as it counts at that version."""

    def render(state: State, patient_id: UUID, _: Opener) -> ProcedureView:
        assert isinstance(state, Registered)
        now = state.corrections.get(procedure_id, state.procedures[procedure_id])
        return ProcedureView(
            procedure_id=procedure_id, patient_id=patient_id, kind=now.kind, zones=list(now.zones), on=now.when.on,
            certainty=now.when.certainty, latest_plausible_on=now.when.latest_plausible_on, counted_on=now.when.counted_on,
            suspended_clearance_ids=_suspended(state),
        )  # fmt: skip

    return render


def clearance(clearance_id: UUID) -> Callable[[State, UUID, Opener], TracedClearanceView]:
    """A request for clearance as it stands at that version."""

    def render(state: State, patient_id: UUID, _: Opener) -> TracedClearanceView:
        assert isinstance(state, Registered)
        granted = state.clearances.get(clearance_id)
        return _granted(patient_id, granted) if granted else _denied(patient_id, state.denials[clearance_id])

    return render


def override(override_id: UUID) -> Callable[[State, UUID, Opener], OverrideView]:
    """An override as granted."""

    def render(state: State, patient_id: UUID, opener: Opener) -> OverrideView:
        assert isinstance(state, Registered)
        was = state.overrides[override_id]
        return OverrideView(
            override_id=override_id, patient_id=patient_id, rule_id=was.rule_id, rule_version=was.rule_version, modality=was.modality,
            zone=was.zone, indication=was.indication, rationale=opener(was.rationale), mitigations=list(was.mitigations),
            grounds=list(was.grounds), doctor_id=was.doctor_id, granted_on=was.granted_on, expires_on=was.expires_on,
        )  # fmt: skip

    return render


def assessment_view(assessment: Assessment, patient_version: int) -> AssessmentView:
    """What the rules say, with the whole trace."""
    return AssessmentView(
        patient_version=patient_version,
        outcome=assessment.outcome, until=assessment.until, not_before=assessment.not_before, reasons=_reasons(assessment.reasons),
        missing=_missing(assessment.missing), trace=_trace(assessment.trace), rulebook_version=assessment.rulebook_version,
    )  # fmt: skip


def _granted(patient_id: UUID, clearance: Clearance) -> TracedClearanceView:
    was, suspension = clearance.granted, clearance.suspension
    newest: Any = suspension or was
    return TracedClearanceView(
        clearance_id=was.clearance_id, patient_id=patient_id, clinic_id=was.clinic_id, modality=was.modality, zones=list(was.zones),
        indication=was.indication, outcome=suspension.outcome if suspension else "CLEARED", standing=clearance.standing,
        valid_from=was.valid_from, valid_until=was.valid_until, earliest=suspension.earliest if suspension else None,
        decided_on=was.granted_on, decided_by=was.granted_by, limits=LimitsView.model_validate(asdict(was.limits)),
        reasons=_reasons(suspension.reasons if suspension else ()), missing=_missing(suspension.missing if suspension else ()),
        trace=_trace(newest.trace), rulebook_version=newest.rulebook_version,
    )  # fmt: skip


def _denied(patient_id: UUID, was: ClearanceDeferred | ClearanceRefused) -> TracedClearanceView:
    deferred = isinstance(was, ClearanceDeferred)
    return TracedClearanceView(
        clearance_id=was.clearance_id, patient_id=patient_id, clinic_id=was.clinic_id, modality=was.modality, zones=list(was.zones),
        indication=was.indication, outcome="DEFERRED" if isinstance(was, ClearanceDeferred) else was.outcome,
        standing="deferred" if deferred else "refused", valid_from=None, valid_until=None, earliest=was.until, decided_on=was.decided_on,
        decided_by=was.decided_by, limits=None, reasons=_reasons(was.reasons), missing=_missing(was.missing), trace=_trace(was.trace),
        rulebook_version=was.rulebook_version,
    )  # fmt: skip


def _suspended(state: State) -> list[UUID]:
    assert isinstance(state, Registered)
    return sorted(id_ for id_, clearance in state.clearances.items() if clearance.standing == "suspended")


def _reasons(reasons: Sequence[Reason]) -> list[ReasonView]:
    return [ReasonView.model_validate(asdict(reason)) for reason in reasons]


def _missing(missing: Sequence[Asked]) -> list[MissingView]:
    return [MissingView.model_validate(asdict(asked)) for asked in missing]


def _trace(trace: Sequence[TraceLine]) -> list[TraceView]:
    return [TraceView.model_validate(asdict(line)) for line in trace]
