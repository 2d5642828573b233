"""What has happened to a laser. Stored names never change."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from device_telemetry.rules import ModalityLesions, Severity
from erbium_kernel.event import EventTable, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRegistered:
    """A laser of a known model is known to the chain; its lesion tables are those of the rules then."""

    device_id: UUID
    serial: str
    model: str
    model_version: int
    modalities: tuple[str, ...]
    lesions: tuple[ModalityLesions, ...]
    grid_cell_mm: float
    registered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClaimed:
    """A clinic took the laser into use."""

    device_id: UUID
    clinic_id: UUID
    model: str
    modalities: tuple[str, ...]
    claimed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFaulted:
    """The laser, or somebody beside it, reported a fault that does not lock it out."""

    device_id: UUID
    clinic_id: UUID | None
    fault_id: UUID
    code: str
    severity: Severity
    faulted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLockedOut:
    """A fault that takes the laser out until a named person releases it."""

    device_id: UUID
    clinic_id: UUID | None
    fault_id: UUID
    code: str
    locked_out_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReleased:
    """The lockout is over, by a named person's decision."""

    device_id: UUID
    clinic_id: UUID | None
    released_by: str
    released_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCarriedForward:
    """Everything that the events before it have led to, said where they have become many. `locked_out`: the fault's code."""

    device_id: UUID
    serial: str
    model: str
    modalities: tuple[str, ...]
    lesions: tuple[ModalityLesions, ...]
    grid_cell_mm: float
    clinic_id: UUID | None
    locked_out: str | None
    fault_ids: tuple[UUID, ...]


DeviceEvent = DeviceRegistered | DeviceClaimed | DeviceFaulted | DeviceLockedOut | DeviceReleased | DeviceCarriedForward

EVENTS = EventTable(
    {
        "device-registered": Stored(record=DeviceRegistered),
        "device-claimed": Stored(record=DeviceClaimed),
        "device-faulted": Stored(record=DeviceFaulted),
        "device-locked-out": Stored(record=DeviceLockedOut),
        "device-released": Stored(record=DeviceReleased),
        "device-carried-forward": Stored(record=DeviceCarriedForward),
    }
)
