"""What other services are told: own event -> contract message. The shapes are those of `contracts/device-telemetry/`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from device_telemetry.binding import TreatmentIds
from device_telemetry.device.events import DeviceClaimed, DeviceFaulted, DeviceLockedOut, DeviceReleased
from device_telemetry.dose import ZoneTotals
from device_telemetry.treatment.events import (
    TreatmentAborted,
    TreatmentCompleted,
    TreatmentEnded,
    TreatmentPartiallyCompleted,
    TreatmentStarted,
)
from erbium_kernel.event import Envelope, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClaimedV1:
    """A clinic has a laser it did not have."""

    device_id: UUID
    clinic_id: UUID
    model: str
    modalities: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFaultedV1:
    """A laser reported a fault that does not take it out."""

    device_id: UUID
    clinic_id: UUID | None
    code: str
    severity: str
    faulted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLockedOutV1:
    """A laser is out of use."""

    device_id: UUID
    clinic_id: UUID | None
    code: str
    locked_out_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReleasedV1:
    """A laser may be used again."""

    device_id: UUID
    clinic_id: UUID | None
    released_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Treated:
    """What every fact about a treatment says of it. Units: `on` local date of the delivery in `time_zone`."""

    treatment_id: UUID
    patient_id: UUID
    visit_id: UUID
    clearance_id: UUID
    clinic_id: UUID
    device_id: UUID
    modality: str
    zones: tuple[str, ...]
    on: date
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentStartedV1(Treated):
    """The first microbeam reached the skin: after-windows begin."""

    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentEndedV1(Treated):
    """Nothing more is delivered; totals may still change by back-fill."""

    ended_at: datetime
    cause: Literal["operator", "silence", "aborted"]
    totals: tuple[ZoneTotals, ...]
    provisional: Literal[True]
    gaps_open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentCompletedV1(Treated):
    """The sequence is whole; these totals replace all earlier ones (a later message of this fact replaces an earlier one)."""

    completed_at: datetime
    totals: tuple[ZoneTotals, ...]
    provisional: Literal[False]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentPartiallyCompletedV1(Treated):
    """The sequence stayed incomplete or the treatment was aborted; these totals replace all earlier ones."""

    completed_at: datetime
    totals: tuple[ZoneTotals, ...]
    provisional: Literal[False]
    missing_frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentAbortedV1(Treated):
    """Broken off. If something was delivered, TreatmentEnded follows with its totals."""

    aborted_at: datetime
    cause: str
    delivered: bool


def messages(_: Envelope, event: Any) -> Sequence[Message]:
    """The facts that others hear of this event; most events stay here."""
    match event:
        case DeviceClaimed():
            claimed = DeviceClaimedV1(device_id=event.device_id, clinic_id=event.clinic_id, model=event.model, modalities=event.modalities)
            return [Message("device-claimed", 1, claimed)]
        case DeviceFaulted() | DeviceLockedOut() | DeviceReleased():
            return [_of_device(event)]
        case TreatmentStarted() | TreatmentEnded() | TreatmentCompleted() | TreatmentPartiallyCompleted() | TreatmentAborted():
            return [_of_treatment(event)]
        case _:
            return []


def _of_device(event: DeviceFaulted | DeviceLockedOut | DeviceReleased) -> Message:
    device_id, clinic_id = event.device_id, event.clinic_id
    match event:
        case DeviceFaulted():
            faulted = DeviceFaultedV1(
                device_id=device_id, clinic_id=clinic_id, code=event.code, severity=event.severity, faulted_at=event.faulted_at
            )
            return Message("device-faulted", 1, faulted)
        case DeviceLockedOut():
            out = DeviceLockedOutV1(device_id=device_id, clinic_id=clinic_id, code=event.code, locked_out_at=event.locked_out_at)
            return Message("device-locked-out", 1, out)
        case DeviceReleased():
            released = DeviceReleasedV1(device_id=device_id, clinic_id=clinic_id, released_at=event.released_at)
            return Message("device-released", 1, released)


TreatmentFact = TreatmentStarted | TreatmentEnded | TreatmentCompleted | TreatmentPartiallyCompleted | TreatmentAborted


def _of_treatment(event: TreatmentFact) -> Message:
    who = {name: getattr(event.ids, name) for name in TreatmentIds.__slots__} | {"on": event.on}
    match event:
        case TreatmentStarted():
            return Message("treatment-started", 1, TreatmentStartedV1(**who, started_at=event.started_at))
        case TreatmentEnded():
            ended = TreatmentEndedV1(
                **who, ended_at=event.ended_at, cause=event.cause, totals=event.totals, provisional=True, gaps_open=event.gaps_open
            )
            return Message("treatment-ended", 1, ended)
        case TreatmentCompleted():
            whole = TreatmentCompletedV1(**who, completed_at=event.completed_at, totals=event.totals, provisional=False)
            return Message("treatment-completed", 1, whole)
        case TreatmentPartiallyCompleted():
            partial = TreatmentPartiallyCompletedV1(
                **who, completed_at=event.completed_at, totals=event.totals, provisional=False, missing_frames=event.missing_frames
            )
            return Message("treatment-partially-completed", 1, partial)
        case TreatmentAborted():
            broken = TreatmentAbortedV1(**who, aborted_at=event.aborted_at, cause=event.cause, delivered=event.delivered)
            return Message("treatment-aborted", 1, broken)
