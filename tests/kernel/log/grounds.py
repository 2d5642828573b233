"""What a test may do to a store from outside: hold a transaction open, restore, cut a connection. One for each adapter."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.log_records import Append
from erbium_kernel.ports import Store
from erbium_kernel.projecting import transaction
from erbium_kernel.rebuild import forget
from tests.kernel.log.making import HandClock, a_command, a_stream
from tests.kernel.log.reading import PATIENCE_SECONDS

SERVICE = "screening"
REACHED_SECONDS_MAX = 10.0
RESTORED_TX_SHIFT = 10**12  # makes the transaction ids of an old cluster higher than any of the new one


class Held(Protocol):
    """Somebody's transaction that has written this event to the log and has not ended."""

    event_id: UUID

    async def commit(self) -> None:
        """Now everybody sees the event."""
        ...

    async def roll_back(self) -> None:
        """The event was never there. After a commit it changes nothing."""
        ...


class Ground(Protocol):
    """A store and the world around it. `other` is a second process on the same database."""

    clock: HandClock
    patience_seconds: float  # how long a reader may be held up by somebody who is not in the test

    @property
    def store(self) -> Store:
        """The store under test."""
        ...

    @property
    def other(self) -> Store:
        """Another process's."""
        ...

    def hold(self, chain_id: UUID) -> AbstractAsyncContextManager[Held]:
        """An event of a new stream in a transaction that stays open until the test ends it, or the block does (rolled back)."""
        ...

    async def new_epoch(self) -> None:
        """A restore into a fresh cluster, where transaction ids start again."""
        ...

    async def cut_lease(self, subscriber: str) -> None:
        """The connection that holds this lease dies."""
        ...

    async def forget(self, subscriber: str) -> None:
        """What a rebuild does to a subscriber: it begins again, its parked keys forgotten."""
        ...

    async def unreadable(self, topic: str) -> list[dict[str, Any]]:
        """The records of a topic that were put aside as unreadable."""
        ...


class Gate:
    """The memory store's pause: always lets others run first, and holds the next append that has written when `arm` says so."""

    def __init__(self) -> None:
        """Holds nobody."""
        self._next: MemoryHeld | None = None

    def arm(self, held: "MemoryHeld") -> None:
        """The next append stays open until `held` lets it go."""
        self._next = held

    async def __call__(self, where: str) -> None:
        """The pause point."""
        await asyncio.sleep(0)
        if where == "append: written" and self._next is not None:
            held, self._next = self._next, None
            held.reached.set()
            await held.may_commit.wait()


class MemoryHeld:
    """An append that waits between its write and its commit."""

    def __init__(self, work: Append) -> None:
        """Not started yet."""
        self.event_id = work.events[0].event_id
        self.reached, self.may_commit = asyncio.Event(), asyncio.Event()
        self._work = work
        self._task: asyncio.Task[int] | None = None

    async def start(self, store: Store) -> None:
        """Returns when the event is written."""
        self._task = asyncio.create_task(store.append(self._work))
        await asyncio.wait_for(self.reached.wait(), REACHED_SECONDS_MAX)

    async def commit(self) -> None:
        """Now everybody sees the event."""
        assert self._task is not None
        self.may_commit.set()
        await self._task

    async def roll_back(self) -> None:
        """The role that had it open crashes."""
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@dataclass
class MemoryGround:
    """A memory store whose every call lets others run, so that races are races."""

    clock: HandClock
    gate: Gate
    memory: MemoryStore
    patience_seconds: float = 0.1

    @classmethod
    def new(cls) -> "MemoryGround":
        """An empty one."""
        clock, gate = HandClock(), Gate()
        return cls(clock, gate, MemoryStore(clock=clock, pause=gate))

    @property
    def store(self) -> Store:
        """The store."""
        return self.memory

    @property
    def other(self) -> Store:
        """The same: processes of one simulated service share the object."""
        return self.memory

    @asynccontextmanager
    async def hold(self, chain_id: UUID) -> AsyncIterator[Held]:
        """See `Ground.hold`."""
        held = MemoryHeld(a_command(chain_id, a_stream("held")))
        self.gate.arm(held)
        await held.start(self.memory)
        try:
            yield held
        finally:
            await held.roll_back()

    async def new_epoch(self) -> None:
        """See `Ground.new_epoch`."""
        self.memory.new_epoch()

    async def cut_lease(self, subscriber: str) -> None:
        """See `Ground.cut_lease`."""
        self.memory.cut_lease(subscriber)

    async def forget(self, subscriber: str) -> None:
        """See `Ground.forget`."""
        await self.memory.reset_checkpoint(subscriber)

    async def unreadable(self, topic: str) -> list[dict[str, Any]]:
        """See `Ground.unreadable`."""
        found = [(place, record) for place, record in self.memory.tables.unreadable.items() if place[0] == topic]
        return [
            {"partition": place[1], "offset": place[2], "reason": record.reason, "key": record.key, "raw": record.raw}
            for place, record in found
        ]


