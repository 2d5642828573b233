"""What has happened to a clinic."""

from dataclasses import dataclass
from uuid import UUID

from erbium_kernel.event import EventTable, Stored
from scheduling.hours import Hours


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicRegistered:
    """A clinic of the chain opens its book. `time_zone` is an IANA name and never changes: local dates were made in it."""

    clinic_id: UUID
    name: str
    time_zone: str
    hours: tuple[Hours, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomAdded:
    """A room can be booked. `laser_ready`: interlock, signs and eyewear of a controlled area are there."""

    clinic_id: UUID
    room_id: UUID
    label: str
    laser_ready: bool


ClinicEvent = ClinicRegistered | RoomAdded

EVENTS = EventTable({"clinic-registered": Stored(record=ClinicRegistered), "room-added": Stored(record=RoomAdded)})
