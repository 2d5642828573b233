"""What following means for a reaction (a command of ours) and for an erasure (a destroyed key)."""

from collections.abc import Sequence
from uuid import uuid5

import structlog

from erbium_kernel.errors import Rejected
from erbium_kernel.event import Actor, Cursor
from erbium_kernel.execute import Cause, execute
from erbium_kernel.log_records import AfterAppend, MoveCheckpoint, ParkedRowDone, Row
from erbium_kernel.observing import metrics
from erbium_kernel.ports import Lease
from erbium_kernel.runtime import Runtime
from erbium_kernel.subscribing import Reaction

log = structlog.get_logger(__name__)

COMMANDS_PER_STEP_MAX = 50
ERASURES_PER_STEP_MAX = 50
PATIENCE_SECONDS = 2.0  # for the key of one person; then this person's rows wait aside


class Reacting:
    """Each row leads to at most one command; its events and the checkpoint commit together, so the effect is there exactly once."""

    rows_max = 1
    turns_max = COMMANDS_PER_STEP_MAX
    aside_after_seconds: float | None = PATIENCE_SECONDS

    def __init__(self, runtime: Runtime, reaction: Reaction) -> None:
        """`reaction.react` is pure; all I/O is here."""
        self._runtime, self._reaction = runtime, reaction
        self.name, self.hears = reaction.name, reaction.hears

    async def work(self, lease: Lease, rows: Sequence[Row], move: MoveCheckpoint) -> Cursor:
        """Raises: Undecodable, VersionConflict, LostLease, Unavailable, and whatever our own code raises on this row."""
        (row,) = rows
        try:
            return move.to if await self._react(row, move) else move.expected
        except Rejected as refusal:  # handled: the rule that refuses is the answer, and the checkpoint has moved with it
            self._told(refusal)
            return move.to

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
        self._runtime.vault.forget(envelope.chain_id, envelope.ordering_id)
