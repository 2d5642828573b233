"""Taking in what was read of one partition, on PostgreSQL: rows first, the position last, in one transaction."""

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import asyncpg

from erbium_kernel.errors import LostLease
from erbium_kernel.log.doors import set_chain
from erbium_kernel.log_records import EARLIER_HEARTBEATS_MAX, Heard, Key, Slice, TakenIn, Unreadable

# Rows of one chain in the order they were read; one that has been heard before, or stands twice among these, is left out.
HEARD_ROWS = (
    "INSERT INTO log (epoch, chain_id, origin, ordering_id, event_id, type, schema_version, clinic_id, subject_id, "
    "occurred_at, recorded_at, correlation_id, causation_id, actor_kind, actor_id, traceparent, raw, headers) "
    "SELECT i.epoch, $1, h.origin, h.ordering_id, h.event_id, h.type, h.schema_version, h.clinic_id, h.subject_id, "
    "h.occurred_at, $2, h.correlation_id, h.causation_id, h.actor_kind, h.actor_id, h.traceparent, h.raw, h.headers::jsonb "
    "FROM installation i, unnest($3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::int[], $8::uuid[], $9::uuid[], $10::timestamptz[], "
    "$11::uuid[], $12::uuid[], $13::text[], $14::text[], $15::text[], $16::bytea[], $17::text[]) WITH ORDINALITY "
    "AS h(origin, ordering_id, event_id, type, schema_version, clinic_id, subject_id, occurred_at, "
    "correlation_id, causation_id, actor_kind, actor_id, traceparent, raw, headers, place) "
    "ORDER BY h.place ON CONFLICT (chain_id, event_id) DO NOTHING"
)
BEGUN = "SELECT pg_current_xact_id_if_assigned() IS NULL FROM (SELECT set_config('synchronous_commit', $1, true)) flushed"
KEY_ROW = (
    "INSERT INTO keys AS k (chain_id, subject_id, wrapped, erased, shared, epoch) SELECT $1, $2, $3, $4, true, epoch FROM installation "
    "ON CONFLICT (chain_id, subject_id) DO UPDATE SET wrapped = excluded.wrapped, erased = excluded.erased, epoch = excluded.epoch, "
    "tx = excluded.tx, position = excluded.position, changed_at = excluded.changed_at WHERE NOT k.erased"
)
POSITION = (
    "INSERT INTO positions AS p (topic, partition, next_offset) SELECT $1, $2, $4 "
    "WHERE $3 = 0 OR EXISTS (SELECT FROM positions WHERE topic = $1 AND partition = $2) "
    "ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset WHERE p.next_offset = $3"
)
EARLIER = f"$[0 to {EARLIER_HEARTBEATS_MAX - 1}]"
HEARTBEAT = (
    "INSERT INTO heartbeats AS h (topic, partition, sent_at, epoch, tx, position) "
    "SELECT $1, $2, $3, coalesce(l.epoch, 0), coalesce(l.tx, '0'::xid8), coalesce(l.position, 0) FROM (SELECT 1) one "
    "LEFT JOIN (SELECT epoch, tx, position FROM log ORDER BY epoch DESC, log.tx DESC, position DESC LIMIT 1) l ON true "
    "ON CONFLICT (topic, partition) DO UPDATE SET (sent_at, epoch, tx, position) "
    "= (excluded.sent_at, excluded.epoch, excluded.tx, excluded.position), "
    "earlier = jsonb_path_query_array(jsonb_build_array(jsonb_build_array(h.sent_at, h.epoch, h.tx::text, h.position)) || h.earlier, "
    "$4::jsonpath) "
    "WHERE h.sent_at < excluded.sent_at"
)


async def take_in(connection: "asyncpg.Connection[Any]", part: Slice, recorded_at: datetime) -> TakenIn:
    """Law 1 of the append holds before the first insert. Raises: LostLease if the position has moved meanwhile.

    Not flushed: after a crash the position is as old as the rows, and they are read again. Keys are flushed: their topic forgets.
    """
    new = 0
    async with connection.transaction():
        first = await connection.fetchval(BEGUN, "on" if part.keys else "off")
        assert first, "heard rows must be the first write of their transaction"
        for chain_id, run in groupby(part.heard, lambda heard: heard.chain_id):
            new += await _heard(connection, chain_id, list(run), recorded_at)
        for unreadable in part.unreadable:
            await _unreadable(connection, part, unreadable)
        for key in part.keys:
            await _key(connection, key)
        if part.heartbeat_at is not None:
            await connection.execute(HEARTBEAT, part.topic, part.partition, part.heartbeat_at, EARLIER)
        moved = await connection.execute(POSITION, part.topic, part.partition, part.expected, part.next)
        if moved.endswith(" 0"):
            raise LostLease
    return TakenIn(new=new, repeated=len(part.heard) - new)


async def _heard(connection: "asyncpg.Connection[Any]", chain_id: UUID, run: Sequence[Heard], recorded_at: datetime) -> int:
    """Returns how many were new."""
    await set_chain(connection, chain_id)
    done = await connection.execute(
        HEARD_ROWS,
        chain_id,
        recorded_at,
        [heard.origin for heard in run],
        [heard.ordering_id for heard in run],
        [heard.event_id for heard in run],
        [heard.type for heard in run],
        [heard.schema_version for heard in run],
        [heard.clinic_id for heard in run],
        [heard.subject_id for heard in run],
        [heard.occurred_at for heard in run],
        [heard.correlation_id for heard in run],
        [heard.causation_id for heard in run],
        [heard.actor.kind for heard in run],
        [heard.actor.id for heard in run],
        [heard.traceparent for heard in run],
        [heard.raw for heard in run],
        [json.dumps(heard.headers) for heard in run],
    )
    return int(done.rpartition(" ")[2])


async def _unreadable(connection: "asyncpg.Connection[Any]", part: Slice, unreadable: Unreadable) -> None:
    headers = [(name.encode().hex(), value.hex()) for name, value in unreadable.headers]  # any bytes, U+0000 too, which jsonb cannot hold
    await connection.execute(
        'INSERT INTO unreadable (topic, partition, "offset", reason, key, raw, headers) VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb) '
        "ON CONFLICT DO NOTHING",
        part.topic,
        part.partition,
        unreadable.offset,
        unreadable.reason,
        unreadable.key,
        unreadable.raw,
        json.dumps(headers),
    )


async def _key(connection: "asyncpg.Connection[Any]", key: Key) -> None:
    await set_chain(connection, key.chain_id)
    await connection.execute(KEY_ROW, key.chain_id, key.subject_id, None if key.erased else key.wrapped, key.erased)
