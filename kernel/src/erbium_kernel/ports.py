"""What the kernel's roles need from a log, a topic, a clock: the memory and the real adapters pass one suite each."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from erbium_kernel.decider import Guard, TimerChange
from erbium_kernel.event import Actor, Cursor, Envelope
from erbium_kernel.subscribing import Due

START = Cursor()  # before the first row


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


# --- the log -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the log: its place, its envelope, its payload (own: `data`, JSON bytes; heard: `raw` and `headers`)."""

    cursor: Cursor
    envelope: Envelope
    data: bytes | None = None
    raw: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An encoded event that waits for its place; stream and version follow from its `Append`."""

    event_id: UUID
    type: str
    schema_version: int
    ordering_id: UUID
    clinic_id: UUID | None
    subject_id: UUID | None
    data: bytes


class AnswerKey(NamedTuple):
    """The scope of an Idempotency-Key. `route` is method and path template."""

    chain_id: UUID
    client: str
    route: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command was answered, without its body (that would hold names): enough to render it again.

    `slug` and `detail`, `facts` only for a refusal; they hold no personal data. `fingerprint` = HMAC of the canonical body.
    """

    key: AnswerKey
    fingerprint: bytes
    status: int
    stream: str
    version: int
    event_id: UUID | None = None
    slug: str | None = None
    detail: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class MoveCheckpoint(NamedTuple):
    """After the append, in its transaction: `subscriber` goes from `expected` to `to`, or nothing happens at all."""

    subscriber: str
    expected: Cursor
    to: Cursor


class TimerFired(NamedTuple):
    """After the append, in its transaction: the timer (key, setting event) is gone; a successor under the key stays."""

    chain_id: UUID
    key: str
    set_by: UUID


class ParkedRowDone(NamedTuple):
    """After the append, in its transaction: this row of a parked key has been worked off."""

    subscriber: str
    chain_id: UUID
    ordering_id: UUID
    event_id: UUID


