"""What this service has heard about a clearance and its visits, and what it bound to it. Stored names never change."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from device_telemetry.binding import Binding, Limits
from erbium_kernel.event import EventTable, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantHeard:
    """Screening has cleared the patient: modality, zones, limits, the local dates it holds on (both included), the doctor's opaque id."""

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
class SuspensionHeard:
    """Screening doubts the clearance. `treatment_id` is the one that was open at that moment: it is paused."""

    clearance_id: UUID
    patient_id: UUID
    treatment_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinstatementHeard:
    """A doctor has reinstated the clearance."""

    clearance_id: UUID
    patient_id: UUID
    treatment_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationHeard:
    """A doctor has revoked the clearance: an open treatment is stopped."""

    clearance_id: UUID
    patient_id: UUID
    treatment_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryHeard:
    """The clearance has run out: no treatment opens any more, one that runs goes on."""

    clearance_id: UUID
    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInHeard:
    """The patient is in the clinic for a visit under this clearance. Units: `on` local date in `time_zone`."""

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
class AttestationHeard:
    """Somebody asked on the day whether anything had changed; `attested_by` is an opaque id."""

    clearance_id: UUID
    patient_id: UUID
    visit_id: UUID
    clinic_id: UUID
    on: date
    changes: bool
    attested_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SameDayApprovalHeard:
    """Consultation and treatment on one day were approved."""

    clearance_id: UUID
    patient_id: UUID
    visit_id: UUID
    clinic_id: UUID
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentBound:
    """A treatment may begin, within these limits, on this laser."""

    binding: Binding

    @property
    def clinic_id(self) -> UUID:
        """Where."""
        return self.binding.ids.clinic_id


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentOver:
    """The treatment that was open under this clearance has ended; `delivered` = at least one microbeam reached the skin."""

    clearance_id: UUID
    patient_id: UUID
    treatment_id: UUID
    visit_id: UUID
    clinic_id: UUID
    delivered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LateDeliveryHeard:
    """A treatment that had been given up has delivered after all. `treatment_id` is another one that is open now: it is stopped."""

    clearance_id: UUID
    patient_id: UUID
    treatment_id: UUID | None
    delivered_by: UUID
    visit_id: UUID
    clinic_id: UUID


ClearanceEvent = (
    GrantHeard | SuspensionHeard | ReinstatementHeard | RevocationHeard | ExpiryHeard
    | CheckInHeard | AttestationHeard | SameDayApprovalHeard | TreatmentBound | TreatmentOver | LateDeliveryHeard
)  # fmt: skip


def _without_a_name(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 did not say who."""
    return data


EVENTS = EventTable(
    {
        "clearance-grant-heard": Stored(record=GrantHeard, version=2, upcasts={1: _without_a_name}),
        "clearance-suspension-heard": Stored(record=SuspensionHeard),
        "clearance-reinstatement-heard": Stored(record=ReinstatementHeard),
        "clearance-revocation-heard": Stored(record=RevocationHeard),
        "clearance-expiry-heard": Stored(record=ExpiryHeard),
        "visit-check-in-heard": Stored(record=CheckInHeard),
        "visit-attestation-heard": Stored(record=AttestationHeard, version=2, upcasts={1: _without_a_name}),
        "visit-same-day-approval-heard": Stored(record=SameDayApprovalHeard),
        "treatment-bound": Stored(record=TreatmentBound),
        "treatment-over": Stored(record=TreatmentOver),
        "late-delivery-heard": Stored(record=LateDeliveryHeard),
    }
)
