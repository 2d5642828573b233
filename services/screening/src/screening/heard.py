"""What screening hears from the other services: our own narrow records, only the fields we use."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from erbium_kernel.event import EventTable, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicRegistered:
    """Scheduling: a clinic and its zone (IANA)."""

    clinic_id: UUID
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfTreatmentAttested:
    """Scheduling: on the day of treatment the patient said whether anything has changed. `on`: the clinic's local day."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    on: date
    changes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentHeard:
    """Telemetry: a laser has begun, or ended, to treat. Either is enough to know that there is a treatment record."""

    treatment_id: UUID
    patient_id: UUID
    clearance_id: UUID
    clinic_id: UUID
    modality: str
    zones: tuple[str, ...]
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentStarted(TreatmentHeard):
    """The first microthermal zone was delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentEnded(TreatmentHeard):
    """The operator ended it, or nothing came for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEventOpened:
    """Aftercare: AMBER or RED after a treatment."""

    adverse_event_id: UUID
    patient_id: UUID
    treatment_id: UUID
    clinic_id: UUID
    level: str
    opened_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEventClosed:
    """Aftercare: it is over."""

    adverse_event_id: UUID
    patient_id: UUID
    on: date


HEARD = EventTable(
    {
        "erbium.scheduling.clinic-registered": Stored(record=ClinicRegistered),
        "erbium.scheduling.day-of-treatment-attested": Stored(record=DayOfTreatmentAttested),
        "erbium.device-telemetry.treatment-started": Stored(record=TreatmentStarted),
        "erbium.device-telemetry.treatment-ended": Stored(record=TreatmentEnded),
        "erbium.aftercare.adverse-event-opened": Stored(record=AdverseEventOpened),
        "erbium.aftercare.adverse-event-closed": Stored(record=AdverseEventClosed),
    }
)
