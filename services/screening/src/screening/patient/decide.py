"""The patient aggregate on one page: events, state, decide, in that order. Pure and total; a repeated command yields no events."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, timezone
from typing import assert_never

from erbium_kernel.decider import CancelTimer, Decider, SetTimer, TimerChange
from erbium_kernel.errors import PersonErased
from erbium_kernel.personal import Personal
from screening.patient.clear import expire_clearance, reinstate_clearance, request_clearance, revoke_clearance
from screening.patient.commands import (
    AnswerQuestionnaire,
    ByClinician,
    Command,
    CorrectProcedure,
    ErasePatient,
    ExpireClearance,
    GrantOverride,
    HoldConsultation,
    LiftRetentionLock,
    NoteAdverseEvent,
    NoteChanges,
    NoteTreatment,
    PlaceTestSpot,
    ReadTestSpot,
    RecordPrecondition,
    RegisterPatient,
    ReinstateClearance,
    ReportProcedure,
    RequestClearance,
    RevokeClearance,
    SettleAdverseEvent,
)
from screening.patient.contradictions import with_suspensions
from screening.patient.decision_events import ClearanceExpired, ClearanceGranted, ClearanceRevoked
from screening.patient.events import EVENTS, Event
from screening.patient.evolve import evolve
from screening.patient.fact_events import PatientRegistered
from screening.patient.heard_facts import note
from screening.patient.override import grant_override
from screening.patient.record_facts import (
    answer_questionnaire,
    correct_procedure,
    hold_consultation,
    place_test_spot,
    read_test_spot,
    record_precondition,
    report_procedure,
)
from screening.patient.refusals import DateImpossible, PatientAlreadyRegistered, PatientUnknown
from screening.patient.retention import erase_patient, lift_retention_lock
from screening.patient.state import Erased, Registered, State, Unregistered
from screening.rule_rows import Rulebook

CLEARANCE_EXPIRES = "clearance-expires"
WHERE_DAYS_END_LAST = timezone(-timedelta(hours=12))


def patient_decider(book: Rulebook) -> Decider[Command, State, Event]:
    """The aggregate under this rulebook."""
    return Decider(
        category="patient",
        events=EVENTS,
        initial=Unregistered(),
        decide=lambda command, state: decide(book, command, state),
        evolve=evolve,
        timers=timers,
    )


def decide(book: Rulebook, command: Command, state: State) -> Sequence[Event]:
    """What follows from the command. Raises: a named refusal."""
    match command:
        case RegisterPatient():
            return _register(command, state)
        case NoteAdverseEvent() | SettleAdverseEvent() | NoteChanges() | NoteTreatment() | ExpireClearance():
            return _of_the_course(book, command, state) if isinstance(state, Registered) else []
        case ErasePatient():
            return _erase(book, command, state)
        case _:
            return _by_clinician(book, command, _registered(state))


def timers(event: Event) -> Sequence[TimerChange]:
    """A clearance expires when its last day is over everywhere.

    Why not at its own clinic's midnight: a visit at another clinic of the chain is on that clinic's date, and the day goes on there.
    """
    match event:
        case ClearanceGranted():
            next_day = datetime.combine(event.valid_until + timedelta(days=1), time(), WHERE_DAYS_END_LAST)
            key = f"{CLEARANCE_EXPIRES}/{event.clearance_id}"
            return [SetTimer(key=key, type=CLEARANCE_EXPIRES, due_at=next_day.astimezone(UTC), ref=event.clearance_id)]
        case ClearanceRevoked() | ClearanceExpired():
            return [CancelTimer(key=f"{CLEARANCE_EXPIRES}/{event.clearance_id}")]
        case _:
            return []


def _registered(state: State) -> Registered:
    match state:
        case Registered():
            return state
        case Erased():
            raise PersonErased
        case Unregistered():
            raise PatientUnknown


def _register(command: RegisterPatient, state: State) -> Sequence[Event]:
    act = command.act
    event = PatientRegistered(
        clinic_id=act.clinic_id, name=command.name, birth_date=command.birth_date, contact=command.contact,
        registered_on=act.today, time_zone=act.time_zone,
    )  # fmt: skip
    match state:
        case Erased():
            raise PersonErased
        case Registered():
            was = state.registration
            if (was.clinic_id, was.name, was.birth_date, was.contact) != (event.clinic_id, event.name, event.birth_date, event.contact):
                raise PatientAlreadyRegistered
            return []
        case Unregistered():
            if isinstance(command.birth_date, Personal) and command.birth_date.text > act.today.isoformat():
                raise DateImpossible("The birth date lies ahead.")
            return [event]


def _erase(book: Rulebook, command: ErasePatient, state: State) -> Sequence[Event]:
    if isinstance(state, Erased):
        return []
    return erase_patient(book.settings, command, _registered(state))


def _of_the_course(
    book: Rulebook, command: NoteAdverseEvent | SettleAdverseEvent | NoteChanges | NoteTreatment | ExpireClearance, state: Registered
) -> Sequence[Event]:
    """What is heard or falls due; of a stranger or an erased person there is nothing to record."""
    match command:
        case ExpireClearance():
            return expire_clearance(command, state)
        case NoteAdverseEvent():
            return with_suspensions(book, state, note(command, state), command.opened_on)
        case NoteChanges():
            return with_suspensions(book, state, note(command, state), command.attested_on, always=True)
        case SettleAdverseEvent():
            return with_suspensions(book, state, note(command, state), command.closed_on)
        case NoteTreatment():
            return note(command, state)
        case _:
            assert_never(command)


def _by_clinician(book: Rulebook, command: ByClinician, state: Registered) -> Sequence[Event]:
    today = command.act.today
    match command:
        case ReportProcedure():
            return with_suspensions(book, state, report_procedure(book, command, state), today)
        case CorrectProcedure():
            return with_suspensions(book, state, correct_procedure(book, command, state), today)
        case AnswerQuestionnaire():
            return with_suspensions(book, state, answer_questionnaire(book, command, state), today)
        case HoldConsultation():
            return with_suspensions(book, state, hold_consultation(book, command, state), today)
        case PlaceTestSpot():
            return with_suspensions(book, state, place_test_spot(book, command, state), today)
        case ReadTestSpot():
            return with_suspensions(book, state, read_test_spot(command, state), today)
        case RecordPrecondition():
            return with_suspensions(book, state, record_precondition(command, state), today)
        case RequestClearance():
            return with_suspensions(book, state, request_clearance(book, command, state), today)
        case GrantOverride():
            return grant_override(book, command, state)
        case ReinstateClearance():
            return reinstate_clearance(book, command, state)
        case RevokeClearance():
            return revoke_clearance(command, state)
        case LiftRetentionLock():
            return lift_retention_lock(book.settings, command, state)
        case _:
            assert_never(command)
