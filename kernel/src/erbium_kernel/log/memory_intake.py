"""What is taken in from other services: heard rows, keys and signs of life, with the position that moves last."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from erbium_kernel.errors import LostLease
from erbium_kernel.event import Cursor, Envelope
from erbium_kernel.log.memory_tables import Change, KeyRow, Tables
from erbium_kernel.log_records import EARLIER_HEARTBEATS_MAX, Heard, Heartbeat, Key, Row, Slice


def heard_row(heard: Heard, place: Cursor, recorded_at: datetime) -> Row:
    """A heard message as a log row: no stream, version or data, since the sender's would corrupt our heads."""
    envelope = Envelope(
        chain_id=heard.chain_id,
        ordering_id=heard.ordering_id,
        event_id=heard.event_id,
        type=heard.type,
        schema_version=heard.schema_version,
        origin=heard.origin,
        stream=None,
        version=None,
        clinic_id=heard.clinic_id,
        subject_id=heard.subject_id,
        occurred_at=heard.occurred_at,
        recorded_at=recorded_at,
        command_id=None,
        correlation_id=heard.correlation_id,
        causation_id=heard.causation_id,
        actor=heard.actor,
        traceparent=heard.traceparent,
    )
    return Row(cursor=place, envelope=envelope, raw=heard.raw, headers=heard.headers)


def not_heard_before(tables: Tables, rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows whose id is in the log neither already nor earlier in this slice."""
    fresh: dict[tuple[UUID, UUID], Row] = {}
    for row in rows:
        event = row.envelope.chain_id, row.envelope.event_id
        if event not in fresh and tables.log.event(*event) is None:
            fresh[event] = row
    return tuple(fresh.values())


def write_key(change: Change, tables: Tables, key: Key, place: Cursor, at: datetime) -> None:
    """A key, an erasure, or a key wrapped anew; whatever is erased stays erased, and a repetition changes nothing."""
    person = key.chain_id, key.subject_id
    standing = tables.keys.get(person)
    if standing is not None:
        if standing.key.erased or (not key.erased and standing.key.wrapped == key.wrapped):
            return
        key = replace(key, shared=standing.key.shared)
    change.put(tables.keys, person, KeyRow(replace(key, cursor=place), at))


def write_heartbeat(change: Change, tables: Tables, part: Slice, rows: Sequence[Row]) -> None:
    """A sign of life of the partition that is newer than all before it, and the place of the newest row there is, own ones included.

    Why not the readable end: a row of this partition may be committed and yet wait behind an open transaction.
    """
    place = part.topic, part.partition
    known = tables.heartbeats.get(place, ())
    if part.heartbeat_at is None or (known and known[-1].sent_at >= part.heartbeat_at):
        return
    vouched = max([tables.log.newest(), *(row.cursor for row in rows)])
    beat = Heartbeat(topic=part.topic, partition=part.partition, sent_at=part.heartbeat_at, cursor=vouched)
    change.put(tables.heartbeats, place, (*known[-EARLIER_HEARTBEATS_MAX:], beat))


def move_position(change: Change, tables: Tables, part: Slice) -> None:
    """Compare-and-set of the next offset; a partition never read is at 0. Raises: LostLease."""
    place = part.topic, part.partition
    if tables.positions.get(place, 0) != part.expected:
        raise LostLease(f"{part.topic}[{part.partition}] is no longer at {part.expected}")
    change.put(tables.positions, place, part.next)
