"""What one append changes besides its log rows, in the order in which PostgreSQL's function writes it: the answer last."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never
from uuid import UUID

from erbium_kernel.decider import CancelTimer, Claim, FreeName, Guard, Release, SetTimer, TakeName
from erbium_kernel.errors import AlreadyAnswered, GuardRefused, LostLease, VersionConflict
from erbium_kernel.event import Cursor, Envelope
from erbium_kernel.log.memory_parking import row_done
from erbium_kernel.log.memory_tables import Change, Tables
from erbium_kernel.log_records import AfterAppend, Answer, Append, MoveCheckpoint, NewEvent, ParkedRowDone, Row, TimerFired
from erbium_kernel.subscribing import Due


def log_rows(work: Append, places: Sequence[Cursor], recorded_at: datetime) -> tuple[Row, ...]:
    """The rows of one command, with the versions that follow the expected one."""
    numbered = enumerate(zip(work.events, places, strict=True), start=work.expected + 1)
    return tuple(
        Row(cursor=place, envelope=_envelope(work, event, version, recorded_at), data=event.data) for version, (event, place) in numbered
    )


def head_of(tables: Tables, work: Append) -> tuple[Row, ...]:
    """The stream's last row, if any. Raises: VersionConflict if it is not the version that the decision was made on."""
    rows = tables.streams.get((work.chain_id, work.stream), ())
    if len(rows) != work.expected:
        raise VersionConflict
    return rows[-1:]


def add_rows(change: Change, tables: Tables, rows: Sequence[Row]) -> None:
    """The rows stand in the log and in their streams; nothing may fail afterwards."""
    for row in rows:
        envelope = row.envelope
        assert tables.log.event(envelope.chain_id, envelope.event_id) is None, "an event id is unique for ever"
        if envelope.stream is not None:
            stream = envelope.chain_id, envelope.stream
            change.put(tables.streams, stream, (*tables.streams.get(stream, ()), row))
    for row in rows:
        tables.log.add(row)


def _envelope(work: Append, event: NewEvent, version: int, recorded_at: datetime) -> Envelope:
    return Envelope(
        chain_id=work.chain_id,
        ordering_id=event.ordering_id,
        event_id=event.event_id,
        type=event.type,
        schema_version=event.schema_version,
        origin=None,
        stream=work.stream,
        version=version,
        clinic_id=event.clinic_id,
        subject_id=event.subject_id,
        occurred_at=work.occurred_at,
        recorded_at=recorded_at,
        command_id=work.command_id,
        correlation_id=work.correlation_id,
        causation_id=work.causation_id,
        actor=work.actor,
        traceparent=work.traceparent,
    )


def write_guards(change: Change, tables: Tables, chain_id: UUID, guards: Sequence[Guard]) -> None:
    """Claims, releases and names, in the command's own order. Raises: GuardRefused."""
    for guard in guards:
        match guard:
            case Claim():
                _claim(change, tables, chain_id, guard)
            case Release():
                held = tables.claims.get((chain_id, guard.resource), ())
                change.put(tables.claims, (chain_id, guard.resource), tuple(c for c in held if c.holder != guard.holder))
            case TakeName():
                if (chain_id, guard.name, guard.value) in tables.names:
                    raise GuardRefused(guard.name)
                change.put(tables.names, (chain_id, guard.name, guard.value), guard)
            case FreeName():
                change.drop(tables.names, (chain_id, guard.name, guard.value))
            case _:
                assert_never(guard)


def _claim(change: Change, tables: Tables, chain_id: UUID, claim: Claim) -> None:
    held = tables.claims.get((chain_id, claim.resource), ())
    if any(claim.starts_at < other.ends_at and other.starts_at < claim.ends_at for other in held):
        raise GuardRefused(str(claim.resource))
    change.put(tables.claims, (chain_id, claim.resource), (*held, claim))


def write_timers(change: Change, tables: Tables, work: Append) -> None:
    """Timers set and cancelled, in event order; a timer set again under its key replaces the old one."""
    for set_by, timer in work.timers:
        match timer:
            case SetTimer():
                due = Due(work.chain_id, timer.key, timer.type, timer.due_at, timer.ref, UUID(work.stream[-36:]), set_by)
                change.put(tables.timers, (work.chain_id, timer.key), due)
            case CancelTimer():
                change.drop(tables.timers, (work.chain_id, timer.key))
            case _:
                assert_never(timer)


def write_after(change: Change, tables: Tables, after: Sequence[AfterAppend]) -> None:
    """Checkpoint moved, timer gone, parked row done. Raises: LostLease if what was expected no longer stands.

    Why before the timers: a command may set a successor under the key of the timer that fired it.
    """
    for effect in after:
        match effect:
            case MoveCheckpoint():
                move_checkpoint(change, tables, effect)
            case TimerFired():
                if not _drop_timer(change, tables, effect):
                    raise LostLease(f"the timer {effect.key} has been changed")
            case ParkedRowDone():
                if not row_done(change, tables, effect):
                    raise LostLease("the parked row is no longer there")
            case _:
                assert_never(effect)


def move_checkpoint(change: Change, tables: Tables, move: MoveCheckpoint) -> None:
    """Compare-and-set. Raises: LostLease."""
    if tables.checkpoints.get(move.subscriber, Cursor()) != move.expected:
        raise LostLease(f"{move.subscriber} is no longer at {move.expected}")
    change.put(tables.checkpoints, move.subscriber, move.to)


def _drop_timer(change: Change, tables: Tables, fired: TimerFired) -> bool:
    """Deletes the timer that this event set, not its successor; was it there?"""
    standing = tables.timers.get((fired.chain_id, fired.key))
    if standing is None or standing.set_by != fired.set_by:
        return False
    change.drop(tables.timers, (fired.chain_id, fired.key))
    return True


def write_answer(change: Change, tables: Tables, answer: Answer | None) -> None:
    """A key is answered once. Raises: AlreadyAnswered."""
    if answer is None:
        return
    if answer.key in tables.answers:
        raise AlreadyAnswered
    change.put(tables.answers, answer.key, answer)
