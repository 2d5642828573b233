"""What can be asked of a patient's itinerary. `at` is domain time, UTC; ids are chosen outside."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from scheduling.hours import Hours, LocalTime
from scheduling.itinerary.events import ClearanceChange, NotClearedOutcome
from scheduling.itinerary.slot import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """When and with whom: the start as an instant or as the clinic's wall clock shows it."""

    starts: datetime | LocalTime
    practitioner_id: UUID
    room_id: UUID
    device_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What the clinic's own stream says of the room."""

    laser_ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What the practitioner's own stream says about this clinic. Units: `licensed_until` inclusive."""

    visit_kinds: tuple[str, ...]
    modalities: tuple[str, ...]
    licensed_until: date | None
    hours: tuple[Hours, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Laser:
    """What the laser's own stream says."""

    modalities: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The clinic and what it says of the resources asked for, folded from their own streams; None = it has no such one."""

    clinic_id: UUID
    time_zone: str
    hours: tuple[Hours, ...]
    room: Room | None
    licence: Licence | None
    laser: Laser | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSlot:
    """Keep a slot for a moment, so that a booking can present it."""

    hold_id: UUID
    patient_id: UUID
    wanted: Wanted
    asked: Asked
    place: Place
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBackHold:
    """The slot is not wanted after all."""

    hold_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BookVisit:
    """Turn a hold into a visit, under the same id. `place`: what its clinic says now of what is held; None = nothing is held."""

    hold_id: UUID
    place: Place | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveVisit:
    """Take another slot for the visit, and give the old one back, in one step."""

    visit_id: UUID
    asked: Asked
    place: Place
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelVisit:
    """The visit will not take place."""

    visit_id: UUID
    cause: Literal["patient", "clinic", "no-show"]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIn:
    """The patient has arrived."""

    visit_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestDay:
    """Record whether anything has changed since the examination."""

    visit_id: UUID
    changes: bool
    attested_by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveSameDay:
    """Treat on the day of the examination."""

    visit_id: UUID
    approved_by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireHold:
    """The hold's time has come (durable timer)."""

    hold_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseProvisional:
    """The day by which the visit had to be firm has come (durable timer)."""

    visit_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFreeze:
    """The frozen visit's slot is kept no longer (durable timer)."""

    visit_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenItinerary:
    """Screening registered this patient."""

    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseItinerary:
    """Screening erased this patient."""

    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class HearClearance:
    """A clearance was granted."""

    heard_id: UUID
    clearance_id: UUID
    modality: str
    zones: tuple[str, ...]
    examined_on: date
    granted_on: date
    valid_from: date
    valid_until: date
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HearClearanceChange:
    """A clearance was suspended, reinstated, revoked, or expired."""

    heard_id: UUID
    clearance_id: UUID
    change: ClearanceChange
    earliest: date | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HearVerdict:
    """The rules did not clear the patient."""

    heard_id: UUID
    outcome: NotClearedOutcome
    modality: str
    zones: tuple[str, ...]
    until: date | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HearProcedure:
    """The patient had a procedure outside this chain."""

    heard_id: UUID
    procedure_id: UUID
    kind: str
    zones: tuple[str, ...]
    on: date
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HearTreatment:
    """A treatment started (or, if its start was never heard, ended)."""

    heard_id: UUID
    treatment_id: UUID
    visit_id: UUID
    clinic_id: UUID
    modality: str
    zones: tuple[str, ...]
    on: date
    at: datetime


BookingCommand = HoldSlot | GiveBackHold | BookVisit | MoveVisit | CancelVisit
DayCommand = CheckIn | AttestDay | ApproveSameDay
TimerCommand = ExpireHold | ReleaseProvisional | EndFreeze
HearingCommand = HearClearance | HearClearanceChange | HearVerdict | HearProcedure | HearTreatment
ItineraryCommand = BookingCommand | DayCommand | TimerCommand | OpenItinerary | CloseItinerary | HearingCommand
