"""A clinic as far as its decisions need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never
from uuid import UUID

from scheduling.clinic.events import ClinicEvent, ClinicRegistered, RoomAdded
from scheduling.hours import Hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Unregistered:
    """No clinic yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A bookable room."""

    room_id: UUID
    label: str
    laser_ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A clinic with its zone, hours and rooms."""

    clinic_id: UUID
    name: str
    time_zone: str
    hours: tuple[Hours, ...]
    rooms: Mapping[UUID, Room] = field(default_factory=dict)


Clinic = Unregistered | Registered
INITIAL: Clinic = Unregistered()


def evolve(state: Clinic, event: ClinicEvent) -> Clinic:
    """The clinic after this event."""
    match event:
        case ClinicRegistered():
            return Registered(clinic_id=event.clinic_id, name=event.name, time_zone=event.time_zone, hours=event.hours)
        case RoomAdded():
            assert isinstance(state, Registered), "a room needs a clinic"
            room = Room(room_id=event.room_id, label=event.label, laser_ready=event.laser_ready)
            return replace(state, rooms={**state.rooms, room.room_id: room})
        case _:
            assert_never(event)
