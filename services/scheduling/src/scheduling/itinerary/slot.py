"""Values that commands, events and state of an itinerary share: what is wanted, and the slot it takes."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from scheduling.rules import Modality, VisitKind, Zone

ResourceKind = Literal["practitioner", "room", "laser", "patient"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a visit is for. A laser visit names modality and zones; a procedure's zones may be left open (then: the whole face)."""

    kind: VisitKind
    modality: Modality | None = None
    zones: tuple[Zone, ...] = ()

    @property
    def act(self) -> str | None:
        """The kind of act that the interval rules know, or None: a consultation leaves the skin as it is."""
        if self.kind in ("consultation", "follow_up", "test_spot_reading"):
            return None
        return self.modality if self.kind == "laser" else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupied:
    """A resource and the time it is taken for, buffers included. Units: UTC, half-open."""

    kind: ResourceKind
    resource_id: UUID
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A time at a place with the people and things it needs. Units: instants UTC; `on` is the clinic's local date."""

    clinic_id: UUID
    time_zone: str
    on: date
    starts_at: datetime
    ends_at: datetime
    practitioner_id: UUID
    room_id: UUID
    device_id: UUID | None
    occupied: tuple[Occupied, ...]
