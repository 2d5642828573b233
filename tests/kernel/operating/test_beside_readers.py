"""While a table is exchanged clients read it, a worker keeps it and commands come in: nobody is refused, nobody is told wrong."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine

from erbium_kernel.beside import Places, rebuild_beside
from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.driver import Driver, Role, Step, Wake
from erbium_kernel.follow import Follower
from erbium_kernel.http import Call, Routes, View
from erbium_kernel.http.app import create_app
from erbium_kernel.projecting import Projecting
from tests.kernel.follow.board import BEDS, Board, Hall
from tests.kernel.follow.kitchen import CHAIN, take_bed
from tests.kernel.identity.bearers import Bearers
from tests.kernel.log.grounds import Database
from tests.kernel.operating.hall import a_database, a_hall, service_of

READERS = 3
EXCHANGES = 3
BEDS_BEFORE = 120
TAKE_SECONDS = 0.03
routes = Routes(tag="board")


class OnTheBoard(View):
    """How many beds the board shows, and whether this one is among them."""

    beds: int
    shown: bool


@routes.query("GET", "/board/{event_id}", name="getBoard", scope="screening:read", response=OnTheBoard, response_example={})
async def get_board(call: Call, event_id: UUID) -> OnTheBoard:
    """Two statements in one transaction, prepared once and used again and again."""
    async with call.reading() as connection:
        beds = (await connection.execute(select(func.count()).select_from(BEDS))).scalar_one()
        shown = (await connection.execute(select(BEDS.c.seen).where(BEDS.c.event_id == event_id))).first()
    return OnTheBoard(beds=beds, shown=shown is not None)


@dataclass
class Life:
    """What clients have met. `least`: no answer may show fewer beds than one that was complete before it was asked."""

    client: httpx.AsyncClient
    headers: dict[str, str]
    newest: UUID
    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    pending: int = 0
    least: int = 0
    over: bool = False

    async def read(self) -> None:
        """Read one's own write, again and again: with the event named, its row is there and nothing is lost."""
        while not self.over:
            wanted, least = self.newest, self.least
            answer = await self.client.get(f"/v1/board/{wanted}", headers={**self.headers, "Erbium-After": str(wanted)})
            self.answers[answer.status_code] += 1
            if answer.status_code != 200:
                continue
            self.pending += "erbium-after" in answer.headers
            told = answer.json()
            if told["beds"] < least or not (told["shown"] or "erbium-after" in answer.headers):
                self.wrong.append(answer.text)
            self.least = max(self.least, told["beds"])


@pytest.fixture
async def database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """One database for this file."""
    async with a_database(postgres_url, tmp_path_factory) as made:
        yield made


def a_role(hall: Hall) -> Role:
    """The board's worker as a process has it."""
    effect = Projecting(hall.runtime.codec, hall.board.projection, hall.engine)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        async with hall.store.lease(effect.name) as lease:
            yield None if lease is None else Follower(effect, lease, hall.clock).step

    return Role(name=effect.name, opened=opened, poll_seconds=0.005)


async def test_nobody_notices(database: Database) -> None:
    """Three readers with Erbium-After, a worker and a writer through three exchanges: every answer is 200, complete, none is pending."""
    async with a_hall(database) as hall:
        bearers = Bearers(hall.clock)
        service = replace(service_of(hall.kitchen, hall.board), routes=(routes,), reactions=())
        engine = create_async_engine(sqlalchemy_url(database.api), pool_size=READERS, max_overflow=0)
        app = create_app(service, hall.runtime, engine, bearers.verifier)
        first = [await take_bed(hall.runtime, uuid4()) for _ in range(BEDS_BEFORE)]
        await hall.follow()
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ward.test") as client:
            life = Life(client, {"Authorization": f"Bearer {bearers.token(CHAIN)}"}, newest=first[-1])
            stop = asyncio.Event()
            driving = asyncio.create_task(Driver([a_role(hall)], Wake(), hall.clock).run(stop))

            async def write() -> None:
                while not life.over:
                    life.newest = await take_bed(hall.runtime, uuid4())
                    await asyncio.sleep(TAKE_SECONDS)

            living = [asyncio.create_task(life.read()) for _ in range(READERS)] + [asyncio.create_task(write())]
            places = Places(owner_url=database.owner, work_url=database.work)
            for _ in range(EXCHANGES):
                done = await rebuild_beside(
                    hall.store, hall.runtime.codec, hall.clock, Board().projection, places, lambda _: None, exchange=True, accept=False
                )
                assert (done.holds, done.exchanged, done.parked) == (True, True, 0)
            life.over = True
            await asyncio.gather(*living)
            stop.set()
            await driving
        await engine.dispose()
        assert set(life.answers) == {200}, life.answers
        assert (life.wrong, life.pending) == ([], 0)
        assert life.answers[200] > 10 * EXCHANGES
        await hall.follow()
        assert len(await hall.rows(CHAIN)) >= life.least > BEDS_BEFORE
