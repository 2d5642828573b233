"""The memory store: what PostgreSQL promises the kernel, without I/O, for the simulation.

Why: a seeded scheduler must be able to stop between any write and its commit, and to start again from the same seed.
Limits: nothing waits for a lock; of two open transactions that exclude each other the first to commit wins.
"""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import TypeVar
from uuid import UUID

from erbium_kernel.event import Cursor
from erbium_kernel.log.memory_append import add_rows, head_of, log_rows, write_after, write_answer, write_guards, write_timers
from erbium_kernel.log.memory_intake import heard_row, move_position, not_heard_before, write_heartbeat, write_key
from erbium_kernel.log.memory_lease import MemoryLease
from erbium_kernel.log.memory_parking import forget, parked_keys, release, skip_first
from erbium_kernel.log.memory_tables import Change, ParkedPlace, Skip, Tables
from erbium_kernel.log.memory_transactions import Open, Pause, Transactions, no_pause
from erbium_kernel.log_records import (
    AnswerKey,
    Append,
    Heartbeat,
    Key,
    Loaded,
    MoveCheckpoint,
    News,
    ParkedKey,
    Row,
    Slice,
    TakenIn,
    Wanted,
)  # fmt: skip
from erbium_kernel.ports import Clock
from erbium_kernel.subscribing import Due

PARKED_DETAIL_ROWS_MAX = 1_000
T = TypeVar("T")


