"""Commands, messages and times for the store's suite: everything has a default, a test names what it is about."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from erbium_kernel.event import Actor, Cursor
from erbium_kernel.log_records import Answer, AnswerKey, Append, Heard, Key, NewEvent, Park, Row, Slice

NURSE = Actor(kind="staff", id="nurse-17")


class HandClock:
    """Stands still until a test moves it. Domain and machine time are the same here, unless `shift` is set."""

    def __init__(self) -> None:
        """Begins at the machine's time, since a database's own defaults use it."""
        self.at = datetime.now(UTC)
        self.shift = timedelta()

    def now(self) -> datetime:
        """Domain time."""
        return self.at + self.shift

    def machine(self) -> datetime:
        """Machine time."""
        return self.at


def a_stream(category: str = "patient") -> str:
    """The name of a stream that nobody has used."""
    return f"{category}-{uuid4()}"


def an_event(stream: str, **but: Any) -> NewEvent:
    """One encoded event."""
    event: dict[str, Any] = {
        "event_id": uuid4(),
        "type": "mole-noted",
        "schema_version": 1,
        "ordering_id": UUID(stream[-36:]),
        "clinic_id": uuid4(),
        "subject_id": None,
        "data": json.dumps({"size_mm": 4.5, "zones": ["left cheek"], "note": "dünn"}).encode(),
    }
    return NewEvent(**event | but)


def a_command(chain_id: UUID, stream: str, expected: int = 0, events: int = 1, **but: Any) -> Append:
    """One command's outcome with this many events."""
    work: dict[str, Any] = {
        "chain_id": chain_id,
        "stream": stream,
        "expected": expected,
        "events": tuple(an_event(stream) for _ in range(events)),
        "occurred_at": datetime(2026, 5, 4, 9, 30, 0, 123456, UTC),
        "actor": NURSE,
        "command_id": uuid4(),
        "correlation_id": uuid4(),
        "causation_id": uuid4(),
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    return Append(**work | but)


def a_key(chain_id: UUID) -> AnswerKey:
    """The scope of an Idempotency-Key that nobody has used."""
    return AnswerKey(chain_id, "kiosk", "POST /v1/patients", str(uuid4()))


def an_answer(key: AnswerKey, stream: str, version: int = 1, **but: Any) -> Answer:
    """A success, remembered."""
    answer: dict[str, Any] = {"key": key, "fingerprint": b"\x00\xffbody", "status": 201, "stream": stream, "version": version}
    return Answer(**answer | but)


def a_message(chain_id: UUID, **but: Any) -> Heard:
    """A fact heard from aftercare."""
    heard: dict[str, Any] = {
        "chain_id": chain_id,
        "ordering_id": uuid4(),
        "event_id": uuid4(),
        "type": "erbium.aftercare.adverse-event-opened",
        "schema_version": 2,
        "origin": "aftercare",
        "clinic_id": uuid4(),
        "subject_id": uuid4(),
        "occurred_at": datetime(2026, 5, 4, 9, 30, 0, 123456, UTC),
        "correlation_id": uuid4(),
        "causation_id": uuid4(),
        "actor": NURSE,
        "traceparent": None,
        "raw": b'{"severity": "severe", "zero": "\\u0000"}\xff',
        "headers": (("ce_id", "1"), ("ce_type", "erbium.aftercare.adverse-event-opened.v2"), ("ce_id", "again")),
    }
    return Heard(**heard | but)


def a_slice(topic: str, heard: tuple[Heard, ...] = (), *, start: int = 0, **but: Any) -> Slice:
    """These messages, one offset each, from one partition."""
    part: dict[str, Any] = {"topic": topic, "partition": 3, "expected": start, "next": start + max(len(heard), 1), "heard": heard}
    return Slice(**part | but)


def a_persons_key(chain_id: UUID, subject_id: UUID | None = None, **but: Any) -> Key:
    """A new person's wrapped key."""
    key: dict[str, Any] = {
        "chain_id": chain_id,
        "subject_id": subject_id or uuid4(),
        "wrapped": uuid4().bytes,
        "erased": False,
        "shared": True,
    }
    return Key(**key | but)


def parked(*rows: Row, reason: str = "Undecodable at decode") -> tuple[Park, ...]:
    """The first row with the reason, the later ones behind it."""
    return tuple(Park(row=row, reason=reason if n == 0 else None, attempts=5 if n == 0 else 0) for n, row in enumerate(rows))


START = Cursor()
