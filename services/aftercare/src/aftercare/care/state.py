"""What is known about the care of one treatment."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from aftercare.care.events import (
    AdverseEventClosed,
    AdverseEventOpened,
    CarePlanCorrected,
    CarePlanIssued,
    CheckInAnswered,
    CheckInOpened,
    Event,
    Instruction,
    Treatment,
)
from aftercare.rules import Level, worst


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPlanned:
    """No treatment is known under this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderCare:
    """A treated patient is looked after. `level` is the worst so far; `open_days` are check-ins asked and not answered.

    `version` is the stream's.
    """

    treatment: Treatment
    instructions: tuple[Instruction, ...]
    check_in_days: tuple[int, ...]
    check_ins_due_at: tuple[datetime, ...]
    opened_days: tuple[int, ...] = ()
    open_days: tuple[int, ...] = ()
    answered: tuple[CheckInAnswered, ...] = ()
    adverse_events: tuple[AdverseEventOpened, ...] = ()
    closed: tuple[AdverseEventClosed, ...] = ()
    level: Level = "GREEN"
    version: int = 1

    @property
    def open_adverse_events(self) -> tuple[AdverseEventOpened, ...]:
        """Those that no doctor has closed yet."""
        closed = {event.adverse_event_id for event in self.closed}
        return tuple(event for event in self.adverse_events if event.adverse_event_id not in closed)


State = NotPlanned | UnderCare


def evolve(state: State, event: Event) -> State:
    """The state after one more event."""
    if isinstance(event, CarePlanIssued):
        return UnderCare(
            treatment=event.treatment,
            instructions=event.instructions,
            check_in_days=event.check_in_days,
            check_ins_due_at=event.check_ins_due_at,
        )
    assert isinstance(state, UnderCare), "nothing happens before the plan"
    state = replace(state, version=state.version + 1)
    match event:
        case CarePlanCorrected():
            return replace(state, treatment=event.treatment, instructions=event.instructions)
        case CheckInOpened():
            return replace(state, opened_days=(*state.opened_days, event.day), open_days=(*state.open_days, event.day))
        case CheckInAnswered():
            open_days = tuple(day for day in state.open_days if day not in event.closes_days)
            return replace(state, answered=(*state.answered, event), open_days=open_days, level=worst(state.level, event.level))
        case AdverseEventOpened():
            return replace(state, adverse_events=(*state.adverse_events, event))
        case AdverseEventClosed():
            return replace(state, closed=(*state.closed, event))
        case _:
            assert_never(event)
