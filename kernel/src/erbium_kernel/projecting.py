"""What following means for a projection: rows of its read tables and its checkpoint commit together, one tenant at a time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from erbium_kernel.codec import Codec
from erbium_kernel.errors import LostLease, Unavailable
from erbium_kernel.event import Cursor
from erbium_kernel.log.append import MOVE_CHECKPOINT, move_arguments
from erbium_kernel.log_records import MoveCheckpoint, ParkedRowDone, Row
from erbium_kernel.ports import Lease
from erbium_kernel.subscribing import Projection

ROWS_PER_TRANSACTION_MAX = 200
TRANSACTIONS_PER_STEP_MAX = 10
TRANSACTION_SECONDS_MAX = 90.0  # above the server's own transaction_timeout, which gives the better reason

# SQLSTATE: connection, resources, shutdown, serialization and deadlock, lock not available. None of them is the row's fault.
AWAY = ("08", "53", "57P", "40", "55P03")

_SET_CHAIN = text("SELECT set_config('app.chain', :chain, true)")


class Projecting:
    """A batch of rows is one transaction. Repeating a row changes nothing, so a parked row may be applied before it is ticked off."""

    rows_max = ROWS_PER_TRANSACTION_MAX
    turns_max = TRANSACTIONS_PER_STEP_MAX
    aside_after_seconds: float | None = None

    def __init__(self, codec: Codec, projection: Projection, engine: AsyncEngine) -> None:
        """`engine` connects as the `work` role."""
        self._codec, self._projection, self._engine = codec, projection, engine
        self.name, self.hears = projection.name, projection.hears

    async def work(self, _: Lease, rows: Sequence[Row], move: MoveCheckpoint) -> Cursor:
        """Raises: Undecodable, LostLease, Unavailable, and whatever our own code raises on one of these rows."""
        async with transaction(self._engine) as connection:
            await self._apply(connection, rows)
            await move_checkpoint(connection, move)
        return move.to

    async def work_parked(self, lease: Lease, row: Row, done: ParkedRowDone) -> None:
        """Raises: as `work`."""
        async with transaction(self._engine) as connection:
            await self._apply(connection, [row])
        await lease.parked_row_done(done)

    async def _apply(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        records = [self._codec.decode(row) for row in rows]
        chain_id: UUID | None = None
        for row, record in zip(rows, records, strict=True):
            if row.envelope.chain_id != chain_id:
                chain_id = row.envelope.chain_id
                await set_chain(connection, chain_id)
            await self._projection.apply(connection, row.envelope, record)


async def set_chain(connection: AsyncConnection, chain_id: UUID) -> None:
    """From here on, until the transaction ends or another chain is set, only this chain's rows are seen and written."""
    await connection.execute(_SET_CHAIN, {"chain": str(chain_id)})


async def move_checkpoint(connection: AsyncConnection, move: MoveCheckpoint) -> None:
    """Compare-and-set inside the caller's transaction. Raises: LostLease."""
    if not (await connection.exec_driver_sql(MOVE_CHECKPOINT, move_arguments(move))).scalar_one():
        raise LostLease(f"{move.subscriber} is no longer at {move.expected}")


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction within a deadline. Raises: Unavailable when the database, a lock or a connection is not to be had."""
    try:
        async with asyncio.timeout(TRANSACTION_SECONDS_MAX), engine.begin() as connection:
            yield connection
    except (OSError, PoolTimeout) as error:  # asyncio's TimeoutError is an OSError
        raise Unavailable(f"database: {type(error).__name__}") from error
    except DBAPIError as error:
        if error.connection_invalidated or str(getattr(error.orig, "sqlstate", "") or "").startswith(AWAY):
            raise Unavailable(f"database: {type(error.orig).__name__}") from error
        raise
