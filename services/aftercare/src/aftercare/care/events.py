"""What happened after a treatment."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from aftercare.rules import Level
from aftercare.triage import Answers
from erbium_kernel.event import EventTable, Stored
from erbium_kernel.personal import PersonalData

Basis = Literal["ended", "completed", "partially_completed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction with its dates, both included (local dates of the clinic)."""

    id: str
    text: str
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a zone received."""

    zone: str
    mtz_count: int
    energy_j: float
    coverage_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """The treatment a plan is derived from. `basis` ended = its totals are provisional."""

    treatment_id: UUID
    patient_id: UUID
    clinic_id: UUID
    time_zone: str
    modality: str
    treated_on: date
    basis: Basis
    delivered: tuple[Delivered, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarePlanIssued:
    """The patient has a plan: instructions with dates, and days to be asked on. Times of check-ins in UTC."""

    clinic_id: UUID
    treatment: Treatment
    rules_version: int
    instructions: tuple[Instruction, ...]
    check_in_days: tuple[int, ...]
    check_ins_due_at: tuple[datetime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarePlanCorrected:
    """The totals are known for good; the plan follows what was really delivered."""

    clinic_id: UUID
    treatment: Treatment
    rules_version: int
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInOpened:
    """The patient is asked how it is going. `next_due_at` of the next check-in (UTC), None after the last."""

    clinic_id: UUID
    patient_id: UUID
    treatment_id: UUID
    day: int
    opened_on: date
    next_due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInAnswered:
    """The patient has answered; the answer was judged. `day` = days after treatment on which it came."""

    clinic_id: UUID
    patient_id: UUID
    treatment_id: UUID
    day: int
    answered_on: date
    answers: Answers
    words: PersonalData | None
    level: Level
    signs: tuple[str, ...]
    triage_version: int
    closes_days: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEventOpened:
    """Something went wrong that a doctor must see."""

    clinic_id: UUID
    adverse_event_id: UUID
    patient_id: UUID
    treatment_id: UUID
    level: Level
    signs: tuple[str, ...]
    opened_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEventClosed:
    """A doctor has closed it. `closed_by` is an opaque id."""

    clinic_id: UUID
    adverse_event_id: UUID
    patient_id: UUID
    treatment_id: UUID
    closed_by: str
    closed_on: date


Event = CarePlanIssued | CarePlanCorrected | CheckInOpened | CheckInAnswered | AdverseEventOpened | AdverseEventClosed

EVENTS = EventTable(
    {
        "care-plan-issued": Stored(record=CarePlanIssued),
        "care-plan-corrected": Stored(record=CarePlanCorrected),
        "check-in-opened": Stored(record=CheckInOpened),
        "check-in-answered": Stored(record=CheckInAnswered),
        "adverse-event-opened": Stored(record=AdverseEventOpened),
        "adverse-event-closed": Stored(record=AdverseEventClosed),
    }
)
