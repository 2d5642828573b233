"""Events as they are stored: the envelope around each, and the literal table of their names."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, SafeUUID

import msgspec

upcast = Callable[[dict[str, Any]], dict[str, Any]]


class Cursor(NamedTuple):
    """A place in the log's order. A transaction id is only comparable inside its epoch; a position alone orders nothing."""

    epoch: int = 0
    tx: int = 0
    position: int = 0


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acted: the kind (`staff`, `device`, `integration`, `timer`, `reaction`) and an opaque id, never a name."""

    kind: str
    id: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What the log knows about an event or a heard message besides its data.

    Why no dataclass, here and in `Row`: a frozen one takes six times as long to make, and every row that is read makes both.

    Units: `occurred_at` and `recorded_at` are UTC with microseconds; no rule reads them.
    """

    chain_id: UUID
    ordering_id: UUID
    event_id: UUID
    type: str
    schema_version: int
    origin: str | None
    stream: str | None
    version: int | None
    clinic_id: UUID | None
    subject_id: UUID | None
    occurred_at: datetime
    recorded_at: datetime
    command_id: UUID | None
    correlation_id: UUID
    causation_id: UUID | None
    actor: Actor
    traceparent: str | None

    @property
    def stream_id(self) -> UUID:
        """The id inside the stream's name, `<category>-<uuid>`."""
        assert self.stream is not None, "a heard row has no stream"
        return UUID(self.stream[-36:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One stored type: the record it is now, its current version, and the way up from every older version.

    `upcasts[n]` turns data of version n into data of version n + 1; every version ever written keeps one.
    """

    record: type
    version: int = 1
    upcasts: Mapping[int, upcast] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses a table with a missing step: an event once written is for ever."""
        missing = [n for n in range(1, self.version) if n not in self.upcasts]
        assert not missing, f"{self.record.__name__}: no upcast from version {missing}"


class EventTable(dict[str, Stored]):
    """Stored name -> `Stored`; the names are literals that never change, since they are in the log."""

    def name_of(self, event: object) -> str:
        """The stored name of an event's record. Raises: KeyError if the record is not in the table."""
        for name, stored in self.items():
            if stored.record is type(event):
                return name
        raise KeyError(f"{type(event).__name__} is not in the event table")


class Message(NamedTuple):
    """A fact for the other services: `erbium.<service>.<fact>.v<version>` with this JSON-ready data."""

    fact: str
    version: int
    data: Any


def message_id(event_id: UUID, fact: str) -> UUID:
    """The `ce_id` of a message. Why: without the version, so that a resend by newer code is the same message."""
    digest = hashlib.sha1(event_id.bytes + fact.encode(), usedforsecurity=False).digest()  # a UUIDv5 (RFC 9562 section 5.5)
    return made_uuid(int.from_bytes(digest[:16], "big"), version=5)


def made_uuid(value: int, *, version: int) -> UUID:
    """These 128 bits as an id of this version and of the usual variant.

    Why not `UUID(int=…, version=…)`: it looks for which of six ways it is made in, at four times the cost, and a command makes seven.
    """
    value = value & ~(0xF000 << 64) | version << 76
    made = object.__new__(UUID)
    object.__setattr__(made, "int", value & ~(0xC000 << 48) | 0x8000 << 48)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made
