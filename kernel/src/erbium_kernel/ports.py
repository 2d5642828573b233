"""What the kernel's roles need from a log and a clock: the memory and the real adapters pass one suite each."""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from erbium_kernel.event import Cursor
from erbium_kernel.log_records import (
    AnswerKey,
    Append,
    Heartbeat,
    Key,
    Loaded,
    Looked,
    MoveCheckpoint,
    News,
    Park,
    ParkedKey,
    ParkedRowDone,
    Row,
    Slice,
    TakenIn,
    Wanted,
)
from erbium_kernel.subscribing import Due

T = TypeVar("T")


class Clock(Protocol):
    """Domain time and machine time are two things: development may shift the first, never the second."""

    def now(self) -> datetime:
        """Domain time, UTC: `at` of commands, `occurred_at`, due timers."""
        ...

    def machine(self) -> datetime:
        """Machine time, UTC: tokens, leases, deadlines, lag, heartbeats, tombstones."""
        ...


class Ids(Protocol):
    """Where new ids and random bytes come from; seeded in the simulation."""

    def new(self) -> UUID:
        """A UUIDv7 of machine time."""
        ...

    def token(self, n: int) -> bytes:
        """`n` unpredictable bytes."""
        ...


class Lease(Protocol):
    """One subscriber's exclusive place in the log. Everything it does runs on one connection: if that dies, so does the lease."""

    async def checkpoint(self) -> Cursor:
        """Where the subscriber is; `Cursor()` at first."""
        ...

    async def read(self, after: Cursor, limit: int) -> Sequence[Row]:
        """The next rows in the order (epoch, tx, position), never one that an open transaction could still precede."""
        ...

    async def look(self, after: Cursor, limit: int, hears: Collection[str]) -> Looked:
        """Goes over the next `limit` rows as `read` does, and brings those of these types: what nobody here wants stays where it is."""
        ...

    async def hides(self, after: Cursor) -> bool:
        """Is anything committed after this place that cannot be read yet, because an open transaction could still precede it?

        Meant for a reader that has just read to the end: what it then vouches for must not hide behind somebody's open transaction.
        """
        ...

    async def move(self, expected: Cursor, to: Cursor, park: Sequence[Park] = ()) -> None:
        """Compare-and-set of the checkpoint, with rows parked in the same transaction. Raises: LostLease."""
        ...

    async def parked_keys(self) -> Mapping[tuple[UUID, UUID], bool]:
        """(chain, ordering id) -> released by an operator? of this subscriber."""
        ...

    async def skips(self) -> frozenset[tuple[UUID, UUID]]:
        """(chain, event): all that an operator has told this subscriber to skip, for ever, rebuilds included.

        Only what is parked can be skipped, so a reader needs to ask once, when it begins: rows it has yet to read are not concerned.
        """
        ...

    async def parked_rows(self, chain_id: UUID, ordering_id: UUID, limit: int) -> Sequence[Row]:
        """The rows of a parked key, oldest first."""
        ...

    async def parked_row_done(self, done: ParkedRowDone) -> None:
        """A released row has had its effect; the key is free again with its last row. Raises: LostLease if the row is no longer there."""
        ...

    async def park_again(self, chain_id: UUID, ordering_id: UUID, reason: str) -> None:
        """A released key failed again: it waits for the operator as before."""
        ...


