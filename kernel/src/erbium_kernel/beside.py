"""A read table made again beside the one in use, compared with it, and exchanged with it in one transaction: readers notice nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from erbium_kernel.codec import Codec
from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.event import Cursor
from erbium_kernel.follow import Follower
from erbium_kernel.log.doors import CONNECT_SECONDS, told
from erbium_kernel.log_records import Looked
from erbium_kernel.parity import TableParity, compare
from erbium_kernel.ports import Clock, Lease, Store
from erbium_kernel.projecting import Projecting, transaction
from erbium_kernel.rebuild import Rebuilt, followed, forget, lease_of
from erbium_kernel.subscribing import Projection
from erbium_kernel.twin import LIVE, Twin

CATCH_UP_ROUNDS_MAX = 50  # each up to where the live table was when it began; the next one is shorter
CLOSE_SECONDS = 1.0  # a round that took no longer: the rest is caught up with while the live table stands still
FROZEN_SECONDS_MAX = 20.0  # the live table stands still no longer
COMPARE_SECONDS_MAX = 3_600
COMMAND_SECONDS_MAX = 600.0  # of the owner: statistics of a large table
Tell = Callable[[Rebuilt], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a rebuild beside has come to. `compared_at`: where both stood then; `parked`: keys that this code could not follow."""

    parity: Sequence[TableParity]
    compared_at: Cursor
    parked: int
    exchanged: bool

    @property
    def holds(self) -> bool:
        """Is the new table the same as the live one, row by row?"""
        return all(table.holds for table in self.parity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a rebuild beside works. The owner makes and exchanges tables; everything else is done as `work`."""

    owner_url: str
    work_url: str
    listed_max: int = 20  # differences told of each table


async def rebuild_beside(
    store: Store, codec: Codec, clock: Clock, live: Projection, places: Places, tell: Tell, *, exchange: bool, accept: bool
) -> Beside:
    """Makes the tables again from the first event on while workers and readers go on, compares, and exchanges if `exchange` says so.

    A table that differs is exchanged only with `accept`. What is not exchanged stays, and the next call goes on from there.
    Raises: TableInUse (another rebuild is under way), RebuildStuck, TablesDiffer, AnotherBuild, TableBusy, SkippedMeanwhile, Unavailable.
    """
    twin = Twin(live)
    async with _owner(places.owner_url) as owner, _engine(places.work_url, twin.schema) as engine:
        async with told():
            await twin.make(owner)
        async with lease_of(store, twin.projection.name) as lease:
            follower = _TwinFollower(store, codec, clock, twin, engine, lease, tell)
            await follower.catch_up()
            async with told():
                await twin.analyze(owner)
            async with AsyncExitStack() as stack:
                async with _frozen(twin, owner) as place:
                    await follower.follow(place)
                    snapshot = await stack.enter_async_context(_snapshot(engine))
                parity = await compare(snapshot, live.tables, LIVE, twin.schema, places.listed_max)
            wanted = exchange and (accept or all(table.holds for table in parity))
            if wanted:
                await follower.catch_up()
                async with _frozen(twin, owner) as at:
                    await follower.follow(at)
                    await twin.exchange(owner, await _chains(engine, twin))
            return Beside(parity=parity, compared_at=place, parked=follower.parked_total, exchanged=wanted)


async def abandon(store: Store, live: Projection, places: Places) -> bool:
    """The new version is dropped, the live table untouched; was there one? Raises: TableInUse, Unavailable."""
    twin = Twin(live)
    async with _owner(places.owner_url) as owner, _engine(places.work_url, twin.schema) as engine:
        async with lease_of(store, twin.projection.name):
            async with told():
                there = await twin.drop(owner)
            async with transaction(engine) as connection:
                await forget(connection, twin.projection.name)
            return there


class _Bounded:
    """The twin's lease: it reads no further than told, and passes what operators have told the live table's subscriber to skip."""

    def __init__(self, lease: Lease, engine: AsyncEngine, live_name: str) -> None:
        self._lease, self._engine, self._live_name = lease, engine, live_name
        self.upto = Cursor()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lease, name)

    async def look(self, after: Cursor, limit: int, hears: Collection[str]) -> Looked:
        found = await self._lease.look(after, limit, hears)
        if found.reached <= self.upto:
            return found
        rows = [row for row in found.rows if row.cursor <= self.upto]
        return Looked(rows, max(after, self.upto), at_the_end=True)

    async def skips(self) -> frozenset[tuple[UUID, UUID]]:
        async with transaction(self._engine) as connection:
            wanted = text("SELECT chain_id, event_id FROM skips WHERE subscriber = :name")
            return frozenset((row.chain_id, row.event_id) for row in await connection.execute(wanted, {"name": self._live_name}))


class _TwinFollower:
    """The kernel's follower at work on the twin, up to a place and never beyond it."""

    def __init__(self, store: Store, codec: Codec, clock: Clock, twin: Twin, engine: AsyncEngine, lease: Lease, tell: Tell) -> None:
        self._store, self._live, self._tell = store, twin.live.name, tell
        self._lease = _Bounded(lease, engine, twin.live.name)
        self._follower = Follower(Projecting(codec, twin.projection, engine), self._lease, clock)

    @property
    def parked_total(self) -> int:
        return self._follower.parked_total

    async def catch_up(self) -> None:
        """To about where the live table is; it goes on meanwhile."""
        loop = asyncio.get_running_loop()
        for _ in range(CATCH_UP_ROUNDS_MAX):
            began = loop.time()
            await self.follow((await self._store.checkpoints()).get(self._live, Cursor()))
            if loop.time() - began < CLOSE_SECONDS:
                return

    async def follow(self, place: Cursor) -> None:
        self._lease.upto = place
        await followed(self._follower, self._lease, place, self._tell)


@asynccontextmanager
async def _frozen(twin: Twin, owner: "asyncpg.Connection[Any]") -> AsyncIterator[Cursor]:
    async with told(), asyncio.timeout(FROZEN_SECONDS_MAX), twin.frozen(owner) as place:
        yield place


@asynccontextmanager
async def _owner(url: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    async with told():
        connection = await asyncpg.connect(
            url, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS_MAX, server_settings={"application_name": "erbium.rebuild"}
        )
    try:
        yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def _engine(work_url: str, schema: str) -> AsyncIterator[AsyncEngine]:
    """Its search path begins with the twin's schema; what is not there (log, checkpoints) is found behind it."""
    settings = {"search_path": f'"{schema}", "{LIVE}"', "transaction_timeout": f"{COMPARE_SECONDS_MAX}s"}
    engine = create_async_engine(sqlalchemy_url(work_url), hide_parameters=True, connect_args={"server_settings": settings})
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def _snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """What is committed now, for as long as it takes. Why it is harmless: it only reads, so it holds no reader of the log back."""
    async with aclosing(await engine.connect()) as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        await connection.execute(text("SELECT 1 FROM checkpoints LIMIT 1"))
        yield connection


async def _chains(engine: AsyncEngine, twin: Twin) -> Sequence[UUID]:
    """Chains in which something of either is parked or skipped; only `work` sees them all at once."""
    asked = text(
        "SELECT chain_id FROM parked_keys WHERE subscriber IN (:live, :next) UNION SELECT chain_id FROM skips WHERE subscriber = :live"
    )
    async with transaction(engine) as connection:
        found: Sequence[UUID] = (await connection.execute(asked, {"live": twin.live.name, "next": twin.projection.name})).scalars().all()
        return found
