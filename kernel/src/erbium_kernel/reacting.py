"""What following means for a reaction (a command of ours) and for an erasure (a destroyed key)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import UUID, uuid5

import structlog
from msgspec.structs import replace as changed

from erbium_kernel.errors import Rejected
from erbium_kernel.event import Actor, Cursor
from erbium_kernel.execute import Cause, execute
from erbium_kernel.log_records import AfterAppend, Append, MoveCheckpoint, ParkedRowDone, Row
from erbium_kernel.observing import metrics
from erbium_kernel.ports import Lease, Store
from erbium_kernel.runtime import Runtime
from erbium_kernel.subscribing import Reaction, To

log = structlog.get_logger(__name__)

COMMANDS_TOGETHER_MAX = 50  # in one transaction
COMMANDS_PER_STEP_MAX = 50  # transactions
ERASURES_PER_STEP_MAX = 50
PATIENCE_SECONDS = 2.0  # for the key of one person; then this person's rows wait aside


class Reacting:
    """Each row leads to at most one command; its events and the checkpoint commit together, so the effect is there exactly once."""

    rows_max = COMMANDS_TOGETHER_MAX
    turns_max = COMMANDS_PER_STEP_MAX
    aside_after_seconds: float | None = PATIENCE_SECONDS

    def __init__(self, runtime: Runtime, reaction: Reaction) -> None:
        """`reaction.react` is pure; all I/O is here."""
        self._runtime, self._reaction = runtime, reaction
        self.name, self.hears = reaction.name, reaction.hears

    async def work(self, lease: Lease, rows: Sequence[Row], move: MoveCheckpoint) -> Cursor:
        """Raises: Undecodable, VersionConflict, LostLease, Unavailable, and whatever our own code raises on this row."""
        if len(rows) > 1:
            return await self._together(rows, move)
        (row,) = rows
        try:
            return move.to if await self._react(row, move) else move.expected
        except Rejected as refusal:  # handled: the rule that refuses is the answer, and the checkpoint has moved with it
            self._told(refusal)
            return move.to

    async def _together(self, rows: Sequence[Row], move: MoveCheckpoint) -> Cursor:
        """As many of the rows as go into one append: of one chain, no stream and no ordering id twice. Why: each alone waits for the disk.

        Raises: whatever is in the way of one of them; nothing is written then, and each is told its own trouble when it goes alone.
        """
        commands: dict[str, tuple[Row, To]] = {}
        taken, keys, chain_id = 0, set[UUID](), rows[0].envelope.chain_id
        for row in rows:
            to = self._reaction.react(row.envelope, self._runtime.codec.decode(row))
            if to is not None:
                stream = to.decider.stream(to.stream_id)
                if stream in commands or row.envelope.ordering_id in keys or row.envelope.chain_id != chain_id:
                    break
                commands[stream] = row, to
                keys.add(row.envelope.ordering_id)
            taken += 1
        if not commands:
            return move.expected if taken == len(rows) else rows[taken - 1].cursor
        move = move if taken == len(rows) else move._replace(to=rows[taken - 1].cursor)
        gathering = _Gathering(self._runtime.store)
        runtime = replace(self._runtime, store=cast(Store, gathering))
        troubles = await runtime.store.asked([self._decided(runtime, row, to, move) for row, to in commands.values()])
        for error in troubles:
            if error is not None and not isinstance(error, Rejected):
                raise error
        await self._runtime.store.append_together(gathering.together(), move)
        for refusal in troubles:
            if isinstance(refusal, Rejected):
                self._told(refusal)
        return move.to

    async def _decided(self, runtime: Runtime, row: Row, to: To, move: MoveCheckpoint) -> Exception | None:
        try:
            cause = cause_of(row, self.name)
            await execute(runtime, row.envelope.chain_id, to.decider, to.stream_id, to.command, cause=cause, after=(move,))
        except Exception as error:  # noqa: BLE001  # told apart when all have been decided
            return error
        return None

    async def work_parked(self, lease: Lease, row: Row, done: ParkedRowDone) -> None:
        """Raises: as `work`."""
        try:
            if not await self._react(row, done):
                await lease.parked_row_done(done)
        except Rejected as refusal:  # handled, and `done` has committed with it
            self._told(refusal)

    def _told(self, refusal: Rejected) -> None:
        """Why: a refusal in the background has no caller who reads it."""
        metrics.refused_in_background(self.name, refusal.slug)
        log.info("refused", subscriber=self.name, reason=refusal.slug)

    async def _react(self, row: Row, after: AfterAppend) -> bool:
        """Was there a command, and has `after` committed with it?"""
        to = self._reaction.react(row.envelope, self._runtime.codec.decode(row))
        if to is None:
            return False
        await execute(
            self._runtime, row.envelope.chain_id, to.decider, to.stream_id, to.command, cause=cause_of(row, self.name), after=(after,)
        )
        return True


class _GoesAlone(Exception):
    """These commands cannot share an append: one claims something, or two speak of the same key, whose order it is to keep."""


class _Gathering:
    """A store to decide on: what would be appended is kept, to be appended together."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._works: list[Append] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, work: Append) -> int:
        if work.guards or work.answer:
            raise _GoesAlone
        self._works.append(changed(work, after=()))
        return work.expected + len(work.events)

    def together(self) -> Sequence[Append]:
        spoken_of = [key for work in self._works for key in {event.ordering_id for event in work.events}]
        if len(spoken_of) != len(set(spoken_of)):
            raise _GoesAlone
        return self._works


def cause_of(row: Row, subscriber: str) -> Cause:
    """The same row under the same subscriber is always the same command."""
    return Cause(
        actor=Actor(kind="reaction", id=subscriber),
        command_id=uuid5(row.envelope.event_id, subscriber),
        correlation_id=row.envelope.correlation_id,
        causation_id=row.envelope.event_id,
        traceparent=row.envelope.traceparent,
    )


class Erasing:
    """The key of an erased person is destroyed in this service too. Why by ordering id: what cannot be decoded must still be obeyed."""

    rows_max = 1
    turns_max = ERASURES_PER_STEP_MAX
    aside_after_seconds: float | None = None

    def __init__(self, runtime: Runtime, name: str, erased_by: frozenset[str]) -> None:
        """`erased_by`: the names of the facts; their ordering id is the person."""
        self._runtime = runtime
        self.name, self.hears = name, erased_by

    async def work(self, _: Lease, rows: Sequence[Row], move: MoveCheckpoint) -> Cursor:
        """Erases first and lets the caller move: repeating an erasure changes nothing. Raises: Unavailable."""
        await self._erase(rows[0])
        return move.expected

    async def work_parked(self, lease: Lease, row: Row, done: ParkedRowDone) -> None:
        """Raises: Unavailable."""
        await self._erase(row)
        await lease.parked_row_done(done)

    async def _erase(self, row: Row) -> None:
        envelope = row.envelope
        await self._runtime.store.erase_key(envelope.chain_id, envelope.ordering_id)
        self._runtime.forget(envelope.chain_id, envelope.ordering_id)
