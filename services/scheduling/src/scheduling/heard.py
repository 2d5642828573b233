"""Our own narrow records of what other services say: only the fields we use, unknown ones are ignored."""

from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from erbium_kernel.event import EventTable, Stored
from erbium_kernel.personal import PersonalData


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRegistered:
    """A patient of the chain; the sealed name is kept as it came."""

    patient_id: UUID
    name: PersonalData


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientErased:
    """This patient's data is gone for good."""

    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureReported:
    """The patient had a procedure. Units: `on` local date of its place."""

    patient_id: UUID
    procedure_id: UUID
    kind: str
    zones: tuple[str, ...]
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceGranted:
    """The patient may be treated. Units: local dates, inclusive."""

    clearance_id: UUID
    patient_id: UUID
    modality: str
    zones: tuple[str, ...]
    examined_on: date
    granted_on: date
    valid_from: date
    valid_until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One open reason; `earliest`: the first day on which it holds no longer, if known."""

    earliest: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceDeferred:
    """Not yet. `until` None = date open."""

    patient_id: UUID
    modality: str
    zones: tuple[str, ...]
    until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceRefused:
    """Not cleared. CONDITIONAL: the latest date among the reasons, if any has one, is the first day to ask for."""

    patient_id: UUID
    modality: str
    zones: tuple[str, ...]
    outcome: Literal["INELIGIBLE", "INCOMPLETE", "NEEDS_PHYSICIAN", "CONDITIONAL", "ADVISORY"]
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceSuspended:
    """A new fact contradicts it. `earliest` None = date open."""

    clearance_id: UUID
    patient_id: UUID
    earliest: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceReinstated:
    """A doctor looked again."""

    clearance_id: UUID
    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceRevoked:
    """A doctor ended it."""

    clearance_id: UUID
    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceExpired:
    """Its last day is over."""

    clearance_id: UUID
    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClaimed:
    """A laser stands at a clinic."""

    device_id: UUID
    clinic_id: UUID
    model: str
    modalities: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentStarted:
    """The first pulse reached the skin. Units: `on` local date of the clinic."""

    treatment_id: UUID
    patient_id: UUID
    visit_id: UUID
    clinic_id: UUID
    modality: str
    zones: tuple[str, ...]
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentEnded(TreatmentStarted):
    """Nothing more is delivered; heard in case its start never was."""


ERASED = "erbium.screening.patient-erased"

HEARD = EventTable(
    {
        "erbium.screening.patient-registered": Stored(record=PatientRegistered),
        ERASED: Stored(record=PatientErased),
        "erbium.screening.procedure-reported": Stored(record=ProcedureReported),
        "erbium.screening.clearance-granted": Stored(record=ClearanceGranted),
        "erbium.screening.clearance-deferred": Stored(record=ClearanceDeferred),
        "erbium.screening.clearance-refused": Stored(record=ClearanceRefused),
        "erbium.screening.clearance-suspended": Stored(record=ClearanceSuspended),
        "erbium.screening.clearance-reinstated": Stored(record=ClearanceReinstated),
        "erbium.screening.clearance-revoked": Stored(record=ClearanceRevoked),
        "erbium.screening.clearance-expired": Stored(record=ClearanceExpired),
        "erbium.device-telemetry.device-claimed": Stored(record=DeviceClaimed),
        "erbium.device-telemetry.treatment-started": Stored(record=TreatmentStarted),
        "erbium.device-telemetry.treatment-ended": Stored(record=TreatmentEnded),
    }
)
