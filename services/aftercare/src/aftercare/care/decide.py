"""What follows from a command about the care of one treatment. Pure."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from aftercare.care.commands import AnswerCheckIn, CloseAdverseEvent, Command, OpenCheckIn, PlanCare
from aftercare.care.events import (
    EVENTS,
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
from aftercare.care.state import NotPlanned, State, UnderCare, evolve
from aftercare.rules import LEVELS, Level, Rules
from aftercare.triage import triage
from erbium_kernel.clinical_dates import gap_days, local_date
from erbium_kernel.decider import Decider, SetTimer, TimerChange
from erbium_kernel.errors import NotFound, Rejected

CHECK_IN_DUE = "check-in-due"


class TreatmentNotKnown(NotFound):
    """No treatment is known under this id here; its plan appears when the treatment has ended."""

    slug = "aftercare.treatment-not-known"


class AdverseEventNotKnown(NotFound):
    """This treatment has no such adverse event."""

    slug = "aftercare.adverse-event-not-known"


class BeforeTreatment(Rejected):
    """An answer cannot come before the day of the treatment."""

    slug = "aftercare.before-treatment"
    do = "Check the treatment's id; a patient is asked from the day of the treatment on."


def decide(rules: Rules, command: Command, state: State) -> Sequence[Event]:
    """Raises: TreatmentNotKnown, AdverseEventNotKnown, BeforeTreatment."""
    if isinstance(command, PlanCare):
        return _plan(rules, command.treatment, state)
    if isinstance(state, NotPlanned):
        raise TreatmentNotKnown
    match command:
        case OpenCheckIn():
            return _open_check_in(command, state)
        case AnswerCheckIn():
            return _answer(rules, command, state)
        case CloseAdverseEvent():
            return _close(command, state)
        case _:
            assert_never(command)


def _plan(rules: Rules, treatment: Treatment, state: State) -> Sequence[Event]:
    """Why: the plan starts with provisional totals and is corrected once; a late `ended` never undoes a correction."""
    instructions = instructions_for(rules, treatment.modality, treatment.treated_on)
    if isinstance(state, NotPlanned):
        days = rules.check_ins.days.get(treatment.modality, ())
        due = tuple(_due_at(rules, treatment, day) for day in days)
        return [
            CarePlanIssued(
                clinic_id=treatment.clinic_id,
                treatment=treatment,
                rules_version=rules.instructions_version,
                instructions=instructions,
                check_in_days=days,
                check_ins_due_at=due,
            )
        ]
    if treatment.basis == "ended" or treatment == state.treatment:
        return []
    return [
        CarePlanCorrected(
            clinic_id=treatment.clinic_id, treatment=treatment, rules_version=rules.instructions_version, instructions=instructions
        )
    ]


def instructions_for(rules: Rules, modality: str, treated_on: date) -> tuple[Instruction, ...]:
    """The rows of this modality with their dates. Source: domain.md section 7."""
    return tuple(
        Instruction(
            id=row.id,
            text=row.text,
            starts_on=treated_on + timedelta(days=row.starts_day),
            ends_on=treated_on + timedelta(days=row.ends_day),
        )
        for row in rules.instructions
        if modality in row.modalities
    )


def _due_at(rules: Rules, treatment: Treatment, day: int) -> datetime:
    """The instant at which a local morning of the clinic begins; the earlier one where a clock change repeats it."""
    local = datetime.combine(treatment.treated_on + timedelta(days=day), time(rules.check_ins.asked_at_local_hour))
    return local.replace(tzinfo=ZoneInfo(treatment.time_zone)).astimezone(UTC)


def _open_check_in(command: OpenCheckIn, state: UnderCare) -> Sequence[Event]:
    """Opens the first check-in that is due and was not opened yet; a timer that fires twice changes nothing."""
    waiting = [pair for pair in zip(state.check_in_days, state.check_ins_due_at, strict=True) if pair[0] not in state.opened_days]
    if not waiting or waiting[0][1] > command.at:
        return []
    treatment = state.treatment
    return [
        CheckInOpened(
            clinic_id=treatment.clinic_id,
            patient_id=treatment.patient_id,
            treatment_id=treatment.treatment_id,
            day=waiting[0][0],
            opened_on=local_date(command.at, treatment.time_zone),
            next_due_at=waiting[1][1] if len(waiting) > 1 else None,
        )
    ]


def _answer(rules: Rules, command: AnswerCheckIn, state: UnderCare) -> Sequence[Event]:
    treatment = state.treatment
    on = local_date(command.at, treatment.time_zone)
    day = gap_days(treatment.treated_on, on)
    if day < 0:
        raise BeforeTreatment(treated_on=treatment.treated_on.isoformat(), answered_on=on.isoformat())
    if any(
        (given.day, given.answers) == (day, command.answers) and (command.words is None or given.words == command.words)
        for given in state.answered
    ):
        return []
    level, signs = triage(rules, command.answers, day)
    answered = CheckInAnswered(
        clinic_id=treatment.clinic_id,
        patient_id=treatment.patient_id,
        treatment_id=treatment.treatment_id,
        day=day,
        answered_on=on,
        answers=command.answers,
        words=command.words,
        level=level,
        signs=signs,
        triage_version=rules.triage_version,
        closes_days=tuple(open_day for open_day in state.open_days if open_day <= day),
    )
    return [answered, *_adverse_event(command, state, level, signs, on)]


def _adverse_event(command: AnswerCheckIn, state: UnderCare, level: Level, signs: tuple[str, ...], on: date) -> Sequence[Event]:
    """AMBER and RED open a record, unless one of at least that level is open already."""
    known = [LEVELS.index(event.level) for event in state.open_adverse_events]
    if level not in ("AMBER", "RED") or LEVELS.index(level) <= max(known, default=0):
        return []
    treatment = state.treatment
    return [
        AdverseEventOpened(
            clinic_id=treatment.clinic_id,
            adverse_event_id=command.adverse_event_id,
            patient_id=treatment.patient_id,
            treatment_id=treatment.treatment_id,
            level=level,
            signs=signs,
            opened_on=on,
        )
    ]


def _close(command: CloseAdverseEvent, state: UnderCare) -> Sequence[Event]:
    if command.adverse_event_id not in {event.adverse_event_id for event in state.adverse_events}:
        raise AdverseEventNotKnown
    if command.adverse_event_id in {event.adverse_event_id for event in state.closed}:
        return []
    treatment = state.treatment
    return [
        AdverseEventClosed(
            clinic_id=treatment.clinic_id,
            adverse_event_id=command.adverse_event_id,
            patient_id=treatment.patient_id,
            treatment_id=treatment.treatment_id,
            closed_by=command.closed_by,
            closed_on=local_date(command.at, treatment.time_zone),
        )
    ]


def timers(event: Event) -> Sequence[TimerChange]:
    """The next check-in is decided when the last one opens: follow-ups made up front drift from reality."""
    if isinstance(event, CarePlanIssued) and event.check_ins_due_at:
        return [_check_in_timer(event.treatment.treatment_id, event.check_ins_due_at[0])]
    if isinstance(event, CheckInOpened) and event.next_due_at is not None:
        return [_check_in_timer(event.treatment_id, event.next_due_at)]
    return []


def _check_in_timer(treatment_id: UUID, due_at: datetime) -> SetTimer:
    return SetTimer(key=f"check-in-{treatment_id}", type=CHECK_IN_DUE, due_at=due_at, ref=treatment_id)


def _patient(event: Event, _: UUID) -> UUID:
    return event.treatment.patient_id if isinstance(event, CarePlanIssued | CarePlanCorrected) else event.patient_id


def care_decider(rules: Rules) -> Decider[Command, State, Event]:
    """The aggregate with its tables; facts of one patient stay in order."""
    return Decider(
        category="care",
        events=EVENTS,
        initial=NotPlanned(),
        decide=partial(decide, rules),
        evolve=evolve,
        timers=timers,
        ordering=_patient,
    )
