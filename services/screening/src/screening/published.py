"""Our own events as contract messages: what the other services hear, self-sufficient, units in the names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from erbium_kernel.event import Envelope, Message
from erbium_kernel.personal import PersonalData
from screening.limits import Limits
from screening.patient.decision_events import (
    ClearanceDeferred,
    ClearanceExpired,
    ClearanceGranted,
    ClearanceRefused,
    ClearanceReinstated,
    ClearanceRevoked,
    ClearanceSuspended,
    PatientErased,
)
from screening.patient.fact_events import PatientRegistered, ProcedureCorrected, ProcedureReported
from screening.rules import Reason

# The words of the contract. A permanent filler is "other than HA" to the neighbours.
PUBLISHED_AS = {
    "peel_superficial": "peel_superficial",
    "peel_medium": "peel_medium",
    "peel_deep": "peel_deep",
    "peel_unknown": "peel_unknown",
    "dermabrasion": "dermabrasion",
    "botulinum_toxin": "botulinum_toxin",
    "filler_ha": "filler_ha",
    "filler_other": "filler_other",
    "filler_permanent": "filler_other",
    "filler_unknown": "filler_unknown",
    "biorevitalisation": "biorevitalisation",
    "waxing": "waxing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredFact:
    """patient-registered: name and birth date travel sealed."""

    patient_id: UUID
    clinic_id: UUID
    name: PersonalData
    birth_date: PersonalData
    contact: PersonalData | None
    registered_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedFact:
    """patient-erased: the authority for the erasure everywhere."""

    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureFact:
    """procedure-reported: the worst-case day. A second message with the same procedure_id replaces the first. No zones = zone unknown."""

    patient_id: UUID
    clinic_id: UUID
    procedure_id: UUID
    kind: str
    zones: tuple[str, ...]
    on: date
    time_zone: str
    certainty: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonFact:
    """Why not: the rule that says so, and the first day on which it no longer does (null = open)."""

    rule_id: str
    rule_version: int
    earliest: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedFact:
    """clearance-granted: valid from and until are inclusive local days; the limits are hard."""

    clearance_id: UUID
    patient_id: UUID
    clinic_id: UUID
    modality: str
    zones: tuple[str, ...]
    skin_type: str
    limits: Limits
    examined_on: date
    valid_from: date
    valid_until: date
    granted_on: date
    granted_by: UUID
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferredFact:
    """clearance-deferred: until = first allowed day; null = date open."""

    patient_id: UUID
    clinic_id: UUID
    modality: str
    zones: tuple[str, ...]
    outcome: str
    until: date | None
    reasons: tuple[ReasonFact, ...]
    decided_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFact:
    """clearance-refused: INELIGIBLE, INCOMPLETE, NEEDS_PHYSICIAN or CONDITIONAL."""

    patient_id: UUID
    clinic_id: UUID
    modality: str
    zones: tuple[str, ...]
    outcome: str
    reasons: tuple[ReasonFact, ...]
    decided_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendedFact:
    """clearance-suspended: a new fact contradicts it; earliest = the first day on which that fact no longer does, if known."""

    clearance_id: UUID
    patient_id: UUID
    clinic_id: UUID
    reasons: tuple[ReasonFact, ...]
    suspended_on: date
    earliest: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceFact:
    """clearance-reinstated, clearance-revoked, clearance-expired."""

    clearance_id: UUID
    patient_id: UUID
    clinic_id: UUID
    on: date


def messages(envelope: Envelope, event: Any) -> Sequence[Message]:
    """The fact for the other services, if they hear of this event at all."""
    match event:
        case PatientRegistered():
            return [Message("patient-registered", 1, _registered(envelope.stream_id, event))]
        case PatientErased():
            return [Message("patient-erased", 1, ErasedFact(patient_id=envelope.stream_id))]
        case ProcedureReported() | ProcedureCorrected():
            return [Message("procedure-reported", 1, _procedure(envelope.stream_id, event))]
        case ClearanceGranted():
            return [Message("clearance-granted", 1, _granted(envelope.stream_id, event))]
        case ClearanceDeferred():
            return [Message("clearance-deferred", 1, _deferred(envelope.stream_id, event))]
        case ClearanceRefused():
            return [Message("clearance-refused", 1, _refused(envelope.stream_id, event))]
        case ClearanceSuspended():
            return [Message("clearance-suspended", 1, _suspended(envelope.stream_id, event))]
        case ClearanceReinstated():
            return [Message("clearance-reinstated", 1, _clearance(envelope.stream_id, event, event.reinstated_on))]
        case ClearanceRevoked():
            return [Message("clearance-revoked", 1, _clearance(envelope.stream_id, event, event.revoked_on))]
        case ClearanceExpired():
            return [Message("clearance-expired", 1, _clearance(envelope.stream_id, event, event.expired_on))]
        case _:
            return []


def _registered(patient_id: UUID, event: PatientRegistered) -> RegisteredFact:
    return RegisteredFact(
        patient_id=patient_id,
        clinic_id=event.clinic_id,
        name=event.name,
        birth_date=event.birth_date,
        contact=event.contact,
        registered_on=event.registered_on,
    )


def _procedure(patient_id: UUID, event: ProcedureReported | ProcedureCorrected) -> ProcedureFact:
    """Why the day of the report: a procedure of an unknown day without a bound was done on that day at the latest."""
    recorded_on = event.reported_on if isinstance(event, ProcedureReported) else event.corrected_on
    return ProcedureFact(
        patient_id=patient_id, clinic_id=event.clinic_id, procedure_id=event.procedure_id, kind=PUBLISHED_AS[event.kind], zones=event.zones,
        on=event.when.counted_on or recorded_on, time_zone=event.performed_time_zone, certainty=event.when.certainty,
    )  # fmt: skip


def _granted(patient_id: UUID, event: ClearanceGranted) -> GrantedFact:
    return GrantedFact(
        clearance_id=event.clearance_id, patient_id=patient_id, clinic_id=event.clinic_id, modality=event.modality, zones=event.zones,
        skin_type=event.skin_type, limits=event.limits, examined_on=event.examined_on, valid_from=event.valid_from,
        valid_until=event.valid_until, granted_on=event.granted_on, granted_by=event.granted_by, time_zone=event.time_zone,
    )  # fmt: skip


def _deferred(patient_id: UUID, event: ClearanceDeferred) -> DeferredFact:
    return DeferredFact(
        patient_id=patient_id, clinic_id=event.clinic_id, modality=event.modality, zones=event.zones, outcome="DEFERRED",
        until=event.until, reasons=_reasons(event.reasons), decided_on=event.decided_on,
    )  # fmt: skip


def _refused(patient_id: UUID, event: ClearanceRefused) -> RefusedFact:
    return RefusedFact(
        patient_id=patient_id, clinic_id=event.clinic_id, modality=event.modality, zones=event.zones, outcome=event.outcome,
        reasons=_reasons(event.reasons), decided_on=event.decided_on,
    )  # fmt: skip


def _suspended(patient_id: UUID, event: ClearanceSuspended) -> SuspendedFact:
    return SuspendedFact(
        clearance_id=event.clearance_id, patient_id=patient_id, clinic_id=event.clinic_id, reasons=_reasons(event.reasons),
        suspended_on=event.suspended_on, earliest=event.earliest,
    )  # fmt: skip


def _clearance(patient_id: UUID, event: ClearanceReinstated | ClearanceRevoked | ClearanceExpired, on: date) -> ClearanceFact:
    return ClearanceFact(clearance_id=event.clearance_id, patient_id=patient_id, clinic_id=event.clinic_id, on=on)


def _reasons(reasons: Sequence[Reason]) -> tuple[ReasonFact, ...]:
    return tuple(ReasonFact(rule_id=r.rule_id, rule_version=r.rule_version, earliest=r.earliest) for r in reasons)
