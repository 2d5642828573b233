"""How a treatment starts, ends, and ends again: first by its operator or by silence, then when its sequence is whole."""

from collections.abc import Callable, Sequence

from device_telemetry.treatment.commands import AbortTreatment, Delivered, EndTreatment, FinishTreatment, GiveUpUnstarted, StartTreatment
from device_telemetry.treatment.events import (
    AbortCause,
    EndCause,
    FinalSeq,
    TreatmentAborted,
    TreatmentCompleted,
    TreatmentEnded,
    TreatmentEvent,
    TreatmentPartiallyCompleted,
    TreatmentStarted,
)
from device_telemetry.treatment.refusals import NothingDelivered
from device_telemetry.treatment.state import Ended, GivenUp, Known, Opened, Running, Settled, evolve
from erbium_kernel.clinical_dates import local_date


def start(command: StartTreatment, state: Known) -> Sequence[TreatmentEvent]:
    """The first microbeam; also after it had been given up: what was delivered counts, whenever it is told."""
    if not isinstance(state, Opened | GivenUp):
        return []
    at = max(command.started_at, state.binding.bound_at)
    ids = state.binding.ids
    minutes = state.binding.guard.silence_minutes
    return [TreatmentStarted(ids=ids, on=local_date(at, ids.time_zone), started_at=at, silence_minutes=minutes)]


def end(command: EndTreatment, state: Known) -> Sequence[TreatmentEvent]:
    """Provisional totals. Raises: NothingDelivered before the start."""
    match state:
        case Running():
            return [_ended(command, state, command.cause)]
        case Opened() | GivenUp():
            return _after_its_start(command, state, lambda running: [_ended(command, running, command.cause)])
        case Ended() | Settled():
            return []


def abort(command: AbortTreatment, state: Known) -> Sequence[TreatmentEvent]:
    """Broken off. After a delivery it has ended too, so that aftercare and intervals begin."""
    match state:
        case Opened() if command.delivered.first_at is None:
            return [_aborted(command.cause, state, command)]
        case Opened():
            return _after_its_start(command, state, lambda running: _broken_off(command, running))
        case Running():
            return _broken_off(command, state)
        case Ended() | Settled() | GivenUp():
            return []


def _after_its_start(
    command: EndTreatment | AbortTreatment, state: Opened | GivenUp, what: Callable[[Running], Sequence[TreatmentEvent]]
) -> Sequence[TreatmentEvent]:
    """Why: its frames are stored, only the start has not been told yet, and nobody may say that nothing was delivered."""
    if command.delivered.first_at is None:
        raise NothingDelivered
    [started] = start(StartTreatment(started_at=command.delivered.first_at), state)
    running = evolve(state, started)
    assert isinstance(running, Running)
    return [started, *what(running)]


def _broken_off(command: AbortTreatment, state: Running) -> Sequence[TreatmentEvent]:
    broken = TreatmentAborted(
        ids=state.binding.ids, on=state.started.on, aborted_at=command.at, cause=command.cause, delivered=True, frees_device=False
    )
    return [broken, _ended(command, state, "aborted")]


def give_up(command: GiveUpUnstarted, state: Known) -> Sequence[TreatmentEvent]:
    """Opened long ago, nothing delivered: the laser is free again."""
    return [_aborted("never_started", state, command)] if isinstance(state, Opened) else []


def _aborted(cause: AbortCause, state: Opened, command: AbortTreatment | GiveUpUnstarted) -> TreatmentAborted:
    on = local_date(command.at, state.binding.ids.time_zone)
    return TreatmentAborted(ids=state.binding.ids, on=on, aborted_at=command.at, cause=cause, delivered=False, frees_device=True)


def _ended(command: EndTreatment | AbortTreatment, state: Running, cause: EndCause) -> TreatmentEnded:
    return TreatmentEnded(
        ids=state.binding.ids,
        on=state.started.on,
        ended_at=max(command.at, state.started.started_at),
        cause=cause,
        totals=command.delivered.totals,
        gaps_open=command.delivered.gaps_open,
        finals=_finals(command.finals),
        frees_device=state.holds_device,
        backfill_hours=state.binding.guard.backfill_hours,
    )


def _finals(finals: tuple[FinalSeq, ...]) -> tuple[FinalSeq, ...]:
    return tuple(sorted(finals, key=lambda final: final.boot_id))


def finish(command: FinishTreatment, state: Known) -> Sequence[TreatmentEvent]:
    """Complete when whole, partial when the wait is over; told again when later frames change what was told.

    Why an aborted one never completes: its plan was not carried out, even if every frame of it is known.
    """
    delivered = command.delivered
    match state:
        case Ended() if delivered.whole or state.window_over:
            return [_finished(command, state, delivered)]
        case Settled() if (delivered.totals, delivered.missing_frames) != (state.totals, state.missing_frames):
            return [_finished(command, state, delivered)]
        case _:
            return []


def _finished(command: FinishTreatment, state: Ended | Settled, delivered: Delivered) -> TreatmentCompleted | TreatmentPartiallyCompleted:
    ids, on = state.binding.ids, state.started.on
    if delivered.whole and state.ended.cause != "aborted":
        return TreatmentCompleted(ids=ids, on=on, completed_at=command.at, totals=delivered.totals)
    return TreatmentPartiallyCompleted(
        ids=ids, on=on, completed_at=command.at, totals=delivered.totals, missing_frames=delivered.missing_frames
    )
