"""What following means for a projection: rows of its read tables and its checkpoint commit together, one tenant at a time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from erbium_kernel.away import database_is_away
from erbium_kernel.codec import Codec
from erbium_kernel.errors import LostLease, Unavailable
from erbium_kernel.event import Cursor
from erbium_kernel.log.append import FREE_KEY, MOVE_CHECKPOINT, PARKED_ROW_DONE, move_arguments
from erbium_kernel.log_records import MoveCheckpoint, ParkedRowDone, Row
from erbium_kernel.ports import Lease
from erbium_kernel.subscribing import Projection

ROWS_PER_TRANSACTION_MAX = 200
TRANSACTIONS_PER_STEP_MAX = 10
TRANSACTION_SECONDS_MAX = 90.0  # above the server's own transaction_timeout, which gives the better reason

# Not flushed: if a crash of the server takes rows of a read table, it takes the checkpoint with them, and they are made again.
_SET_CHAIN = text("SELECT set_config('app.chain', :chain, true), set_config('synchronous_commit', 'off', true)")


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
        async with transaction(self._engine) as connection:
            await self._apply(connection, rows)
            await move_checkpoint(connection, move)
        return move.to

    async def work_parked(self, _: Lease, row: Row, done: ParkedRowDone) -> None:
        """Raises: as `work`; LostLease, nothing written, where the row waits no more: a rebuild beside has brought another table."""
        async with transaction(self._engine) as connection:
            await self._apply(connection, [row])
            await tick_off(connection, done)

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


async def tick_off(connection: AsyncConnection, done: ParkedRowDone) -> None:
    """The parked row is done when the caller's transaction commits. Raises: LostLease."""
    gone = await connection.exec_driver_sql(PARKED_ROW_DONE, tuple(done))
    await connection.exec_driver_sql(FREE_KEY, tuple(done[:3]))
    if not gone.rowcount:
        raise LostLease(f"{done.event_id} does not wait in {done.subscriber} any more")


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction within a deadline. Raises: Unavailable when the database, a lock or a connection is not to be had."""
    try:
        async with asyncio.timeout(TRANSACTION_SECONDS_MAX), engine.begin() as connection:
            yield connection
    except Exception as error:
        if not database_is_away(error):
            raise
        raise Unavailable(f"database: {type(getattr(error, 'orig', error)).__name__}") from error