class Store(Protocol):
    """One service's log with everything that must commit together with it."""

    async def load(
        self, chain_id: UUID, stream: str, answer: AnswerKey | None = None, upto: int | None = None, since: str | None = None
    ) -> Loaded:
        """One stream of the chain, and the earlier answer under this key. Raises: Unavailable.

        Its rows up to version `upto`; of these, those from the last one of type `since` on, if there is one.
        """
        ...

    async def load_together(self, chain_id: UUID, wanted: Sequence[Wanted]) -> Sequence[Loaded]:
        """Each as by `load`, in one round trip. Raises: Unavailable."""
        ...

    async def append(self, work: Append) -> int:
        """Promise: durable and whole when it returns; first write of its transaction; returns the stream's new version.

        Raises: VersionConflict, GuardRefused, AlreadyAnswered, LostLease (a checkpoint or timer moved), Unavailable.
        """
        ...

    async def append_together(self, group: Sequence[Append], move: MoveCheckpoint) -> None:
        """Commands of one chain, each on a stream of its own, without guards, answers and effects; they and the move commit, or nothing.

        Raises: VersionConflict (one of them), LostLease, Unavailable.
        """
        ...

    async def asked(self, questions: Sequence[Awaitable[T]]) -> Sequence[T]:
        """The answers to questions to this store, in their order, asked beside each other. None of them may raise."""
        ...

    def lease(self, subscriber: str) -> AbstractAsyncContextManager[Lease | None]:
        """The exclusive right to be this subscriber, or None if somebody else is."""
        ...

    async def place_of(self, chain_id: UUID, event_id: UUID) -> tuple[Cursor, str, UUID] | None:
        """Cursor, type and ordering id of an own event or a heard message, if it is in the log."""
        ...

    async def consequences(self, chain_id: UUID, event_id: UUID) -> Sequence[UUID]:
        """The own events that reactions have appended because of this event or message, oldest first."""
        ...

    async def checkpoints(self) -> Mapping[str, Cursor]:
        """All subscribers' checkpoints."""
        ...

    async def end(self) -> Cursor:
        """The newest place a reader may reach now."""
        ...

    async def news(self, after: Cursor, limit: int) -> News:
        """What stands behind this place, of at most `limit` rows. Cheap however long the log is: it is asked all the time."""
        ...

    async def due_timers(self, now: datetime, limit: int) -> Sequence[Due]:
        """Timers due at or before `now`, oldest first, of all chains."""
        ...

    async def positions(self, topic: str) -> Mapping[int, int]:
        """Partition -> next offset to read. A partition never read is absent."""
        ...

    async def cluster_id(self, seen: str) -> str:
        """The Kafka cluster that the positions belong to; the first one seen is remembered."""
        ...

    async def take_in(self, part: Slice) -> TakenIn:
        """Heard rows, unreadable ones, keys, heartbeat and the position, in one transaction. Raises: LostLease if the position moved."""
        ...

    async def heartbeats(self, topic: str) -> Sequence[Heartbeat]:
        """The newest heartbeats of each partition, the oldest first: of a busy log the newest one counts a moment later than it comes."""
        ...

    async def keys(self, chain_id: UUID, subject_ids: Sequence[UUID]) -> Mapping[UUID, Key]:
        """The keys that are here (erased ones included)."""
        ...

    async def ensure_key(self, key: Key) -> Key:
        """Stores a new person's key unless there is one; returns the one that stands (maybe erased)."""
        ...

    async def erase_key(self, chain_id: UUID, subject_id: UUID) -> None:
        """Final: no later key of this person is ever accepted. Repeating changes nothing."""
        ...

    async def changed_keys(self, after: Cursor, limit: int, before: datetime | None = None) -> Sequence[Key]:
        """Shared keys changed after this place, in order; `before`: only those changed until then (machine time)."""
        ...

    async def parked(self) -> Sequence[ParkedKey]:
        """All parked keys of all subscribers."""
        ...

    async def parked_in(self, chain_id: UUID, ordering_id: UUID) -> frozenset[str]:
        """The subscribers in which this key waits for an operator, released or not."""
        ...

    async def parked_detail(self, subscriber: str, chain_id: UUID, ordering_id: UUID) -> Sequence[Row]:
        """The rows of one parked key, oldest first (at most 1,000)."""
        ...

    async def skip_parked(self, subscriber: str, chain_id: UUID, ordering_id: UUID, event_id: UUID, by: str, reason: str) -> None:
        """Skips the first row of a parked key, this event, for ever (recorded), and releases the rest.

        Raises: NotFound; Rejected if it is not the first row, or the key is released already.
        """
        ...

    async def retry_parked(self, subscriber: str, chain_id: UUID, ordering_id: UUID) -> None:
        """Releases a parked key with its first row: the fault is mended. Raises: NotFound."""
        ...

    async def clock_offset(self) -> timedelta:
        """How far development has moved domain time; zero in production."""
        ...

    async def set_clock_offset(self, offset: timedelta) -> None:
        """Development only; kept in the service's database, so that all of its processes see it."""
        ...
