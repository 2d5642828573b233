"""Events that decide: overrides, clearances and their ends, the retention lock, the erasure."""

from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from erbium_kernel.personal import PersonalData
from screening.facts import SkinType
from screening.limits import Limits
from screening.rules import Asked, OutcomeWord, Reason, TraceLine

Mitigation = Literal["test_spot", "lower_settings", "shorter_exposure", "specialist_note", "guardian_consent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideGranted:
    """The doctor who examined decided that a row does not stop this treatment, on these grounds, until `expires_on` inclusive."""

    clinic_id: UUID
    override_id: UUID
    rule_id: str
    rule_version: int
    modality: str
    zone: str
    indication: str | None
    grounds: tuple[str, ...]
    rationale: PersonalData
    mitigations: tuple[Mitigation, ...]
    doctor_id: UUID
    granted_on: date
    expires_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceGranted:
    """The patient may be treated so, from `valid_from` to `valid_until` inclusive, inside `limits`."""

    clinic_id: UUID
    clearance_id: UUID
    modality: str
    zones: tuple[str, ...]
    indication: str | None
    skin_type: SkinType
    limits: Limits
    examined_on: date
    valid_from: date
    valid_until: date
    granted_on: date
    granted_by: UUID
    time_zone: str
    trace: tuple[TraceLine, ...]
    rulebook_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceDeferred:
    """Not yet: `until` is the first allowed day; None = date open, not before `not_before`."""

    clinic_id: UUID
    clearance_id: UUID
    modality: str
    zones: tuple[str, ...]
    indication: str | None
    asked_for: date
    until: date | None
    not_before: date | None
    reasons: tuple[Reason, ...]
    missing: tuple[Asked, ...]
    decided_on: date
    decided_by: UUID
    trace: tuple[TraceLine, ...]
    rulebook_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceRefused:
    """No: ineligible, incomplete, needs a physician's override, or a precondition is not met (`until`: when it will be ripe)."""

    clinic_id: UUID
    clearance_id: UUID
    modality: str
    zones: tuple[str, ...]
    indication: str | None
    asked_for: date
    outcome: OutcomeWord
    until: date | None
    reasons: tuple[Reason, ...]
    missing: tuple[Asked, ...]
    decided_on: date
    decided_by: UUID
    trace: tuple[TraceLine, ...]
    rulebook_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceSuspended:
    """A new fact contradicts the clearance. Only a doctor reinstates or revokes it."""

    clinic_id: UUID
    clearance_id: UUID
    outcome: OutcomeWord
    earliest: date | None
    reasons: tuple[Reason, ...]
    missing: tuple[Asked, ...]
    suspended_on: date
    trace: tuple[TraceLine, ...]
    rulebook_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceReinstated:
    """A doctor looked again, and the rules agree."""

    clinic_id: UUID
    clearance_id: UUID
    doctor_id: UUID
    reinstated_on: date
    trace: tuple[TraceLine, ...]
    rulebook_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceRevoked:
    """A doctor ended the clearance for good (`doctor_id` None: it ended with the erasure of the patient)."""

    clinic_id: UUID
    clearance_id: UUID
    doctor_id: UUID | None
    note: PersonalData | None
    revoked_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceExpired:
    """Its last day is over."""

    clinic_id: UUID
    clearance_id: UUID
    expired_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionLockLifted:
    """A doctor decided that what is recorded so far need not be kept."""

    clinic_id: UUID
    doctor_id: UUID
    rationale: PersonalData
    lifted_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientErased:
    """The person's key is destroyed; no interface yields the name any more. This event is the authority for it."""

    erased_on: date
    erased_by: UUID
