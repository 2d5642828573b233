"""What can be asked of a clinic."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from scheduling.hours import Hours


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterClinic:
    """Open the book of a clinic."""

    clinic_id: UUID
    name: str
    time_zone: str
    hours: tuple[Hours, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRoom:
    """Make a room of the clinic bookable."""

    clinic_id: UUID
    room_id: UUID
    label: str
    laser_ready: bool
    at: datetime


ClinicCommand = RegisterClinic | AddRoom
