"""What a service declares about the events it follows: reactions decide, projections keep read tables, timers fire."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from erbium_kernel.decider import Decider
from erbium_kernel.event import Envelope, Message

if TYPE_CHECKING:
    from sqlalchemy import Table

    from erbium_kernel.read_table import Change


class To(NamedTuple):
    """A command and the stream that decides it."""

    decider: Decider[Any, Any, Any]
    stream_id: UUID
    command: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """An event or heard fact leads to a command of ours. The name is stored (checkpoint), so it never changes.

    `hears`: the names this reaction wants (own stored names, or `erbium.<service>.<fact>` without version).
    `react(envelope, record)` is pure; None = nothing to do. Its command is appended in the transaction that moves the checkpoint.
    """

    name: str
    hears: frozenset[str]
    react: Callable[[Envelope, Any], To | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Events in, rows of read tables out. The name is stored, so it never changes; repeating an event changes nothing.

    `changes(envelope, record)` is pure: what of its tables changes, in order. The kernel writes it, in the chain of the event.
    `tables`: all tables it owns; a rebuild empties them and follows the log again.
    """

    name: str
    hears: frozenset[str]
    tables: tuple["Table", ...]
    changes: Callable[[Envelope, Any], Iterable["Change"]]


class Due(NamedTuple):
    """A timer whose time has come. Units: `due_at` UTC domain time."""

    chain_id: UUID
    key: str
    type: str
    due_at: datetime
    ref: UUID
    stream_id: UUID
    set_by: UUID


TimerTable = Mapping[str, Callable[[Due, datetime], To]]
Publishes = Callable[[Envelope, Any], Sequence[Message]]
