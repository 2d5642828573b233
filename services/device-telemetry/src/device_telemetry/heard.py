"""What this service uses of other services' facts: only the fields it needs, unknown ones are ignored."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from device_telemetry.binding import Limits
from erbium_kernel.event import EventTable, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceGranted:
    """Screening cleared a patient."""

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
class ClearanceSuspended:
    """Screening doubts a clearance."""

    clearance_id: UUID
    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceReinstated:
    """A doctor restored it."""

    clearance_id: UUID
    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceRevoked:
    """A doctor ended it."""

    clearance_id: UUID
    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceExpired:
    """It ran out."""

    clearance_id: UUID
    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRegistered:
    """Screening knows a person. Here a person is an id and a key; no name is kept."""

    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientErased:
    """Screening erased a person: nothing of the person is kept here but ids, and the key goes."""

    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitCheckedIn:
    """The patient is in the clinic."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    on: date
    time_zone: str
    clearance_id: UUID | None = None
    device_id: UUID | None = None
    modality: str | None = None
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfTreatmentAttested:
    """Somebody asked whether anything has changed."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    on: date
    changes: bool
    clearance_id: UUID | None = None
    attested_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SameDayApproved:
    """Consultation and treatment on one day."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    clearance_id: UUID
    on: date


HEARD = EventTable(
    {
        "erbium.screening.patient-registered": Stored(record=PatientRegistered),
        "erbium.screening.patient-erased": Stored(record=PatientErased),
        "erbium.screening.clearance-granted": Stored(record=ClearanceGranted),
        "erbium.screening.clearance-suspended": Stored(record=ClearanceSuspended),
        "erbium.screening.clearance-reinstated": Stored(record=ClearanceReinstated),
        "erbium.screening.clearance-revoked": Stored(record=ClearanceRevoked),
        "erbium.screening.clearance-expired": Stored(record=ClearanceExpired),
        "erbium.scheduling.visit-checked-in": Stored(record=VisitCheckedIn),
        "erbium.scheduling.day-of-treatment-attested": Stored(record=DayOfTreatmentAttested),
        "erbium.scheduling.same-day-approved": Stored(record=SameDayApproved),
    }
)
