"""What is said to a clearance's stream: facts heard from others, and the wish to open a treatment. Units: `at` domain time, UTC."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from device_telemetry.binding import Limits, ZonePlan
from device_telemetry.dose import LesionTable
from device_telemetry.rules import Rules

Change = Literal["suspended", "reinstated", "revoked", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HearGrant:
    """Screening granted the clearance."""

    clearance_id: UUID
    patient_id: UUID
    clinic_id: UUID
    modality: str
    zones: tuple[str, ...]
    limits: Limits
    valid_from: date
    valid_until: date
    granted_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HearChange:
    """Screening suspended, reinstated, revoked the clearance, or it expired."""

    clearance_id: UUID
    patient_id: UUID
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class HearCheckIn:
    """Scheduling checked the patient in for a visit under this clearance."""

    clearance_id: UUID
    patient_id: UUID
    visit_id: UUID
    clinic_id: UUID
    device_id: UUID | None
    modality: str | None
    zones: tuple[str, ...]
    on: date
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HearAttestation:
    """Scheduling recorded the question of the day."""

    clearance_id: UUID
    patient_id: UUID
    visit_id: UUID
    clinic_id: UUID
    on: date
    changes: bool
    attested_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HearSameDayApproval:
    """Scheduling approved the treatment on the day of the consultation."""

    clearance_id: UUID
    patient_id: UUID
    visit_id: UUID
    clinic_id: UUID
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAtHand:
    """The laser as its own stream tells. `lesions` None = it lacks the modality, or its model lacks the table."""

    device_id: UUID
    clinic_id: UUID | None
    locked_out: str | None
    modalities: tuple[str, ...]
    lesions: LesionTable | None
    grid_cell_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTreatment:
    """Begin a treatment under this clearance: on this laser, for this visit, as planned per zone.

    Units: `screening_age_seconds` machine time since screening was last heard for certain, None = not at all.
    `attesting_doctor`: the doctor at the laser who answers for a stale copy of screening, if one does.
    """

    treatment_id: UUID
    visit_id: UUID
    device: DeviceAtHand
    plan: tuple[ZonePlan, ...]
    screening_age_seconds: float | None
    attesting_doctor: str | None
    rules: Rules
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseTreatment:
    """The treatment under this clearance is over."""

    treatment_id: UUID
    delivered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteDelivery:
    """The treatment's first microbeam reached the skin; it may have been given up meanwhile."""

    treatment_id: UUID


ClearanceCommand = (
    HearGrant | HearChange | HearCheckIn | HearAttestation | HearSameDayApproval | OpenTreatment | CloseTreatment | NoteDelivery
)
