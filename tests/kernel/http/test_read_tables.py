"""Reading the read tables over HTTP on a real PostgreSQL: one's own chain only, and in time when the database is not there."""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from erbium_kernel.http import Call, Routes, View
from erbium_kernel.http.app import create_app
from erbium_kernel.log.memory import MemoryStore
from tests.kernel.http.conftest import CHAIN, OTHER_CHAIN
from tests.kernel.http.ward_app import WARD
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import WardClock, ward

ANSWER_SECONDS = 2.0

routes = Routes(tag="sheets")


class Sheets(View):
    """How many sheets this chain has."""

    sheets: int


@routes.query("GET", "/sheets", name="countSheets", scope="screening:read", response=Sheets, response_example={"sheets": 1})
async def count_sheets(call: Call) -> Sheets:
    """How many sheets there are."""
    async with call.reading() as connection:
        return Sheets(sheets=(await connection.execute(text("SELECT count(*) FROM sheets"))).scalar_one())


class Wire:
    """A TCP relay to the database that can be frozen (nothing passes, nothing ends) or cut (nobody answers)."""

    def __init__(self, host: str, port: int) -> None:
        """Towards this server."""
        self._host, self._port = host, port
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self) -> None:
        """Listens, on the same port as before."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def freeze(self) -> None:
        """Nothing passes any more."""
        self._flows.clear()

    def thaw(self) -> None:
        """Everything passes again."""
        self._flows.set()

    async def cut(self) -> None:
        """All connections end, new ones are refused."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            try:
                while data := await source.read(65_536):
                    await self._flows.wait()
                    sink.write(data)
                    await sink.drain()
            finally:
                sink.close()


@dataclasses.dataclass
class Linen:
    """A client of an application that reads sheets through the wire."""

    client: httpx.AsyncClient
    bearers: Bearers
    wire: Wire

    async def count(self, chain: Any = CHAIN) -> httpx.Response:
        """One question, which must be answered in time."""
        began = time.monotonic()
        answer = await self.client.get("/v1/sheets", headers={"Authorization": f"Bearer {self.bearers.token(chain)}"})
        assert time.monotonic() - began < ANSWER_SECONDS
        return answer


@pytest.fixture
async def linen(postgres_url: str) -> AsyncIterator[Linen]:
    database = reader = f"edge_{uuid4().hex}"
    password = uuid4().hex
    admin = await asyncpg.connect(postgres_url)
    await admin.execute(f"CREATE DATABASE {database}")
    own = await asyncpg.connect(postgres_url, database=database)
    await own.execute(
        f"""
        CREATE ROLE {reader} LOGIN PASSWORD '{password}';
        CREATE TABLE sheets (chain_id uuid NOT NULL);
        ALTER TABLE sheets ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own_chain ON sheets USING (chain_id = nullif(current_setting('app.chain', true), '')::uuid);
        GRANT SELECT ON sheets TO {reader};
        INSERT INTO sheets VALUES ('{CHAIN}'), ('{CHAIN}'), ('{OTHER_CHAIN}');
        """
    )
    await own.close()
    server = urlsplit(postgres_url)
    wire = Wire(server.hostname or "127.0.0.1", server.port or 5432)
    await wire.open()
    engine = create_async_engine(
        f"postgresql+asyncpg://{reader}:{password}@127.0.0.1:{wire.port}/{database}",
        pool_size=2,
        max_overflow=0,
        pool_timeout=1.0,
        connect_args={"timeout": 1.0, "command_timeout": 1.5},
    )
    clock = WardClock()
    bearers = Bearers(clock)
    app = create_app(dataclasses.replace(WARD, routes=(routes,)), ward(MemoryStore(clock=clock), clock), engine, bearers.verifier)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://linen.test") as client:
        yield Linen(client, bearers, wire)
    await _closed(engine, wire)
    await admin.execute(f"DROP DATABASE {database} WITH (FORCE)")
    await admin.execute(f"DROP ROLE {reader}")
    await admin.close()


async def _closed(engine: AsyncEngine, wire: Wire) -> None:
    wire.thaw()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(5):
            await engine.dispose()
    await wire.cut()


async def test_own_chain(linen: Linen) -> None:
    """A token's chain sees its own rows of a read table, also right after another chain's on the same connection."""
    counted = [(await linen.count(chain)).json()["sheets"] for chain in (CHAIN, OTHER_CHAIN, uuid4(), CHAIN)]
    assert counted == [2, 1, 0, 2]


async def test_frozen_and_back(linen: Linen) -> None:
    """A database that stops answering in the middle costs 503 in under 2 s, again and again; when it is back, so are the answers."""
    assert (await linen.count()).status_code == 200
    linen.wire.freeze()
    for _ in range(3):
        answer = await linen.count()
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    linen.wire.thaw()
    await _until_answered(linen)


async def test_cut_and_back(linen: Linen) -> None:
    """A database whose connections are cut and that refuses new ones is 503 at once; when it is back, so are the answers."""
    assert (await linen.count()).status_code == 200
    await linen.wire.cut()
    for _ in range(3):
        answer = await linen.count()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    await linen.wire.open()
    await _until_answered(linen)


async def _until_answered(linen: Linen) -> None:
    for _ in range(100):
        if (await linen.count()).status_code == 200:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the database is back, and nobody noticed")
