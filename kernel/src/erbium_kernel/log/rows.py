"""Between database records and the kernel's rows."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from erbium_kernel.event import Actor, Cursor, Envelope
from erbium_kernel.log_records import Answer, AnswerKey, Heartbeat, Key, Row

LOG_COLUMNS = (
    "epoch, tx::text::bigint AS tx, position, chain_id, origin, stream, version, ordering_id, event_id, "
    "type, schema_version, clinic_id, subject_id, "
    "occurred_at, recorded_at, command_id, correlation_id, causation_id, actor_kind, actor_id, traceparent, "
    "data::text AS data, raw, headers::text AS headers"
)


def cursor_of(record: Mapping[str, Any]) -> Cursor:
    """The place of a record that has epoch, tx and position."""
    return Cursor(record["epoch"], record["tx"], record["position"])


def row_of(record: Mapping[str, Any], chain_id: UUID, *, own: bool = False) -> Row:
    """A row of the log. `own`: the record comes from a stream read, which has no columns for heard rows."""
    envelope = Envelope(
        chain_id=chain_id,
        ordering_id=record["ordering_id"],
        event_id=record["event_id"],
        type=record["type"],
        schema_version=record["schema_version"],
        origin=None if own else record["origin"],
        stream=record["stream"],
        version=record["version"],
        clinic_id=record["clinic_id"],
        subject_id=record["subject_id"],
        occurred_at=record["occurred_at"],
        recorded_at=record["recorded_at"],
        command_id=record["command_id"],
        correlation_id=record["correlation_id"],
        causation_id=record["causation_id"],
        actor=Actor(kind=record["actor_kind"], id=record["actor_id"]),
        traceparent=record["traceparent"],
    )
    data = record["data"]
    headers = () if own or record["headers"] is None else tuple((name, value) for name, value in json.loads(record["headers"]))
    return Row(
        cursor=cursor_of(record),
        envelope=envelope,
        data=data.encode() if data else None,
        raw=None if own else record["raw"],
        headers=headers,
    )


def answer_of(text: str) -> Answer:
    """A stored answer, from the JSON that `erbium_load_group` returns."""
    found = json.loads(text)
    return Answer(
        key=AnswerKey(UUID(found["chain_id"]), found["client"], found["route"], found["key"]),
        fingerprint=bytes.fromhex(found["fingerprint"]),
        status=found["status"],
        stream=found["stream"],
        version=found["version"],
        event_id=UUID(found["event_id"]) if found["event_id"] else None,
        slug=found["slug"],
        detail=found["detail"],
        facts=found["facts"],
    )


def heartbeats_of(record: Mapping[str, Any]) -> Sequence[Heartbeat]:
    """All signs of life that are kept of one partition, the oldest first."""
    earlier = [(datetime.fromisoformat(at), Cursor(epoch, int(tx), position)) for at, epoch, tx, position in json.loads(record["earlier"])]
    beats = [*reversed(earlier), (record["sent_at"], cursor_of(record))]
    return [Heartbeat(topic=record["topic"], partition=record["partition"], sent_at=at, cursor=cursor) for at, cursor in beats]


def key_of(record: Mapping[str, Any]) -> Key:
    """A person's key with its place in the order of changes."""
    return Key(
        chain_id=record["chain_id"],
        subject_id=record["subject_id"],
        wrapped=record["wrapped"],
        erased=record["erased"],
        shared=record["shared"],
        cursor=cursor_of(record),
    )
