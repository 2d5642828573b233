"""What the memory store has committed: tables of immutable values, and changes to them that can be taken back."""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self, TypeVar
from uuid import UUID

from erbium_kernel.decider import Claim, TakeName
from erbium_kernel.event import Cursor
from erbium_kernel.log_records import Answer, AnswerKey, Heartbeat, Key, Row, Unreadable
from erbium_kernel.subscribing import Due

K = TypeVar("K")
V = TypeVar("V")


class KeyRow(NamedTuple):
    """A person's key and when it last changed (machine time)."""

    key: Key
    changed_at: datetime


class ParkedPlace(NamedTuple):
    """Where a parked key waits: one ordering id of one chain in one subscriber."""

    subscriber: str
    chain_id: UUID
    ordering_id: UUID


class ParkedState(NamedTuple):
    """Why and since when a key waits (machine time), and whether an operator let it go on."""

    reason: str
    attempts: int
    parked_at: datetime
    released: bool


class Skip(NamedTuple):
    """Who told a subscriber to pass over an event for ever, why and when (machine time)."""

    by: str
    reason: str
    at: datetime


class CommittedLog:
    """The committed rows in the order (epoch, tx, position)."""

    def __init__(self) -> None:
        """An empty log."""
        self._order: list[Cursor] = []
        self._rows: dict[Cursor, Row] = {}
        self._events: dict[tuple[UUID, UUID], Row] = {}

    def add(self, row: Row) -> None:
        """One row more, wherever in the order it belongs."""
        insort(self._order, row.cursor)
        self._rows[row.cursor] = row
        self._events[row.envelope.chain_id, row.envelope.event_id] = row

    def after(self, place: Cursor) -> Iterator[Row]:
        """The rows behind a place, in order."""
        for n in range(bisect_right(self._order, place), len(self._order)):
            yield self._rows[self._order[n]]

    def event(self, chain_id: UUID, event_id: UUID) -> Row | None:
        """The own event or heard message with this id."""
        return self._events.get((chain_id, event_id))

    def newest(self) -> Cursor:
        """The place of the last committed row, whatever is still open before it; `Cursor()` if there is none."""
        return self._order[-1] if self._order else Cursor()

    def last_below(self, epoch: int, tx: int) -> Cursor:
        """The place of the last row whose transaction precedes `tx` of `epoch`; `Cursor()` if there is none."""
        n = bisect_right(self._order, Cursor(epoch, tx, -1))
        return self._order[n - 1] if n else Cursor()


@dataclass(slots=True)
class Tables:
    """All that outlives a crash of the process. Every value is immutable, so a change is undone by putting the old one back."""

    log: CommittedLog = field(default_factory=CommittedLog)
    streams: dict[tuple[UUID, str], tuple[Row, ...]] = field(default_factory=dict)
    claims: dict[tuple[UUID, UUID], tuple[Claim, ...]] = field(default_factory=dict)
    names: dict[tuple[UUID, str, str], TakeName] = field(default_factory=dict)
    timers: dict[tuple[UUID, str], Due] = field(default_factory=dict)
    answers: dict[AnswerKey, Answer] = field(default_factory=dict)
    checkpoints: dict[str, Cursor] = field(default_factory=dict)
    parked: dict[ParkedPlace, ParkedState] = field(default_factory=dict)
    parked_rows: dict[ParkedPlace, tuple[Row, ...]] = field(default_factory=dict)
    skips: dict[tuple[str, UUID, UUID], Skip] = field(default_factory=dict)
    positions: dict[tuple[str, int], int] = field(default_factory=dict)
    unreadable: dict[tuple[str, int, int], Unreadable] = field(default_factory=dict)
    heartbeats: dict[tuple[str, int], tuple[Heartbeat, ...]] = field(default_factory=dict)
    keys: dict[tuple[UUID, UUID], KeyRow] = field(default_factory=dict)
    clusters: dict[str, str] = field(default_factory=dict)


class Change:
    """Writes to the tables that all stand, or, when an error leaves the `with` block, were never there.

    Why: nothing is awaited inside the block, so no other transaction sees a half of it.
    """

    def __init__(self) -> None:
        """Nothing has been changed yet."""
        self._undo: list[Callable[[], object]] = []

    def __enter__(self) -> Self:
        """The change begins."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """On an error every write is taken back, the last one first."""
        if kind is not None:
            for take_back in reversed(self._undo):
                take_back()

    def put(self, table: dict[K, V], key: K, value: V) -> None:
        """Inserts or replaces."""
        self._remember(table, key)
        table[key] = value

    def drop(self, table: dict[K, V], key: K) -> None:
        """Deletes, if it is there."""
        self._remember(table, key)
        table.pop(key, None)

    def _remember(self, table: dict[K, V], key: K) -> None:
        before = partial(table.__setitem__, key, table[key]) if key in table else partial(table.pop, key, None)
        self._undo.append(before)
