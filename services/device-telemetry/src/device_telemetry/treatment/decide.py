"""What follows in a treatment from what its frames, its clearance, its operator and the time say."""

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never
from uuid import UUID

from device_telemetry.binding import IN_TREATMENT
from device_telemetry.treatment.commands import (
    AbortTreatment,
    CheckSilence,
    CloseZone,
    EndTreatment,
    ExpireBackfill,
    FinishTreatment,
    GiveUpUnstarted,
    HoldTreatment,
    LiftSuspension,
    NoteFramesComing,
    ResumeTreatment,
    StartTreatment,
    TakeUpBinding,
    TreatmentCommand,
)
from device_telemetry.treatment.endings import abort, end, finish, give_up, start
from device_telemetry.treatment.events import (
    EVENTS,
    BackfillExpired,
    FramesStillComing,
    HoldLifted,
    SilenceCheckDue,
    TreatmentAborted,
    TreatmentCompleted,
    TreatmentEnded,
    TreatmentEvent,
    TreatmentHeld,
    TreatmentOpened,
    TreatmentPartiallyCompleted,
    TreatmentResumed,
    TreatmentStarted,
    ZoneClosed,
)
from device_telemetry.treatment.refusals import DoctorMustResume, MayNotResume, TreatmentOver, TreatmentUnknown
from device_telemetry.treatment.state import Ended, Known, Opened, Running, Treatment, Unopened, evolve
from erbium_kernel.decider import CancelTimer, Decider, FreeName, Guard, SetTimer, TimerChange


def decide(command: TreatmentCommand, state: Treatment) -> Sequence[TreatmentEvent]:
    """The events that follow. Raises: Rejected."""
    if isinstance(command, TakeUpBinding):
        return [TreatmentOpened(binding=command.binding)] if isinstance(state, Unopened) else []
    if isinstance(state, Unopened):
        raise TreatmentUnknown
    match command:
        case StartTreatment():
            return start(command, state)
        case HoldTreatment() | LiftSuspension() | CloseZone() | ResumeTreatment():
            return _watch(command, state)
        case EndTreatment():
            return end(command, state)
        case AbortTreatment():
            return abort(command, state)
        case FinishTreatment():
            return finish(command, state)
        case GiveUpUnstarted() | CheckSilence() | NoteFramesComing() | ExpireBackfill():
            return _in_time(command, state)
    assert_never(command)


def _watch(command: HoldTreatment | LiftSuspension | CloseZone | ResumeTreatment, state: Known) -> Sequence[TreatmentEvent]:
    ids, watch = state.binding.ids, state.watch
    match command:
        case HoldTreatment():
            return _hold(command, state)
        case LiftSuspension():
            return [HoldLifted(ids=ids, cause="clearance_suspended", lifted_at=command.at)] if watch.suspended else []
        case CloseZone():
            if command.zone in watch.closed:
                return []
            closed = ZoneClosed(ids=ids, zone=command.zone, cause=command.cause, breach=command.breach, closed_at=command.at)
            stop = HoldTreatment(command="STOP", cause=command.cause, breach=command.breach, at=command.at)
            return [closed, *_hold(stop, state)]
        case ResumeTreatment():
            return _resume(command, state)
    assert_never(command)


def _hold(command: HoldTreatment, state: Known) -> Sequence[TreatmentEvent]:
    """Why: at most one hold per cause and zone stands, so that a laser that ignores its orders cannot fill the stream."""
    watch = state.watch
    stands = (command.cause, command.breach.zone if command.breach else None) in watch.held
    again = stands and not (command.cause == "clearance_suspended" and not watch.suspended)
    if again or (command.breach is not None and watch.knows(command.cause, command.breach)):
        return []
    held = TreatmentHeld(ids=state.binding.ids, command=command.command, cause=command.cause, breach=command.breach, held_at=command.at)
    return [held]


