"""A read table of the ward on a real database: one row for every bed taken."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Column, Integer, MetaData, Uuid, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateTable

from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.event import Cursor, Envelope
from erbium_kernel.follow import Follower
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.migrating import secure
from erbium_kernel.progress import Progress
from erbium_kernel.projecting import Projecting, set_chain
from erbium_kernel.read_table import Change, put, read_table
from erbium_kernel.rebuild import Rebuilt, rebuild
from erbium_kernel.runtime import Runtime
from erbium_kernel.subscribing import Projection
from tests.kernel.follow.kitchen import STEPS_MAX, Kitchen, KitchenOnFire, ward_with_kitchen
from tests.kernel.log.grounds import SERVICE, Database
from tests.kernel.ward import WardClock

SETTLED_SECONDS_MAX = 20.0
METADATA = MetaData()
BEDS = read_table(
    "beds",
    METADATA,
    Column("event_id", Uuid(), nullable=False),
    Column("patient_id", Uuid(), nullable=False),
    Column("seen", Integer(), nullable=False),
    key=("event_id",),
)


@dataclass
class Board:
    """The projection with its faults: whose rows meet a bug, and how often each row has been applied."""

    burns: set[UUID] = field(default_factory=set)
    applied: list[UUID] = field(default_factory=list)

    @property
    def projection(self) -> Projection:
        """What the follower gets."""
        return Projection(name="ward.beds", hears=frozenset({"bed-taken"}), tables=(BEDS,), changes=self.changes)

    def changes(self, envelope: Envelope, record: Any) -> Iterator[Change]:
        """A row for the bed."""
        yield put(BEDS, event_id=envelope.event_id, patient_id=record.patient_id, seen=1)
        self.applied.append(envelope.event_id)
        if record.patient_id in self.burns:
            raise KitchenOnFire("a secret name")


class _Statements:
    """Collects what a migration would execute: stands for Alembic's `op` where there is no Alembic."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def get_bind(self) -> "_Statements":
        """Itself."""
        return self

    def exec_driver_sql(self, statement: str) -> None:
        """Kept."""
        self.statements.append(statement)


async def make_read_tables(owner_url: str) -> None:
    """As the service's second migration does."""
    op = _Statements()
    secure(op, SERVICE, BEDS.name)
    owner = await asyncpg.connect(owner_url)
    try:
        for statement in (str(CreateTable(BEDS).compile(dialect=postgresql.dialect())), *op.statements):
            await owner.execute(statement)
    finally:
        await owner.close()


@dataclass
class Hall:
    """A ward on a database of its own."""

    runtime: Runtime
    store: PostgresStore
    kitchen: Kitchen
    board: Board
    engine: AsyncEngine
    clock: WardClock

    @classmethod
    @asynccontextmanager
    async def on(cls, database: Database) -> AsyncIterator["Hall"]:
        """Opens everything, closes everything."""
        clock = WardClock()
        async with contextlib.AsyncExitStack() as stack:
            store = await stack.enter_async_context(
                await PostgresStore.open(service=SERVICE, api_url=database.api, work_url=database.work, clock=clock)
            )
            engine = create_async_engine(sqlalchemy_url(database.work))
            stack.push_async_callback(engine.dispose)
            yield cls(ward_with_kitchen(store, clock, seed=secrets.randbits(64)), store, Kitchen(), Board(), engine, clock)

    async def settled(self) -> None:
        """Waits until a reader may reach all that is committed: somebody else's open transaction on the server holds readers back."""
        newest = text("SELECT epoch, tx::text::bigint, position FROM log ORDER BY epoch DESC, tx DESC, position DESC LIMIT 1")
        async with asyncio.timeout(SETTLED_SECONDS_MAX), self.engine.connect() as connection:
            last = (await connection.execute(newest)).one_or_none()
            await connection.rollback()
            while last is not None and await self.store.end() < Cursor(*last):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.01)

    async def follow(self, until: str = "idle") -> Progress:
        """Steps of the board under one lease."""
        await self.settled()
        async with self.store.lease(self.board.projection.name) as lease:
            assert lease is not None
            follower = Follower(Projecting(self.runtime.codec, self.board.projection, self.engine), lease, self.clock)
            for _ in range(STEPS_MAX):
                progress = await follower.step()
                if progress.kind == until:
                    return progress
        raise AssertionError(f"never {until} in {STEPS_MAX} steps, last {progress}")

    async def rebuild(self, told: Callable[[Rebuilt], None] = lambda _: None) -> Rebuilt:
        """The board from the beginning of the log."""
        await self.settled()
        return await rebuild(self.store, self.runtime.codec, self.clock, self.board.projection, self.engine, told)

    async def rows(self, chain_id: UUID) -> set[tuple[UUID, UUID]]:
        """(event, patient) of this chain, as the `work` role sees them."""
        async with self.engine.begin() as connection:
            await set_chain(connection, chain_id)
            return {(row.event_id, row.patient_id) for row in await connection.execute(select(BEDS))}
