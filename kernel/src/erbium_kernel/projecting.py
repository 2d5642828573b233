"""What following means for a projection: rows of its read tables and its checkpoint commit together, one tenant at a time."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from erbium_kernel.away import database_is_away
from erbium_kernel.codec import Codec
from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Cursor, Envelope
from erbium_kernel.keeping import keep
from erbium_kernel.log.append import after, move_checkpoint
from erbium_kernel.log_records import MoveCheckpoint, ParkedRowDone, Row
from erbium_kernel.ports import Lease
from erbium_kernel.read_table import Change
from erbium_kernel.subscribing import Projection

ROWS_PER_TRANSACTION_MAX = 500
TRANSACTIONS_PER_STEP_MAX = 10
TRANSACTION_SECONDS_MAX = 90.0  # above the server's own transaction_timeout, which gives the better reason

_SET_CHAIN = text("SELECT set_config('app.chain', :chain, true)")


class Projecting:
    """A batch of rows is one transaction, and so is a parked row with its tick."""

    rows_max = ROWS_PER_TRANSACTION_MAX
    turns_max = TRANSACTIONS_PER_STEP_MAX
    aside_after_seconds: float | None = None

    def __init__(self, codec: Codec, projection: Projection, engine: AsyncEngine) -> None:
        """`engine` connects as the `work` role."""
        self._codec, self._projection, self._engine = codec, projection, engine
        self.name, self.hears = projection.name, projection.hears

    async def work(self, _: Lease, rows: Sequence[Row], move: MoveCheckpoint) -> Cursor:
        """Raises: Undecodable, LostLease, Unavailable, and whatever our own code raises on one of these rows."""
        changes = self._changes(rows)
        async with writing(self._engine) as connection:
            for chain_id, its in changes.items():
                await keep(connection, chain_id, its)
            await move_checkpoint(connection, move)
        return move.to

    async def work_parked(self, _: Lease, row: Row, done: ParkedRowDone) -> None:
        """Raises: as `work`; LostLease, nothing written, where the row waits no more: a rebuild beside has brought another table."""
        changes = self._changes([row])
        async with writing(self._engine) as connection:
            await keep(connection, row.envelope.chain_id, changes[row.envelope.chain_id])
            await after(connection, done)

    def _changes(self, rows: Sequence[Row]) -> Mapping[UUID, Sequence[Change]]:
        """By chain: no row of a read table is two chains'."""
        found: dict[UUID, list[Change]] = {}
        for row, record in zip(rows, [self._codec.decode(row) for row in rows], strict=True):
            found.setdefault(row.envelope.chain_id, []).extend(self._projection.changes(row.envelope, record))
        return found


async def apply(connection: AsyncConnection, projection: Projection, envelope: Envelope, record: Any) -> None:
    """One event more, inside the caller's transaction, which has begun."""
    await keep(await driver_of(connection), envelope.chain_id, projection.changes(envelope, record))


async def set_chain(connection: AsyncConnection, chain_id: UUID) -> None:
    """From here on, until the transaction ends or another chain is set, only this chain's rows are seen and written."""
    await connection.execute(_SET_CHAIN, {"chain": str(chain_id)})


@asynccontextmanager
async def writing(engine: AsyncEngine) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """As `transaction`, on the driver's own connection. Why: what is written here is made anew for every batch, and sent in bulk."""
    async with _named(), engine.connect() as connection:
        driver = await driver_of(connection)
        try:
            async with driver.transaction():
                yield driver
        finally:
            if driver.is_closed() or driver.is_in_transaction():
                await connection.invalidate()


async def driver_of(connection: AsyncConnection) -> "asyncpg.Connection[Any]":
    """The connection beneath, for what SQLAlchemy does not know or does value by value: bulk in and out."""
    return cast("asyncpg.Connection[Any]", (await connection.get_raw_connection()).driver_connection)


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction within a deadline. Raises: Unavailable when the database, a lock or a connection is not to be had."""
    async with _named(), engine.begin() as connection:
        yield connection


@asynccontextmanager
async def _named() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(TRANSACTION_SECONDS_MAX):
            yield
    except Exception as error:
        if not database_is_away(error):
            raise
        raise Unavailable(f"database: {type(getattr(error, 'orig', error)).__name__}") from error
