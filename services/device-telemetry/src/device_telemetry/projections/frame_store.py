"""The store of frames in PostgreSQL: one transaction a call, as the role `frames`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import groupby
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from device_telemetry.frames.absorbing import Absorbed, Arrival, Boot, absorbed
from device_telemetry.frames.consequences import Kept
from device_telemetry.frames.guard import Finding
from device_telemetry.frames.store import Piece, Unsettled
from device_telemetry.projections import stored_frames, storing_frames
from erbium_kernel.errors import LostLease, Unavailable
from erbium_kernel.projecting import set_chain, transaction
from erbium_kernel.whereabouts import reason_of

log = structlog.get_logger(__name__)


class PostgresFrameStore:
    """See `FrameStore`."""

    def __init__(self, engine: AsyncEngine) -> None:
        """`engine` connects as the role `frames`."""
        self._engine = engine

    @asynccontextmanager
    async def _transaction(self, chain_id: UUID | None = None) -> AsyncIterator[AsyncConnection]:
        """Of this chain's rows, if one is named. Raises: Unavailable when the database does not answer; a bug of ours stays one."""
        async with transaction(self._engine) as conn:
            if chain_id is not None:
                await set_chain(conn, chain_id)
            yield conn

    async def prepare(self) -> None:
        """Partitions of the next days. Frames of a day without one go into the default one."""
        try:
            async with self._transaction() as conn:
                await storing_frames.ensure_partitions(conn)
        except (Unavailable, DBAPIError) as error:
            log.warning("no new partitions for frames", reason=reason_of(error))

    async def position(self, topic: str, partition: int) -> int:
        """See `FrameStore`."""
        async with self._transaction() as conn:
            return await storing_frames.position(conn, topic, partition)

    async def keep(self, piece: Piece) -> Sequence[Absorbed]:
        """See `FrameStore`."""
        async with self._transaction() as conn:
            if await storing_frames.position(conn, piece.topic, piece.partition) != piece.expected:
                raise LostLease
            for record in piece.aside:
                await storing_frames.set_aside(conn, record, piece.reason)
            chains = groupby(piece.arrivals, lambda one: one.receipt.chain_id)
            found = [await _write(conn, chain_id, list(part)) for chain_id, part in chains]
            await storing_frames.move_position(conn, piece.topic, piece.partition, piece.next)
        return found

    async def caught_up(self, topic: str, partitions: Sequence[int], at: datetime) -> None:
        """See `FrameStore`."""
        async with self._transaction() as conn:
            await storing_frames.caught_up(conn, topic, partitions, at)

    async def caught_up_since(self, topic: str) -> datetime | None:
        """See `FrameStore`."""
        async with self._transaction() as conn:
            return await storing_frames.caught_up_since(conn, topic)

    async def unsettled(self, after: tuple[UUID, UUID] | None, limit: int) -> Sequence[Unsettled]:
        """See `FrameStore`."""
        async with self._transaction() as conn:
            return await storing_frames.unsettled(conn, after, limit)

    async def settled(self, done: Unsettled) -> None:
        """See `FrameStore`."""
        async with self._transaction(done.chain_id) as conn:
            await storing_frames.settled(conn, done)

    async def kept(self, chain_id: UUID, treatment_id: UUID, findings: Sequence[Finding]) -> Kept:
        """See `FrameStore`."""
        async with self._transaction(chain_id) as conn:
            return await stored_frames.kept(conn, treatment_id, findings)


async def _write(conn: AsyncConnection, chain_id: UUID, arrivals: Sequence[Arrival]) -> Absorbed:
    await set_chain(conn, chain_id)
    boots = {Boot(one.batch.header.device_id, one.batch.header.boot_id) for one in arrivals}
    found = absorbed(await storing_frames.load_boots(conn, chain_id, sorted(boots)), arrivals)
    await storing_frames.write(conn, chain_id, found)
    return found
