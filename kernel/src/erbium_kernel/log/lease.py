"""One subscriber's place in the log on PostgreSQL, all of it on the connection that holds its lock."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from erbium_kernel.event import Cursor
from erbium_kernel.log.append import after, move_checkpoint
from erbium_kernel.log.doors import set_chain, told
from erbium_kernel.log.rows import LOG_COLUMNS, cursor_of, row_of
from erbium_kernel.log_records import Looked, MoveCheckpoint, Park, ParkedRowDone, Row

# Of an earlier epoch, or of a transaction before the oldest that is still open. Why one comparison: with an OR, the rows that somebody's
# long transaction holds back would all be looked at by every reader, again and again; so the index ends where the horizon is.
READABLE = "(epoch, tx) < ((SELECT i.epoch FROM installation i), pg_snapshot_xmin(pg_current_snapshot()))"
READ_AFTER = f"SELECT {LOG_COLUMNS} FROM log WHERE (epoch, tx, position) > ($1, $2::text::xid8, $3) AND {READABLE} ORDER BY epoch, log.tx, position LIMIT $4"  # noqa: S608,E501

# Of the next rows only those of the wanted types are carried over, and the last one of all, which says how far the look went.
LOOK = (
    f"SELECT {LOG_COLUMNS}, n FROM (SELECT *, row_number() OVER seen AS n, lead(position) OVER seen IS NULL AS last "  # noqa: S608  # constants
    f"FROM (SELECT * FROM log WHERE (epoch, tx, position) > ($1, $2::text::xid8, $3) AND {READABLE} "
    "ORDER BY epoch, log.tx, position LIMIT $4) AS page WINDOW seen AS (ORDER BY epoch, tx, position)) AS log "
    "WHERE type = ANY($5::text[]) OR last ORDER BY epoch, log.tx, position"
)

PARKED_ROWS = (
    f"SELECT {LOG_COLUMNS} FROM log WHERE (epoch, tx, position) IN "  # noqa: S608  # constants
    "(SELECT epoch, tx, position FROM parked_rows WHERE subscriber = $1 AND chain_id = $2 AND ordering_id = $3) "
    "ORDER BY epoch, log.tx, position LIMIT $4"
)


class PostgresLease:
    """See `ports.Lease`."""

    def __init__(self, connection: "asyncpg.Connection[Any]", subscriber: str) -> None:
        """`connection` holds the session lock of `subscriber`."""
        self._connection, self._subscriber = connection, subscriber

    async def checkpoint(self) -> Cursor:
        """See `ports.Lease.checkpoint`."""
        async with told():
            record = await self._connection.fetchrow(
                "SELECT epoch, tx::text::bigint AS tx, position FROM checkpoints WHERE subscriber = $1", self._subscriber
            )
        return cursor_of(record) if record else Cursor()

    async def read(self, after: Cursor, limit: int) -> Sequence[Row]:
        """See `ports.Lease.read`."""
        async with told():
            records = await self._connection.fetch(READ_AFTER, after.epoch, str(after.tx), after.position, limit)
        return [row_of(record, record["chain_id"]) for record in records]

    async def look(self, after: Cursor, limit: int, hears: Collection[str]) -> Looked:
        """See `ports.Lease.look`."""
        async with told():
            records = await self._connection.fetch(LOOK, after.epoch, str(after.tx), after.position, limit, sorted(hears))
        if not records:
            return Looked((), after, at_the_end=True)
        last = records[-1]
        wanted = records if last["type"] in hears else records[:-1]
        rows = [row_of(record, record["chain_id"]) for record in wanted]
        return Looked(rows, cursor_of(last), at_the_end=last["n"] < limit)

    async def hides(self, after: Cursor) -> bool:
        """See `ports.Lease.hides`."""
        async with told():
            found = await self._connection.fetchval(
                "SELECT EXISTS (SELECT FROM log WHERE (epoch, tx, position) > ($1, $2::text::xid8, $3))",
                after.epoch,
                str(after.tx),
                after.position,
            )
        return bool(found)

    async def move(self, expected: Cursor, to: Cursor, park: Sequence[Park] = ()) -> None:
        """See `ports.Lease.move`. Nothing to park: one statement is its own transaction."""
        async with told(), self._connection.transaction() if park else contextlib.nullcontext():
            for parked in park:
                await self._park(parked)
            await move_checkpoint(self._connection, MoveCheckpoint(self._subscriber, expected, to))

    async def _park(self, parked: Park) -> None:
        envelope, cursor = parked.row.envelope, parked.row.cursor
        key = (self._subscriber, envelope.chain_id, envelope.ordering_id)
        await set_chain(self._connection, envelope.chain_id)
        # Locks the key, as a skip does: a row parked behind a key that an operator has just emptied is worked off at once, not forgotten.
        await self._connection.execute(
            "INSERT INTO parked_keys AS k (subscriber, chain_id, ordering_id, reason, attempts, released) VALUES ($1, $2, $3, $4, $5, $6) "
            "ON CONFLICT (subscriber, chain_id, ordering_id) DO UPDATE SET attempts = k.attempts",
            *key,
            parked.reason or "behind a skipped row",
            parked.attempts,
            parked.reason is None,
        )
        await self._connection.execute(
            "INSERT INTO parked_rows (subscriber, chain_id, ordering_id, epoch, tx, position, event_id) "
            "VALUES ($1, $2, $3, $4, $5::text::xid8, $6, $7) ON CONFLICT DO NOTHING",
            *key,
            cursor.epoch,
            str(cursor.tx),
            cursor.position,
            envelope.event_id,
        )

    async def parked_keys(self) -> Mapping[tuple[UUID, UUID], bool]:
        """See `ports.Lease.parked_keys`."""
        async with told():
            records = await self._connection.fetch(
                "SELECT chain_id, ordering_id, released FROM parked_keys WHERE subscriber = $1", self._subscriber
            )
        return {(record["chain_id"], record["ordering_id"]): record["released"] for record in records}

    async def skips(self) -> frozenset[tuple[UUID, UUID]]:
        """See `ports.Lease.skips`."""
        async with told():
            records = await self._connection.fetch("SELECT chain_id, event_id FROM skips WHERE subscriber = $1", self._subscriber)
        return frozenset((record["chain_id"], record["event_id"]) for record in records)

    async def parked_rows(self, chain_id: UUID, ordering_id: UUID, limit: int) -> Sequence[Row]:
        """See `ports.Lease.parked_rows`."""
        async with told():
            records = await self._connection.fetch(PARKED_ROWS, self._subscriber, chain_id, ordering_id, limit)
        return [row_of(record, record["chain_id"]) for record in records]

    async def parked_row_done(self, done: ParkedRowDone) -> None:
        """See `ports.Lease.parked_row_done`."""
        async with told(), self._connection.transaction():
            await after(self._connection, done)

    async def park_again(self, chain_id: UUID, ordering_id: UUID, reason: str) -> None:
        """See `ports.Lease.park_again`."""
        async with told(), self._connection.transaction():
            await set_chain(self._connection, chain_id)
            await self._connection.execute(
                "UPDATE parked_keys SET released = false, reason = $4, attempts = attempts + 1 "
                "WHERE subscriber = $1 AND chain_id = $2 AND ordering_id = $3",
                self._subscriber,
                chain_id,
                ordering_id,
                reason,
            )
