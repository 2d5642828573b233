"""A patient's itinerary as far as its decisions need it: holds, visits with their standing, acts, and what screening said."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from scheduling.itinerary import events as e
from scheduling.itinerary.intervals import Act
from scheduling.itinerary.slot import Slot, Wanted

ClearanceStatus = Literal["valid", "suspended", "revoked", "expired"]
ENDED = ("revoked", "expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A slot kept until `expires_at`. Units: UTC."""

    hold_id: UUID
    wanted: Wanted
    slot: Slot
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm:
    """May take place: under this clearance, or (None) without needing one."""

    clearance_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisional:
    """Waits for a clearance that reaches its day, at most until `firm_by`. Units: UTC."""

    firm_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """May not take place; the slot is kept until `until`. `clearance_id`: the one it rested on. Units: UTC."""

    cause: e.FreezeCause
    until: datetime
    clearance_id: UUID | None
    rules: tuple[str, ...]
    earliest: date | None


Standing = Firm | Provisional | Frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A visit that has not been cancelled or treated. `changes`: what the day's attestation said, None = not asked yet."""

    visit_id: UUID
    wanted: Wanted
    slot: Slot
    standing: Standing
    checked_in: bool = False
    changes: bool | None = None
    same_day_approved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A visit that is over: cancelled for a cause, or treated."""

    visit: Visit
    cause: e.CancelCause | Literal["treated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """A grant and how it stands now. `heard`: when it was said, counted. Units: local dates, inclusive."""

    clearance_id: UUID
    modality: str
    zones: tuple[str, ...]
    examined_on: date
    granted_on: date
    valid_from: date
    valid_until: date
    status: ClearanceStatus
    earliest: date | None
    heard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A decision not to clear, and when it was said, counted."""

    outcome: e.NotClearedOutcome
    modality: str
    zones: tuple[str, ...]
    until: date | None
    heard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Itinerary:
    """Everything of one patient. `early` keeps changes of clearances whose grant has not been heard yet; `said` counts statements.

    `procedures_heard`: when each outside procedure was said last, counted.
    """

    patient_id: UUID | None = None
    closed: bool = False
    holds: Mapping[UUID, Hold] = field(default_factory=dict)
    visits: Mapping[UUID, Visit] = field(default_factory=dict)
    over: Mapping[UUID, Over] = field(default_factory=dict)
    procedures: Mapping[UUID, Act] = field(default_factory=dict)
    procedures_heard: Mapping[UUID, int] = field(default_factory=dict)
    treatments: Mapping[UUID, Act] = field(default_factory=dict)
    clearances: Mapping[UUID, Clearance] = field(default_factory=dict)
    early: Mapping[UUID, e.ClearanceChangeHeard] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    heard_ids: frozenset[UUID] = frozenset()
    said: int = 0

    def acts(self, without: UUID | None = None) -> tuple[Act, ...]:
        """Everything done or booked that an interval rule may look at, except the visit `without`."""
        booked = [
            Act(ref=visit.visit_id, kind=act, zones=visit.wanted.zones, on=visit.slot.on)
            for visit in self.visits.values()
            if (act := visit.wanted.act) is not None and visit.visit_id != without
        ]
        return (*self.procedures.values(), *self.treatments.values(), *booked)


INITIAL = Itinerary()
