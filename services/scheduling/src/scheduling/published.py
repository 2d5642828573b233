"""What the other services hear of scheduling: the language is in `contracts/scheduling`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from erbium_kernel.event import Envelope, Message
from scheduling.clinic.events import ClinicRegistered
from scheduling.itinerary.events import DayAttested, SameDayApproved, VisitBooked, VisitCancelled, VisitCheckedIn, VisitMoved
from scheduling.practitioner.events import PractitionerLicensed


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicRegisteredV1:
    """A clinic of the chain and the zone in which its local dates are made."""

    clinic_id: UUID
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PractitionerLicensedV1:
    """What a practitioner may do at a clinic. `licensed_until` inclusive, None = until further notice."""

    practitioner_id: UUID
    clinic_id: UUID
    modalities: tuple[str, ...]
    licensed_until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitV1:
    """A visit as it stands now. Instants UTC; `on` is the local date in `time_zone`."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    kind: str
    standing: Literal["firm", "provisional"]
    starts_at: datetime
    ends_at: datetime
    on: date
    time_zone: str
    practitioner_id: UUID
    room_id: UUID
    device_id: UUID | None
    clearance_id: UUID | None
    modality: str | None
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitCancelledV1:
    """The visit will not take place."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitCheckedInV1:
    """The patient is there."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    clearance_id: UUID | None
    device_id: UUID | None
    modality: str | None
    zones: tuple[str, ...]
    on: date
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfTreatmentAttestedV1:
    """Whether anything has changed since the examination."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    clearance_id: UUID | None
    on: date
    changes: bool
    attested_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SameDayApprovedV1:
    """Examination and treatment on one day."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    clearance_id: UUID
    on: date


def messages(_: Envelope, event: Any) -> Sequence[Message]:
    """Own event -> contract messages; what stays inside (holds, freezes, heard facts) yields none."""
    match event:
        case ClinicRegistered():
            return [Message("clinic-registered", 1, ClinicRegisteredV1(clinic_id=event.clinic_id, time_zone=event.time_zone))]
        case PractitionerLicensed():
            return [Message("practitioner-licensed", 1, _licensed(event))]
        case VisitBooked():
            return [Message("visit-booked", 1, _visit(event))]
        case VisitMoved():
            return [Message("visit-moved", 1, _visit(event))]
        case VisitCancelled():
            return [Message("visit-cancelled", 1, _cancelled(event))]
        case VisitCheckedIn():
            return [Message("visit-checked-in", 1, _checked_in(event))]
        case DayAttested():
            return [Message("day-of-treatment-attested", 1, _attested(event))]
        case SameDayApproved():
            return [Message("same-day-approved", 1, _same_day(event))]
        case _:
            return ()


def _licensed(event: PractitionerLicensed) -> PractitionerLicensedV1:
    return PractitionerLicensedV1(
        practitioner_id=event.practitioner_id,
        clinic_id=event.clinic_id,
        modalities=event.modalities,
        licensed_until=event.licensed_until,
    )


def _visit(event: VisitBooked | VisitMoved) -> VisitV1:
    slot = event.slot
    return VisitV1(
        visit_id=event.visit_id,
        patient_id=event.patient_id,
        clinic_id=slot.clinic_id,
        kind=event.wanted.kind,
        standing="firm" if event.firm_by is None else "provisional",
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        on=slot.on,
        time_zone=slot.time_zone,
        practitioner_id=slot.practitioner_id,
        room_id=slot.room_id,
        device_id=slot.device_id,
        clearance_id=event.clearance_id,
        modality=event.wanted.modality,
        zones=event.wanted.zones,
    )


def _cancelled(event: VisitCancelled) -> VisitCancelledV1:
    return VisitCancelledV1(visit_id=event.visit_id, patient_id=event.patient_id, clinic_id=event.clinic_id, cause=event.cause)


def _checked_in(event: VisitCheckedIn) -> VisitCheckedInV1:
    return VisitCheckedInV1(
        visit_id=event.visit_id,
        patient_id=event.patient_id,
        clinic_id=event.clinic_id,
        clearance_id=event.clearance_id,
        device_id=event.device_id,
        modality=event.wanted.modality,
        zones=event.wanted.zones,
        on=event.on,
        time_zone=event.time_zone,
    )


def _attested(event: DayAttested) -> DayOfTreatmentAttestedV1:
    return DayOfTreatmentAttestedV1(
        visit_id=event.visit_id,
        patient_id=event.patient_id,
        clinic_id=event.clinic_id,
        clearance_id=event.clearance_id,
        on=event.on,
        changes=event.changes,
        attested_by=event.attested_by,
    )


def _same_day(event: SameDayApproved) -> SameDayApprovedV1:
    return SameDayApprovedV1(
        visit_id=event.visit_id,
        patient_id=event.patient_id,
        clinic_id=event.clinic_id,
        clearance_id=event.clearance_id,
        on=event.on,
    )