class MemoryStore:
    """One service's database. It outlives its users: a role that crashes is a cancelled task, and what it had open is rolled back.

    `pause(where)` is awaited at `<call>: begin`, `<call>: written` (a transaction is open, nobody sees its writes) and
    `<call>: committed` (the caller does not know yet). What it raises, the caller gets; before the commit nothing then stands.
    `tables` and `transactions` are for the eyes of the simulation's checkers.
    """

    def __init__(self, *, clock: Clock, pause: Pause = no_pause) -> None:
        """An empty log in its first epoch."""
        self._clock, self._pause, self._offset = clock, pause, timedelta()
        self.tables, self.transactions = Tables(), Transactions()
        self._leases: dict[str, MemoryLease] = {}

    async def load(
        self, chain_id: UUID, stream: str, answer: AnswerKey | None = None, upto: int | None = None, since: str | None = None
    ) -> Loaded:
        """See `ports.Store.load`."""
        await self._pause("load: begin")
        rows = self.tables.streams.get((chain_id, stream), ())[:upto]
        first = max((place for place, row in enumerate(rows) if row.envelope.type == since), default=0)
        return Loaded(rows=rows[first:], answer=self.tables.answers.get(answer) if answer else None)

    async def load_together(self, chain_id: UUID, wanted: Sequence[Wanted]) -> Sequence[Loaded]:
        """See `ports.Store.load_together`."""
        return [await self.load(chain_id, stream, answer, None, since) for stream, answer, since in wanted]

    async def append(self, work: Append) -> int:
        """All of a command or nothing. Raises: VersionConflict, GuardRefused, AlreadyAnswered, LostLease."""
        async with self._transaction("append") as opened:
            rows = self._rows(opened, work)
            await self._written("append", opened)
            head_of(self.tables, work)
            with Change() as change:
                write_guards(change, self.tables, work.chain_id, work.guards)
                write_after(change, self.tables, work.after)
                write_timers(change, self.tables, work)
                write_answer(change, self.tables, work.answer)
                add_rows(change, self.tables, rows)
        return work.expected + len(rows)

    def _rows(self, opened: Open, work: Append) -> tuple[Row, ...]:
        recorded_at = max([self._clock.now(), *(row.envelope.recorded_at for row in head_of(self.tables, work))])
        return log_rows(work, [self.transactions.place(opened) for _ in work.events], recorded_at)

    async def append_together(self, group: Sequence[Append], move: MoveCheckpoint) -> None:
        """Commands of one chain, each on a stream of its own, and the move: all or nothing. Raises: VersionConflict, LostLease."""
        async with self._transaction("append together") as opened:
            rows = [row for work in sorted(group, key=lambda work: work.stream) for row in self._rows(opened, work)]
            await self._written("append together", opened)
            with Change() as change:
                write_after(change, self.tables, (move,))
                for work in group:
                    head_of(self.tables, work)
                    write_timers(change, self.tables, work)
                add_rows(change, self.tables, rows)

    async def asked(self, questions: Sequence[Awaitable[T]]) -> Sequence[T]:
        """One after the other: nothing waits in memory."""
        return [await question for question in questions]

    async def place_of(self, chain_id: UUID, event_id: UUID) -> tuple[Cursor, str, UUID] | None:
        """Cursor, type and ordering id of an own event or a heard message, if it is in the log."""
        await self._pause("place of: begin")
        row = self.tables.log.event(chain_id, event_id)
        return (row.cursor, row.envelope.type, row.envelope.ordering_id) if row else None

    async def consequences(self, chain_id: UUID, event_id: UUID) -> Sequence[UUID]:
        """The own events that reactions have appended because of this event or message, oldest first."""
        await self._pause("consequences: begin")
        caused = (row.envelope for row in self.tables.log.after(Cursor()) if row.envelope.causation_id == event_id)
        return [envelope.event_id for envelope in caused if envelope.chain_id == chain_id and envelope.origin is None]

    # --- readers

    @asynccontextmanager
    async def lease(self, subscriber: str) -> AsyncIterator[MemoryLease | None]:
        """The exclusive right to be this subscriber, or None if somebody else is."""
        await self._pause("lease: begin")
        if subscriber in self._leases:
            yield None
            return
        lease = MemoryLease(subscriber, self.tables, self.transactions, self._clock, self._pause)
        self._leases[subscriber] = lease
        try:
            yield lease
        finally:
            self._end_lease(lease)

    def cut_lease(self, subscriber: str) -> None:
        """The connection that holds this lease dies: its owner learns it at his next call, the name is free at once."""
        if subscriber in self._leases:
            self._end_lease(self._leases[subscriber])

    def _end_lease(self, lease: MemoryLease) -> None:
        lease.alive = False
        if self._leases.get(lease.subscriber) is lease:
            del self._leases[lease.subscriber]

    async def checkpoints(self) -> Mapping[str, Cursor]:
        """All subscribers' checkpoints."""
        await self._pause("checkpoints: begin")
        return dict(self.tables.checkpoints)

    async def end(self) -> Cursor:
        """The place of the last row that a reader may reach now; `Cursor()` if there is none."""
        await self._pause("end: begin")
        return self.tables.log.last_below(self.transactions.epoch, self.transactions.horizon())

    async def news(self, after: Cursor, limit: int) -> News:
        """What stands behind this place, of at most `limit` rows."""
        await self._pause("news: begin")
        rows = list(islice(self.tables.log.after(after), limit))
        return News.of(after, [(row.cursor, row.envelope.type, self.transactions.readable(row.cursor)) for row in rows], limit)

    async def reset_checkpoint(self, subscriber: str) -> None:
        """What a rebuild does: back to the beginning of the log, parked keys of the subscriber forgotten, skips kept."""
        await self._pause("reset checkpoint: begin")
        with Change() as change:
            change.drop(self.tables.checkpoints, subscriber)
            forget(change, self.tables, subscriber)

    def new_epoch(self) -> None:
        """What a restore into a fresh cluster does to the order: transaction ids start at 1 again; what was open is rolled back."""
        self.transactions.new_epoch()
        for subscriber in list(self._leases):
            self.cut_lease(subscriber)

    # --- timers

    async def due_timers(self, now: datetime, limit: int) -> Sequence[Due]:
        """Timers due at or before `now`, oldest first, of all chains."""
        await self._pause("due timers: begin")
        due = (timer for timer in self.tables.timers.values() if timer.due_at <= now)
        return sorted(due, key=lambda timer: (timer.due_at, timer.chain_id, timer.key))[:limit]

    # --- intake

    async def positions(self, topic: str) -> Mapping[int, int]:
        """Partition -> next offset to read. A partition never read is absent."""
        await self._pause("positions: begin")
        return {partition: offset for (name, partition), offset in self.tables.positions.items() if name == topic}

    async def cluster_id(self, seen: str) -> str:
        """The Kafka cluster that the positions belong to; the first one seen is remembered."""
        await self._pause("cluster id: begin")
        return self.tables.clusters.setdefault("kafka", seen)

    async def take_in(self, part: Slice) -> TakenIn:
        """Heard rows, unreadable ones, keys, heartbeat and the position, all or nothing. Raises: LostLease."""
        async with self._transaction("take in") as opened:
            rows = [heard_row(heard, self.transactions.place(opened), self._clock.now()) for heard in part.heard]
            await self._written("take in", opened)
            fresh = not_heard_before(self.tables, rows)
            with Change() as change:
                for record in part.unreadable:
                    change.put(self.tables.unreadable, (part.topic, part.partition, record.offset), record)
                for key in part.keys:
                    write_key(change, self.tables, key, self.transactions.place(opened), self._clock.machine())
                write_heartbeat(change, self.tables, part, fresh)
                move_position(change, self.tables, part)
                add_rows(change, self.tables, fresh)
        return TakenIn(new=len(fresh), repeated=len(rows) - len(fresh))

    async def heartbeats(self, topic: str) -> Sequence[Heartbeat]:
        """The newest heartbeats of each partition, the oldest first."""
        await self._pause("heartbeats: begin")
        return [beat for (name, _), beats in sorted(self.tables.heartbeats.items()) if name == topic for beat in beats]

    async def keys(self, chain_id: UUID, subject_ids: Sequence[UUID]) -> Mapping[UUID, Key]:
        """The keys that are here (erased ones included)."""
        await self._pause("keys: begin")
        return {subject: row.key for subject in subject_ids if (row := self.tables.keys.get((chain_id, subject)))}

    async def ensure_key(self, key: Key) -> Key:
        """Stores a new person's key unless there is one; returns the one that stands (maybe erased)."""
        async with self._transaction("ensure key") as opened:
            await self._written("ensure key", opened)
            if (key.chain_id, key.subject_id) not in self.tables.keys:
                with Change() as change:
                    write_key(change, self.tables, key, self.transactions.place(opened), self._clock.machine())
        return self.tables.keys[key.chain_id, key.subject_id].key

    async def erase_key(self, chain_id: UUID, subject_id: UUID) -> None:
        """Final: no later key of this person is ever accepted. Repeating changes nothing."""
        erased = Key(chain_id=chain_id, subject_id=subject_id, wrapped=None, erased=True, shared=True)
        async with self._transaction("erase key") as opened:
            await self._written("erase key", opened)
            with Change() as change:
                write_key(change, self.tables, erased, self.transactions.place(opened), self._clock.machine())

    async def changed_keys(self, after: Cursor, limit: int, before: datetime | None = None) -> Sequence[Key]:
        """Shared keys changed after this place, in order; `before`: only those changed until then (machine time)."""
        await self._pause("changed keys: begin")
        shared = (row for row in self.tables.keys.values() if row.key.shared and row.key.cursor > after)
        ordered = sorted(shared, key=lambda row: row.key.cursor)
        readable = takewhile(lambda row: self.transactions.readable(row.key.cursor), ordered)
        old_enough = takewhile(lambda row: before is None or row.changed_at <= before, readable)
        return [row.key for row in islice(old_enough, limit)]

    async def parked(self) -> Sequence[ParkedKey]:
        """All parked keys of all subscribers."""
        await self._pause("parked: begin")
        return parked_keys(self.tables)

    async def parked_in(self, chain_id: UUID, ordering_id: UUID) -> frozenset[str]:
        """The subscribers in which this key waits for an operator, released or not."""
        await self._pause("parked in: begin")
        return frozenset(p.subscriber for p in self.tables.parked if (p.chain_id, p.ordering_id) == (chain_id, ordering_id))

    async def parked_detail(self, subscriber: str, chain_id: UUID, ordering_id: UUID) -> Sequence[Row]:
        """The rows of one parked key, oldest first."""
        await self._pause("parked detail: begin")
        return self.tables.parked_rows.get(ParkedPlace(subscriber, chain_id, ordering_id), ())[:PARKED_DETAIL_ROWS_MAX]

    async def skip_parked(self, subscriber: str, chain_id: UUID, ordering_id: UUID, event_id: UUID, by: str, reason: str) -> None:
        """Skips the first row of a parked key, this event, for ever, and releases the rest. Raises: NotFound, Rejected."""
        await self._pause("skip parked: begin")
        with Change() as change:
            skip = Skip(by, reason, self._clock.machine())
            skip_first(change, self.tables, ParkedPlace(subscriber, chain_id, ordering_id), event_id, skip)

    async def retry_parked(self, subscriber: str, chain_id: UUID, ordering_id: UUID) -> None:
        """Releases a parked key with its first row. Raises: NotFound."""
        await self._pause("retry parked: begin")
        with Change() as change:
            release(change, self.tables, ParkedPlace(subscriber, chain_id, ordering_id))

    async def clock_offset(self) -> timedelta:
        """How far development has moved domain time."""
        return self._offset

    async def set_clock_offset(self, offset: timedelta) -> None:
        """Development only."""
        self._offset = offset

    @asynccontextmanager
    async def _transaction(self, what: str) -> AsyncIterator[Open]:
        """Given its id here, committed when the block ends; an error or a cancellation in the block rolls it back."""
        await self._pause(f"{what}: begin")
        opened = self.transactions.begin()
        try:
            yield opened
        finally:
            self.transactions.end(opened)
        await self._pause(f"{what}: committed")

    async def _written(self, what: str, opened: Open) -> None:
        await self._pause(f"{what}: written")
        self.transactions.check_open(opened)
