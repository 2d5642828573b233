"""A read table made again from the log: emptied and followed from the beginning; what an operator skipped stays skipped."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from erbium_kernel.codec import Codec
from erbium_kernel.event import Cursor
from erbium_kernel.follow import Follower
from erbium_kernel.ports import Clock, Lease, Store
from erbium_kernel.projecting import Projecting, set_chain, transaction
from erbium_kernel.subscribing import Projection

LEASE_SECONDS_MAX = 10.0  # waiting for the worker that follows this table now
LEASE_POLL_SECONDS = 0.2
BLOCKED_SECONDS = 0.5
BLOCKED_STEPS_MAX = 120  # in a row; then the rebuild gives up, and any worker goes on where it stands


class Rebuilt(NamedTuple):
    """Where a rebuild stands. Units: `position` and `end` are places in the log; `parked` counts keys put aside on the way."""

    position: int
    end: int
    parked: int


class TableInUse(RuntimeError):
    """A running worker follows this table; stop it, or let it do the work itself (--live)."""


class RebuildStuck(RuntimeError):
    """The rebuild met the same obstacle too often; it goes on from there when the obstacle is gone and a worker runs."""


async def rebuild(
    store: Store, codec: Codec, clock: Clock, projection: Projection, engine: AsyncEngine, told: Callable[[Rebuilt], None]
) -> Rebuilt:
    """Empties the projection's tables and follows the log up to where it ends now. Reactions cannot be rebuilt: they act only once.

    Raises: TableInUse, RebuildStuck, Unavailable.
    """
    async with lease_of(store, projection.name) as lease:
        await empty(engine, projection)
        return await followed(Follower(Projecting(codec, projection, engine), lease, clock), lease, await store.end(), told)


async def followed(follower: Follower, lease: Lease, end: Cursor, told: Callable[[Rebuilt], None]) -> Rebuilt:
    """Steps until the checkpoint is at `end` or beyond. Raises: RebuildStuck, Unavailable."""
    blocked = 0
    while True:
        progress = await follower.step()
        place = await lease.checkpoint()
        stands = Rebuilt(place.position, end.position, follower.parked_total)
        told(stands)
        if place >= end:
            return stands
        blocked = blocked + 1 if progress.kind == "blocked" else 0
        if blocked > BLOCKED_STEPS_MAX:
            raise RebuildStuck(progress.reason)
        await asyncio.sleep(BLOCKED_SECONDS if blocked else 0)


async def rebuild_live(store: Store, projection: Projection, engine: AsyncEngine, told: Callable[[Rebuilt], None]) -> Rebuilt:
    """The same while workers run: they lose their place with the table's rows and follow from the beginning. Raises: Unavailable."""
    end = await store.end()
    await empty(engine, projection)
    while True:
        place = (await store.checkpoints()).get(projection.name, Cursor())
        parked = sum(key.subscriber == projection.name for key in await store.parked())
        stands = Rebuilt(place.position, end.position, parked)
        told(stands)
        if place >= end:
            return stands
        await asyncio.sleep(BLOCKED_SECONDS)


async def empty(engine: AsyncEngine, projection: Projection) -> None:
    """Tables emptied, checkpoint and parked keys forgotten, all in one transaction: a worker in the midst of a batch loses its lease."""
    names = ", ".join(f'"{table.name}"' for table in projection.tables)
    async with transaction(engine) as connection:
        await connection.execute(text(f"TRUNCATE {names}"))
        await forget(connection, projection.name)


async def forget(connection: AsyncConnection, name: str) -> None:
    """The subscriber begins again: its checkpoint and its parked keys are gone when the transaction commits, its skips stay."""
    chains = await connection.execute(text("SELECT DISTINCT chain_id FROM parked_keys WHERE subscriber = :name"), {"name": name})
    for (chain_id,) in chains.all():
        await set_chain(connection, chain_id)
        await connection.execute(text("DELETE FROM parked_rows WHERE subscriber = :name"), {"name": name})
        await connection.execute(text("DELETE FROM parked_keys WHERE subscriber = :name"), {"name": name})
    await connection.execute(text("DELETE FROM checkpoints WHERE subscriber = :name"), {"name": name})


@asynccontextmanager
async def lease_of(store: Store, name: str) -> AsyncIterator[Lease]:
    """The lease of this subscriber, waited for a moment. Raises: TableInUse."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LEASE_SECONDS_MAX
    while True:
        async with AsyncExitStack() as held:
            lease = await held.enter_async_context(store.lease(name))
            if lease is not None:
                yield lease
                return
        if loop.time() > end:
            raise TableInUse
        await asyncio.sleep(LEASE_POLL_SECONDS)
