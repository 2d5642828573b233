"""The shape of every aggregate: events, state, decide; guards and timers follow from the events. No I/O, clock or id here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from erbium_kernel.event import EventTable

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """`holder` takes `resource` from `starts_at` to `ends_at` (UTC, half-open); the database refuses any overlap."""

    resource: UUID
    starts_at: datetime
    ends_at: datetime
    holder: UUID

    def __post_init__(self) -> None:
        """Refuses a claim that would guard nothing, where it is made: the database would only tell of it in the middle of an append."""
        assert self.starts_at < self.ends_at, f"a claim from {self.starts_at} to {self.ends_at} takes no time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`holder` gives `resource` back, all of its times."""

    resource: UUID
    holder: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeName:
    """`value` becomes unique under `name` in the chain. Never personal data: the row outlives an erasure."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeName:
    """`value` under `name` may be taken again."""

    name: str
    value: str


Guard = Claim | Release | TakeName | FreeName


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTimer:
    """Fire `type` at `due_at` (domain time, UTC) for entity `ref`; a timer set again under the same key replaces the old one."""

    key: str
    type: str
    due_at: datetime
    ref: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTimer:
    """The timer under `key`, if any, does not fire."""

    key: str


TimerChange = SetTimer | CancelTimer


def nothing(_: Any) -> Sequence[Any]:
    """No guards, no timers."""
    return ()


def by_stream(_: Any, stream_id: UUID) -> UUID:
    """Facts of this aggregate stay in order by the aggregate itself."""
    return stream_id


@dataclass(frozen=True, slots=True)
class Carry(Generic[S, E]):
    """How a long stream is closed and continued: an event of type `record` holds the state whole, and folding begins at the last one.

    Promise of `of`: `evolve(anything, of(state)) == state`. It takes nothing, frees nothing, sets no timer and is told to nobody.
    """

    record: type[E]
    of: Callable[[S], E]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider(Generic[C, S, E]):
    """One aggregate. `decide` is total and pure; a repeated command yields no events; a refusal is a `Rejected`.

    `ordering(event, stream_id)` names what must stay in order across streams: the patient, else the device, else the stream.
    An event with a field `clinic_id` happened at that clinic.
    `guard_refusal(resource or name)` turns a refused guard into the refusal the caller reads.
    `carry`: for streams that may get long; None where they cannot.
    `staff`: personal values in its events are those of staff, whose keys stay in this service; else of patients, whose keys travel.
    """

    category: str
    events: EventTable
    initial: S
    decide: Callable[[C, S], Sequence[E]]
    evolve: Callable[[S, E], S]
    guards: Callable[[E], Sequence[Guard]] = nothing
    timers: Callable[[E], Sequence[TimerChange]] = nothing
    ordering: Callable[[E, UUID], UUID] = by_stream
    guard_refusal: Callable[[str], Exception] | None = None
    staff: bool = False
    carry: Carry[S, E] | None = None

    @property
    def carried_as(self) -> str | None:
        """The stored name of the event that carries the state forward; None where streams stay short."""
        carry = self.carry
        if carry is None:
            return None
        return next((name for name, stored in self.events.items() if stored.record is carry.record), None)

    def fold(self, events: Sequence[E]) -> S:
        """The state after these events."""
        state = self.initial
        for event in events:
            state = self.evolve(state, event)
        return state

    def stream(self, stream_id: UUID) -> str:
        """The stored name of a stream of this aggregate."""
        return f"{self.category}-{stream_id}"