class PostgresHeld:
    """A raw connection that has inserted into `log` and has not committed."""

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        """Not begun yet."""
        self.event_id = uuid4()
        self._transaction = connection.transaction()
        self._connection = connection
        self._open = False

    async def begin(self, chain_id: UUID) -> None:
        """Returns when the event is written."""
        await self._transaction.start()
        self._open = True
        await self._connection.execute(
            "INSERT INTO log (epoch, chain_id, stream, version, ordering_id, event_id, type, schema_version, occurred_at, recorded_at,"
            " correlation_id, actor_kind, actor_id, data)"
            " SELECT epoch, $1, $2, 1, $3, $3, 'mole-noted', 1, now(), now(), $3, 'staff', 'nurse-17', '{}' FROM installation",
            chain_id,
            a_stream("held"),
            self.event_id,
        )

    async def commit(self) -> None:
        """Now everybody sees the event."""
        self._open = False
        await self._transaction.commit()

    async def roll_back(self) -> None:
        """The event was never there."""
        if self._open:
            self._open = False
            await self._transaction.rollback()


@dataclass(repr=False)  # a repr would hold passwords
class PostgresGround:
    """Two processes' stores on one real database, and a superuser's hand (`admin`)."""

    clock: HandClock
    store: Store
    other: Store
    admin_url: str
    work_url: str
    admin: "asyncpg.Connection[Any]"
    patience_seconds: float = PATIENCE_SECONDS

    @classmethod
    @asynccontextmanager
    async def on(cls, urls: "Database") -> AsyncIterator["PostgresGround"]:
        """Opens everything, closes everything."""
        clock = HandClock()
        async with contextlib.AsyncExitStack() as stack:
            admin = await asyncpg.connect(urls.admin)
            stack.push_async_callback(admin.close)
            stores = [await PostgresStore.open(service=SERVICE, api_url=urls.api, work_url=urls.work, clock=clock) for _ in range(2)]
            for store in stores:
                stack.push_async_callback(store.close)
            yield cls(clock, stores[0], stores[1], urls.admin, urls.work, admin)

    @asynccontextmanager
    async def hold(self, chain_id: UUID) -> AsyncIterator[Held]:
        """See `Ground.hold`."""
        connection = await asyncpg.connect(self.admin_url)
        held = PostgresHeld(connection)
        try:
            await held.begin(chain_id)
            yield held
        finally:
            await held.roll_back()
            await connection.close()

    async def new_epoch(self) -> None:
        """See `Ground.new_epoch`. A live cluster cannot go back, so what is there is made to look as if from a busier one."""
        async with self.admin.transaction():
            for table in ("log", "keys", "checkpoints", "parked_rows", "heartbeats"):
                await self.admin.execute(
                    f"UPDATE {table} SET tx = (tx::text::bigint + $1)::text::xid8 WHERE epoch = (SELECT epoch FROM installation)",
                    RESTORED_TX_SHIFT,
                )
            await self.admin.execute("UPDATE installation SET epoch = epoch + 1")

    async def cut_lease(self, subscriber: str) -> None:
        """See `Ground.cut_lease`."""
        found = await self.admin.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1",
            f"{SERVICE}.{subscriber}",
        )
        assert found == 1

    async def forget(self, subscriber: str) -> None:
        """See `Ground.forget`."""
        engine = create_async_engine(sqlalchemy_url(self.work_url), poolclass=NullPool)
        async with transaction(engine) as connection:
            await forget(connection, subscriber)

    async def unreadable(self, topic: str) -> list[dict[str, Any]]:
        """See `Ground.unreadable`."""
        records = await self.admin.fetch('SELECT partition, "offset", reason, key, raw FROM unreadable WHERE topic = $1', topic)
        return [dict(record) for record in records]


@dataclass(frozen=True, slots=True, repr=False)
class Database:
    """The addresses of a throw-away database with the kernel's schema in it."""

    admin: str
    owner: str
    api: str
    work: str
