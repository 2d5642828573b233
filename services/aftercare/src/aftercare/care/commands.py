"""What can be asked of the care of one treatment. `at` is domain time, UTC."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aftercare.care.events import Treatment
from aftercare.triage import Answers
from erbium_kernel.personal import PersonalData


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCare:
    """A treatment has ended, or its totals have become final."""

    treatment: Treatment


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCheckIn:
    """The time of the next check-in has come."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCheckIn:
    """The patient tells how it is going, asked or not. `adverse_event_id` is used only if one must be opened."""

    at: datetime
    answers: Answers
    words: PersonalData | None
    adverse_event_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAdverseEvent:
    """A doctor has seen to it."""

    at: datetime
    adverse_event_id: UUID
    closed_by: str


Command = PlanCare | OpenCheckIn | AnswerCheckIn | CloseAdverseEvent
