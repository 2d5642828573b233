"""Taking in what was read of one partition, on PostgreSQL: rows first, the position last, in one transaction."""

import json
from datetime import datetime
from typing import Any

import asyncpg

from erbium_kernel.errors import LostLease
from erbium_kernel.log_records import Heard, Key, Slice, TakenIn, Unreadable

HEARD_ROW = (
    "INSERT INTO log (epoch, chain_id, origin, ordering_id, event_id, type, schema_version, clinic_id, subject_id, "
    "occurred_at, recorded_at, "
    "correlation_id, causation_id, actor_kind, actor_id, traceparent, raw, headers) "
    "SELECT epoch, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17::jsonb FROM installation "
    "ON CONFLICT (chain_id, event_id) DO NOTHING"
)
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
HEARTBEAT = (
    "INSERT INTO heartbeats (topic, partition, sent_at, epoch, tx, position) "
    "SELECT $1, $2, $3, coalesce(l.epoch, 0), coalesce(l.tx, '0'::xid8), coalesce(l.position, 0) FROM (SELECT 1) one "
    "LEFT JOIN (SELECT epoch, tx, position FROM log ORDER BY epoch DESC, log.tx DESC, position DESC LIMIT 1) l ON true "
    "ON CONFLICT (topic, partition) DO UPDATE SET (sent_at, epoch, tx, position) "
    "= (excluded.sent_at, excluded.epoch, excluded.tx, excluded.position) "
    "WHERE heartbeats.sent_at < excluded.sent_at"
)


async def take_in(connection: "asyncpg.Connection[Any]", part: Slice, recorded_at: datetime) -> TakenIn:
    """Law 1 of the append holds before the first insert. Raises: LostLease if the position has moved meanwhile."""
    new = 0
    async with connection.transaction():
        first = await connection.fetchval("SELECT pg_current_xact_id_if_assigned() IS NULL")
        assert first, "heard rows must be the first write of their transaction"
        for heard in part.heard:
            new += await _heard(connection, heard, recorded_at)
        for unreadable in part.unreadable:
            await _unreadable(connection, part, unreadable)
        for key in part.keys:
            await _key(connection, key)
        if part.heartbeat_at is not None:
            await connection.execute(HEARTBEAT, part.topic, part.partition, part.heartbeat_at)
        moved = await connection.execute(POSITION, part.topic, part.partition, part.expected, part.next)
        if moved.endswith(" 0"):
            raise LostLease
    return TakenIn(new=new, repeated=len(part.heard) - new)


async def _heard(connection: "asyncpg.Connection[Any]", heard: Heard, recorded_at: datetime) -> int:
    await connection.execute("SELECT set_config('app.chain', $1, true)", str(heard.chain_id))
    done = await connection.execute(
        HEARD_ROW,
        heard.chain_id,
        heard.origin,
        heard.ordering_id,
        heard.event_id,
        heard.type,
        heard.schema_version,
        heard.clinic_id,
        heard.subject_id,
        heard.occurred_at,
        recorded_at,
        heard.correlation_id,
        heard.causation_id,
        heard.actor.kind,
        heard.actor.id,
        heard.traceparent,
        heard.raw,
        json.dumps(heard.headers),
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
    await connection.execute("SELECT set_config('app.chain', $1, true)", str(key.chain_id))
    await connection.execute(KEY_ROW, key.chain_id, key.subject_id, None if key.erased else key.wrapped, key.erased)
