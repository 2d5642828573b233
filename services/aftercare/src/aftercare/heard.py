"""Our own narrow records of what other services say: only the fields we use."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from erbium_kernel.event import EventTable, Stored
from erbium_kernel.personal import PersonalData


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRegistered:
    """A patient of the chain; the sealed values are kept as they came."""

    patient_id: UUID
    name: PersonalData
    contact: PersonalData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientErased:
    """This patient's data is gone for good."""

    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneTotals:
    """What one zone received."""

    zone: str
    mtz_count: int
    energy_j: float
    coverage_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentFact:
    """What a treatment delivered. Units in the names; `on` is the local date in `time_zone`."""

    treatment_id: UUID
    patient_id: UUID
    clinic_id: UUID
    modality: str
    on: date
    time_zone: str
    totals: tuple[ZoneTotals, ...] = ()


ENDED = "erbium.device-telemetry.treatment-ended"
COMPLETED = "erbium.device-telemetry.treatment-completed"
PARTIALLY_COMPLETED = "erbium.device-telemetry.treatment-partially-completed"
REGISTERED = "erbium.screening.patient-registered"
ERASED = "erbium.screening.patient-erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentEnded(TreatmentFact):
    """Provisional totals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentCompleted(TreatmentFact):
    """Final totals, nothing missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentPartiallyCompleted(TreatmentFact):
    """Final totals, some frames never came."""


HEARD = EventTable(
    {
        REGISTERED: Stored(record=PatientRegistered),
        ERASED: Stored(record=PatientErased),
        ENDED: Stored(record=TreatmentEnded),
        COMPLETED: Stored(record=TreatmentCompleted),
        PARTIALLY_COMPLETED: Stored(record=TreatmentPartiallyCompleted),
    }
)
