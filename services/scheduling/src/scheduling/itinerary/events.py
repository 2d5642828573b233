"""What has happened to a patient's itinerary, and what has been heard that decides about it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from erbium_kernel.event import EventTable, Stored
from scheduling.itinerary.slot import Slot, Wanted

ClearanceChange = Literal["suspended", "reinstated", "revoked", "expired"]
NotClearedOutcome = Literal["DEFERRED", "INELIGIBLE", "INCOMPLETE", "NEEDS_PHYSICIAN", "CONDITIONAL", "ADVISORY"]
FreezeCause = Literal["clearance-suspended", "not-cleared", "interval", "attestation"]
CancelCause = Literal[
    "patient", "clinic", "no-show", "clearance-revoked", "clearance-expired", "frozen-too-long", "not-firm-in-time", "patient-erased"
]
HoldEnd = Literal["expired", "given-back", "patient-erased"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItineraryOpened:
    """Screening registered the patient; visits may be booked."""

    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ItineraryClosed:
    """Screening erased the patient; nothing may be booked any more."""

    patient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceHeard:
    """Screening granted a clearance. Units: local dates, all inclusive."""

    heard_id: UUID
    clearance_id: UUID
    modality: str
    zones: tuple[str, ...]
    examined_on: date
    granted_on: date
    valid_from: date
    valid_until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceChangeHeard:
    """Screening suspended, reinstated, revoked or expired a clearance. `earliest`: when it may be granted anew, if known."""

    heard_id: UUID
    clearance_id: UUID
    change: ClearanceChange
    earliest: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictHeard:
    """Screening decided that the patient is not cleared. `until`: the first day that its rules allow; None = date open."""

    heard_id: UUID
    outcome: NotClearedOutcome
    modality: str
    zones: tuple[str, ...]
    until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureHeard:
    """The patient had a procedure elsewhere; the same id again corrects it. Units: `on` local date of that place."""

    heard_id: UUID
    procedure_id: UUID
    kind: str
    zones: tuple[str, ...]
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentHeard:
    """A laser delivered its first pulse: all after-windows start on this real date, whatever was booked."""

    heard_id: UUID
    treatment_id: UUID
    visit_id: UUID
    clinic_id: UUID
    modality: str
    zones: tuple[str, ...]
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotHeld:
    """A slot is kept for a moment; it is given back at `expires_at` unless it was booked. Units: UTC."""

    hold_id: UUID
    patient_id: UUID
    wanted: Wanted
    slot: Slot
    expires_at: datetime

    @property
    def clinic_id(self) -> UUID:
        """Where the slot is."""
        return self.slot.clinic_id


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldEnded:
    """A hold was given back without a booking."""

    hold_id: UUID
    patient_id: UUID
    slot: Slot
    cause: HoldEnd

    @property
    def clinic_id(self) -> UUID:
        """Where the slot was."""
        return self.slot.clinic_id


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitBooked:
    """A hold became a visit under the same id. `firm_by` set = provisional until then; None = firm. Units: UTC."""

    visit_id: UUID
    patient_id: UUID
    wanted: Wanted
    slot: Slot
    clearance_id: UUID | None
    firm_by: datetime | None

    @property
    def clinic_id(self) -> UUID:
        """Where the visit will be."""
        return self.slot.clinic_id


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitMoved:
    """The visit is at another time or place now; `was` is free again. `firm_by` as in VisitBooked. Units: UTC."""

    visit_id: UUID
    patient_id: UUID
    wanted: Wanted
    was: Slot
    slot: Slot
    clearance_id: UUID | None
    firm_by: datetime | None

    @property
    def clinic_id(self) -> UUID:
        """Where the visit will be."""
        return self.slot.clinic_id


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitCancelled:
    """The visit will not take place; its slot is free again."""

    visit_id: UUID
    patient_id: UUID
    slot: Slot
    cause: CancelCause

    @property
    def clinic_id(self) -> UUID:
        """Where the visit would have been."""
        return self.slot.clinic_id


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitMadeFirm:
    """The visit may take place: a clearance reaches its day, or it needs none."""

    visit_id: UUID
    clinic_id: UUID
    clearance_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitMadeProvisional:
    """The visit is no longer frozen, but waits for a clearance that reaches its day. Units: `firm_by` UTC."""

    visit_id: UUID
    clinic_id: UUID
    firm_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitFrozen:
    """The visit keeps its slot until `until` and may not take place meanwhile. Units: UTC.

    Said again under the same `until` when something else stands in its way. `rules`: the interval rules it breaks; `earliest`: the
    first day on which nothing that is known stands in the way, None = date open.
    """

    visit_id: UUID
    clinic_id: UUID
    cause: FreezeCause
    until: datetime
    rules: tuple[str, ...]
    earliest: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitCheckedIn:
    """The patient is there. Units: `on` local date of the clinic."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    time_zone: str
    on: date
    clearance_id: UUID | None
    device_id: UUID | None
    wanted: Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAttested:
    """On the day of the visit somebody asked whether anything has changed since the examination. `attested_by`: an opaque id."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    on: date
    clearance_id: UUID | None
    changes: bool
    attested_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SameDayApproved:
    """Examination and treatment on one day: all that the same-day path asks for is there. `approved_by`: an opaque id."""

    visit_id: UUID
    patient_id: UUID
    clinic_id: UUID
    on: date
    clearance_id: UUID
    approved_by: str


HeardEvent = ClearanceHeard | ClearanceChangeHeard | VerdictHeard | ProcedureHeard | TreatmentHeard
StandingEvent = VisitMadeFirm | VisitMadeProvisional | VisitFrozen
DayEvent = VisitCheckedIn | DayAttested | SameDayApproved
BookingEvent = SlotHeld | HoldEnded | VisitBooked | VisitMoved | VisitCancelled
ItineraryEvent = ItineraryOpened | ItineraryClosed | HeardEvent | BookingEvent | StandingEvent | DayEvent

EVENTS = EventTable(
    {
        "itinerary-opened": Stored(record=ItineraryOpened),
        "itinerary-closed": Stored(record=ItineraryClosed),
        "clearance-heard": Stored(record=ClearanceHeard),
        "clearance-change-heard": Stored(record=ClearanceChangeHeard),
        "verdict-heard": Stored(record=VerdictHeard),
        "procedure-heard": Stored(record=ProcedureHeard),
        "treatment-heard": Stored(record=TreatmentHeard),
        "slot-held": Stored(record=SlotHeld),
        "hold-ended": Stored(record=HoldEnded),
        "visit-booked": Stored(record=VisitBooked),
        "visit-moved": Stored(record=VisitMoved),
        "visit-cancelled": Stored(record=VisitCancelled),
        "visit-made-firm": Stored(record=VisitMadeFirm),
        "visit-made-provisional": Stored(record=VisitMadeProvisional),
        "visit-frozen": Stored(record=VisitFrozen),
        "visit-checked-in": Stored(record=VisitCheckedIn),
        "day-attested": Stored(record=DayAttested),
        "same-day-approved": Stored(record=SameDayApproved),
    }
)