AfterAppend = MoveCheckpoint | TimerFired | ParkedRowDone


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """One command's outcome, all or nothing. No events = a refusal or a repetition that only records its answer.

    `expected` is the version the decision was made on (0 = new stream).
    """

    chain_id: UUID
    stream: str
    expected: int
    events: tuple[NewEvent, ...]
    occurred_at: datetime
    actor: Actor
    command_id: UUID
    correlation_id: UUID
    causation_id: UUID | None
    traceparent: str | None
    guards: tuple[Guard, ...] = ()
    timers: tuple[tuple[UUID, TimerChange], ...] = ()  # (setting event, change), in event order
    answer: Answer | None = None
    after: tuple[AfterAppend, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A stream's own rows in version order, and the answer that the key has been given before, if any."""

    rows: tuple[Row, ...]
    answer: Answer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedKey:
    """One ordering id that waits for an operator, in one subscriber."""

    subscriber: str
    chain_id: UUID
    ordering_id: UUID
    reason: str  # a class name and a place, never data
    attempts: int
    parked_at: datetime
    rows: int
    released: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """Put this row aside: the first of its key with a reason, the later ones behind it (reason None).

    Reason None although nothing of its key is parked (any more): the row waits in a released key, so it is never lost.
    """

    row: Row
    reason: str | None
    attempts: int = 0


class Lease(Protocol):
    """One subscriber's exclusive place in the log. Everything it does runs on one connection: if that dies, so does the lease."""

    async def checkpoint(self) -> Cursor:
        """Where the subscriber is; `Cursor()` at first."""
        ...

    async def read(self, after: Cursor, limit: int) -> Sequence[Row]:
        """The next rows in the order (epoch, tx, position), never one that an open transaction could still precede."""
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

    async def skipped(self, event_ids: Sequence[UUID]) -> frozenset[UUID]:
        """Which of these an operator has told this subscriber to skip, for ever, rebuilds included."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message of another service, as it will stand in the log."""

    chain_id: UUID
    ordering_id: UUID
    event_id: UUID
    type: str  # erbium.<service>.<fact>
    schema_version: int
    origin: str
    clinic_id: UUID | None
    subject_id: UUID | None
    occurred_at: datetime
    correlation_id: UUID
    causation_id: UUID | None
    actor: Actor
    traceparent: str | None
    raw: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A record without a usable chain, key or `ce_id`: kept as it came."""

    offset: int
    reason: str
    key: bytes | None
    raw: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One person's data key, wrapped by a master key. `erased` is final and then `wrapped` is None.

    `shared`: travels on the key topic (patients); staff keys stay where they were recorded.
    """

    chain_id: UUID
    subject_id: UUID
    wrapped: bytes | None
    erased: bool
    shared: bool
    cursor: Cursor = START


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What was read of one partition in one go; taken in with its position in one transaction."""

    topic: str
    partition: int
    expected: int  # position (next offset) before
    next: int  # position after
    heard: tuple[Heard, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    keys: tuple[Key, ...] = ()
    heartbeat_at: datetime | None = None  # machine time of the sender, the newest in the slice


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """How many messages were new and how many had been heard before."""

    new: int
    repeated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The newest sign of life of a service in one partition, and the log's place it vouches for."""

    topic: str
    partition: int
    sent_at: datetime
    cursor: Cursor  # the end of the local log when it was taken in


class Store(Protocol):
    """One service's log with everything that must commit together with it."""

    async def load(self, chain_id: UUID, stream: str, answer: AnswerKey | None = None, upto: int | None = None) -> Loaded:
        """One stream of the chain (its rows up to version `upto`), and the earlier answer under this key. Raises: Unavailable."""
        ...

    async def append(self, work: Append) -> int:
        """Promise: durable and whole when it returns; first write of its transaction; returns the stream's new version.

        Raises: VersionConflict, GuardRefused, AlreadyAnswered, LostLease (a checkpoint or timer moved), Unavailable.
        """
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

    async def due_timers(self, now: datetime, limit: int) -> Sequence[Due]:
        """Timers due at or before `now`, oldest first, of all chains."""
        ...

    async def drop_timer(self, fired: TimerFired) -> None:
        """The timer's command yielded nothing to append; it is gone all the same."""
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
        """The newest heartbeat of each partition."""
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

    async def reset_checkpoint(self, subscriber: str) -> None:
        """Back to the beginning of the log, parked keys of the subscriber forgotten, skips kept."""
        ...


# --- the topic ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A record to publish. `value` None is a tombstone."""

    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A record read back."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Outlet(Protocol):
    """The sending side. Order: per key, what one call sends stays in order and stands after what earlier calls sent."""

    async def publish(self, topic: str, records: Sequence[Outgoing]) -> int:
        """Sends a prefix of `records` (at least one; bounded by one batch per partition) and returns its length.

        Promise: every record of the prefix is acknowledged by all in-sync replicas when it returns; one batch per partition is under way
        at a time. Raises: Unavailable: nothing may be assumed sent, send the same round again.
        """
        ...

    async def publish_to_each_partition(self, topic: str, record: Outgoing, except_of: Collection[bytes] = ()) -> None:
        """The same record (a heartbeat) to every partition, except where records of the keys in `except_of` go. Raises: Unavailable."""
        ...

    async def close(self) -> None:
        """Lets go of the server, within seconds; sends nothing more."""
        ...


class Inlet(Protocol):
    """The reading side of one consumer group; positions are the caller's, Kafka's committed offset is only a hint."""

    async def cluster_id(self) -> str:
        """The id of the cluster. Raises: Unavailable."""
        ...

    async def assigned(self) -> frozenset[tuple[str, int]]:
        """The (topic, partition) pairs that are ours now and have no position set yet since they became ours."""
        ...

    async def seek(self, topic: str, partition: int, offset: int) -> None:
        """Read this partition from `offset` on."""
        ...

    async def poll(self, limit: int, wait_seconds: float) -> Sequence[Received]:
        """Records of positioned partitions, in order inside each. Raises: Unavailable; OffsetGone if a position is outside the topic."""
        ...

    async def end_offsets(self) -> Mapping[tuple[str, int], int]:
        """One past the newest record of each assigned partition. Raises: Unavailable."""
        ...

    async def hint(self, positions: Mapping[tuple[str, int], int]) -> None:
        """What the group's committed offsets show to operators' tools: best effort, now and then, never an error."""
        ...

    async def close(self) -> None:
        """Leaves the group, within seconds."""
        ...


class OffsetGone(Exception):
    """The topic no longer holds this position: it was deleted or created again. Nothing is read until an operator decides."""

    def __init__(self, topic: str, partition: int, position: int | None) -> None:
        """`position`: the next offset that was to be read; None if the reader had none."""
        self.topic, self.partition, self.position = topic, partition, position
        super().__init__(f"topic {topic}, partition {partition}: position {position} is not in the topic")