def _resume(command: ResumeTreatment, state: Known) -> Sequence[TreatmentEvent]:
    watch = state.watch
    if not isinstance(state, Opened | Running):
        raise TreatmentOver
    if not watch.holds:
        return []
    if watch.suspended or "clearance_revoked" in watch.holds:
        raise MayNotResume(causes=sorted(watch.holds))
    if watch.command == "STOP" and not command.by_doctor:
        raise DoctorMustResume(causes=sorted(watch.holds))
    resumed = TreatmentResumed(
        ids=state.binding.ids, lifted=tuple(sorted(watch.holds)), resumed_by=command.by, by_doctor=command.by_doctor, resumed_at=command.at
    )
    return [resumed]


def _in_time(command: GiveUpUnstarted | CheckSilence | NoteFramesComing | ExpireBackfill, state: Known) -> Sequence[TreatmentEvent]:
    ids = state.binding.ids
    match command:
        case GiveUpUnstarted():
            return give_up(command, state)
        case CheckSilence():
            return [SilenceCheckDue(ids=ids, due_at=command.at)] if isinstance(state, Running) and not state.silence_check else []
        case NoteFramesComing():
            if not (isinstance(state, Running) and state.silence_check):
                return []
            minutes = state.started.silence_minutes
            return [FramesStillComing(ids=ids, last_frame_at=command.last_frame_at, silence_minutes=minutes)]
        case ExpireBackfill():
            over = isinstance(state, Ended) and not state.window_over
            return [BackfillExpired(ids=ids, expired_at=command.at)] if over else []
    assert_never(command)


def guards(event: TreatmentEvent) -> Sequence[Guard]:
    """A treatment that is over lets go of its laser, if it still held it."""
    if isinstance(event, TreatmentEnded | TreatmentAborted) and event.frees_device:
        return [FreeName(name=IN_TREATMENT, value=str(event.ids.device_id))]
    return []


def timers(event: TreatmentEvent) -> Sequence[TimerChange]:
    """Given up if never started, looked after if silent, finished if the missing frames do not come."""
    ref = event.ids.treatment_id
    unstarted, silence, backfill = (f"treatment-{what}-{ref}" for what in ("unstarted", "silence", "backfill"))
    match event:
        case TreatmentOpened():
            due = event.binding.bound_at + timedelta(minutes=event.binding.guard.unstarted_minutes)
            return [SetTimer(key=unstarted, type="treatment-unstarted", due_at=due, ref=ref)]
        case TreatmentStarted():
            due = event.started_at + timedelta(minutes=event.silence_minutes)
            return [CancelTimer(key=unstarted), SetTimer(key=silence, type="treatment-silence", due_at=due, ref=ref)]
        case FramesStillComing():
            due = event.last_frame_at + timedelta(minutes=event.silence_minutes)
            return [SetTimer(key=silence, type="treatment-silence", due_at=due, ref=ref)]
        case TreatmentEnded():
            due = event.ended_at + timedelta(hours=event.backfill_hours)
            return [CancelTimer(key=silence), SetTimer(key=backfill, type="treatment-backfill", due_at=due, ref=ref)]
        case TreatmentAborted():
            return [CancelTimer(key=unstarted)]
        case TreatmentCompleted() | TreatmentPartiallyCompleted():
            return [CancelTimer(key=backfill)]
        case TreatmentHeld() | HoldLifted() | ZoneClosed() | TreatmentResumed() | SilenceCheckDue() | BackfillExpired():
            return []
    assert_never(event)


def ordering(event: TreatmentEvent, _: UUID) -> UUID:
    """Everything about one patient stays in order."""
    return event.ids.patient_id


TREATMENT: Decider[TreatmentCommand, Treatment, TreatmentEvent] = Decider(
    category="treatment",
    events=EVENTS,
    initial=Unopened(),
    decide=decide,
    evolve=evolve,
    guards=guards,
    timers=timers,
    ordering=ordering,
)
