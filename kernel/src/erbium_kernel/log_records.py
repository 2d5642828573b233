"""What goes into the log, stands in it, waits beside it and comes out of it: the records that every store speaks in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from erbium_kernel.decider import Guard, TimerChange
from erbium_kernel.event import Actor, Cursor, Envelope

START = Cursor()  # before the first row
EARLIER_HEARTBEATS_MAX = 30  # of each partition: five minutes, after which a copy counts as old anyway


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the log: its place, its envelope, its payload (own: `data`, JSON bytes; heard: `raw` and `headers`)."""

    cursor: Cursor
    envelope: Envelope
    data: bytes | None = None
    raw: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Looked(NamedTuple):
    """What a look over the next rows found. `reached`: the last row that was passed, wanted or not. `at_the_end`: of what is readable."""

    rows: Sequence[Row]
    reached: Cursor
    at_the_end: bool


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
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


class Answer(msgspec.Struct, frozen=True, kw_only=True):
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
    facts: Mapping[str, Any] = {}


class Wanted(NamedTuple):
    """What a `Store.load` asks for, where several are asked together."""

    stream: str
    answer: AnswerKey | None = None
    since: str | None = None


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


class Append(msgspec.Struct, frozen=True, kw_only=True):
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


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's own rows in version order (all, or those since its state was carried forward), and the answer given before, if any."""

    rows: tuple[Row, ...]
    answer: Answer | None

    @property
    def version(self) -> int:
        """The stream's version after these rows, 0 before the first."""
        return self.rows[-1].envelope.version or 0 if self.rows else 0


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


class News(NamedTuple):
    """What has become readable: the types of the next rows and the place of the last of them.

    `more`: there are further readable rows. `hidden`: a committed row behind them waits for somebody's open transaction.
    """

    types: frozenset[str]
    to: Cursor
    more: bool
    hidden: bool

    @classmethod
    def of(cls, after: Cursor, rows: Sequence[tuple[Cursor, str, bool]], limit: int) -> "News":
        """From the next committed rows behind `after`, at most `limit`: place, type, and may a reader have it?"""
        readable = [(place, type_) for place, type_, may in rows if may]
        to = readable[-1][0] if readable else after
        return cls(frozenset(type_ for _, type_ in readable), to, more=len(readable) == limit, hidden=len(readable) < len(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A sign of life of a service in one partition, and the log's place it vouches for."""

    topic: str
    partition: int
    sent_at: datetime
    cursor: Cursor  # the end of the local log when it was taken in
