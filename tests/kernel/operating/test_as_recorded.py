"""A resource read as it was recorded at an instant: in the shape of today, with what was learned later left out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine

from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.errors import NotFound
from erbium_kernel.execute import execute
from erbium_kernel.http import Call, Routes, View
from erbium_kernel.http.app import create_app
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.looking_back import AsRecorded, state_then
from erbium_kernel.personal import Personal, Redacted
from tests.kernel.follow.board import BEDS, Board, Hall
from tests.kernel.follow.kitchen import CHAIN, a_nurse, ward_with_kitchen
from tests.kernel.identity.bearers import Bearers
from tests.kernel.log.grounds import Database
from tests.kernel.operating.hall import a_database, a_hall, service_of
from tests.kernel.ward import BED, BedTaken, LeaveBed, TakeBed, WardClock

DAY = timedelta(days=1)
HEADER = "erbium-as-recorded"
board = Board()
routes = Routes(tag="beds")


class BedView(View):
    """Who lies in it."""

    bed_id: UUID
    version: int
    taken: bool
    name: str | None
    asked_at: datetime


class BoardView(View):
    """The patients that the board has seen in it, oldest first."""

    patients: list[UUID]
    version: int


@routes.query(
    "GET", "/beds/{bed_id}", name="getBed", scope="screening:read", response=BedView, as_recorded=AsRecorded(decider=BED, by="bed_id")
)
async def get_bed(call: Call, bed_id: UUID) -> BedView:
    """Folds the stream."""
    state, version = await call.state_of(BED, bed_id)
    if version == 0:
        raise NotFound
    name = state.name.text if state and isinstance(state.name, Personal) else None
    return BedView(bed_id=bed_id, version=version, taken=state is not None, name=name, asked_at=call.now())


@routes.query(
    "GET", "/board/{bed_id}", name="getBoard", scope="screening:read", response=BoardView,
    as_recorded=AsRecorded(decider=BED, by="bed_id", projections=(board.projection,)),
)  # fmt: skip
async def get_board(call: Call, bed_id: UUID, only: UUID | None = None) -> BoardView:
    """Reads a read table."""
    async with call.reading() as connection:
        query = select(BEDS.c.patient_id) if only is None else select(BEDS.c.patient_id).where(BEDS.c.patient_id == only)
        rows = (await connection.execute(query)).scalars().all()
    return BoardView(patients=sorted(rows, key=str), version=len(rows))


@routes.query("GET", "/plain/{bed_id}", name="getPlain", scope="screening:read", response=BoardView)
async def get_plain(call: Call, bed_id: UUID) -> BoardView:
    """Knows only today."""
    return BoardView(patients=[], version=1)


@dataclass
class House:
    """A client, and the hall it asks about."""

    client: httpx.AsyncClient
    bearers: Bearers
    hall: Hall

    async def get(self, path: str, at: datetime | str | None = None, chain: UUID = CHAIN, **more: Any) -> httpx.Response:
        """One question."""
        query = {} if at is None else {"as_recorded": at.isoformat() if isinstance(at, datetime) else at}
        headers = {"Authorization": f"Bearer {self.bearers.token(chain)}"}
        return await self.client.get(f"/v1{path}", params={**query, **more}, headers=headers)

    async def command(self, bed: UUID, command: Any) -> datetime:
        """Done now; tomorrow comes. Returns when it was recorded."""
        at = self.hall.clock.at
        await execute(self.hall.runtime, CHAIN, BED, bed, command, cause=a_nurse(self.hall.runtime))
        self.hall.clock.at += DAY
        return at

    async def take(self, bed: UUID, patient: UUID, name: str) -> datetime:
        """Somebody lies down."""
        command = TakeBed(patient_id=patient, room_id=uuid4(), at=self.hall.clock.at, name=Personal(patient, name))
        return await self.command(bed, command)


@pytest.fixture(scope="module")
async def database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """One database for this file."""
    async with a_database(postgres_url, tmp_path_factory) as made:
        yield made


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    """One connection for all questions, so that each meets what the one before has left on it."""
    async with a_hall(database) as hall, _client(hall, database) as client:
        yield client


@asynccontextmanager
async def _client(hall: Hall, database: Database) -> AsyncIterator[House]:
    bearers = Bearers(hall.clock)
    engine = create_async_engine(sqlalchemy_url(database.api), pool_size=1, max_overflow=0)
    app = create_app(replace(service_of(hall.kitchen, hall.board), routes=(routes,)), hall.runtime, engine, bearers.verifier)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ward.test") as client:
        yield House(client, bearers, hall)
    await engine.dispose()


async def test_a_fold(house: House) -> None:
    """Every instant has its answer: before the first event none, then each state at its version, and today's shape throughout."""
    bed, anna, bert = uuid4(), uuid4(), uuid4()
    taken = await house.take(bed, anna, "Anna")
    left = await house.command(bed, LeaveBed())
    again = await house.take(bed, bert, "Bert")
    today = await house.get(f"/beds/{bed}")
    assert (today.headers["etag"], HEADER in today.headers) == ('"3"', False)
    for at, version, name in (
        (taken, 1, "Anna"), (left - timedelta(microseconds=1), 1, "Anna"), (left, 2, None), (again, 3, "Bert"), (again + DAY, 3, "Bert"),
    ):  # fmt: skip
        then = await house.get(f"/beds/{bed}", at)
        assert (then.status_code, then.json()["version"], then.json()["name"]) == (200, version, name)
        assert then.json().keys() == today.json().keys()
        assert ("etag" in then.headers, datetime.fromisoformat(then.headers[HEADER])) == (False, at)
        assert datetime.fromisoformat(then.json()["asked_at"]) == at, "the time of the question is the past too"
    assert (await house.get(f"/beds/{bed}", taken - timedelta(microseconds=1))).status_code == 404


async def test_a_read_table(house: House, database: Database) -> None:
    """The projection's own code makes the table as it was, for one question: the next one on the same connection reads today's."""
    bed, anna, bert = uuid4(), uuid4(), uuid4()
    taken = await house.take(bed, anna, "Anna")
    await house.command(bed, LeaveBed())
    again = await house.take(bed, bert, "Bert")
    await house.hall.follow()
    for _ in range(3):
        for at, patients in ((None, {anna, bert}), (taken, {anna}), (again, {anna, bert}), (taken - DAY, set())):
            answer = await house.get(f"/board/{bed}", at)
            assert answer.status_code == 200
            assert {UUID(each) for each in answer.json()["patients"]} & {anna, bert} == patients
            if at:
                assert len(answer.json()["patients"]) == len(patients), "of this stream alone"
                assert "etag" not in answer.headers
        assert (await house.get(f"/board/{bed}", taken, only=str(bert))).json()["patients"] == []
    owner = await asyncpg.connect(database.owner)
    assert await owner.fetchval("SELECT count(*) FROM pg_class WHERE relname = 'beds'") == 1, "nothing is left of it"
    await owner.close()


async def test_the_erased_stay_erased(house: House) -> None:
    """What was recorded of a person who is erased by now is found at no instant, and nobody else's is lost with it."""
    bed, other, anna, bert = uuid4(), uuid4(), uuid4(), uuid4()
    taken = await house.take(bed, anna, "Anna")
    later = await house.take(other, bert, "Bert")
    await house.hall.store.erase_key(CHAIN, anna)
    house.hall.runtime.vault.forget(CHAIN, anna)
    for path in ("beds", "board"):
        answer = await house.get(f"/{path}/{bed}", taken)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert "Anna" not in answer.text
    assert (await house.get(f"/beds/{other}", later)).json()["name"] == "Bert"


async def test_another_chains(house: House) -> None:
    """What another chain has recorded was never there."""
    bed = uuid4()
    taken = await house.take(bed, uuid4(), "Anna")
    assert (await house.get(f"/beds/{bed}", taken, chain=uuid4())).status_code == 404
    assert (await house.get(f"/board/{bed}", taken, chain=uuid4())).json()["patients"] == []


@pytest.mark.parametrize(
    "at", ["yesterday", "2026-03-03", "2026-03-03T20:00:00", "2026-02-30T20:00:00Z", "1772568000", "", "2026-03-03T20:00:00.1234567Z"]
)
async def test_wrong_instants(house: House, at: str) -> None:
    """What is no instant with an offset is refused, and the answer shows how one looks."""
    answer = await house.get(f"/beds/{uuid4()}", at)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    (fault,) = answer.json()["errors"]
    assert fault["parameter"] == "as_recorded"
    assert "2026-05-01T09:30:00Z" in fault["reason"]
    assert answer.json()["do"]


async def test_instants_to_come(house: House) -> None:
    """Nothing has been recorded in the future; an address that cannot look back says so."""
    now = house.hall.clock.at
    answer = await house.get(f"/beds/{uuid4()}", now + timedelta(seconds=1))
    assert (answer.status_code, "future" in answer.json()["errors"][0]["reason"]) == (422, True)
    assert (await house.get(f"/plain/{uuid4()}", now)).status_code == 422
    assert (await house.get(f"/plain/{uuid4()}")).status_code == 200


async def test_in_memory() -> None:
    """The fold needs no database: the memory log looks back as well, and a redacted person is not found."""
    clock = WardClock()
    runtime = ward_with_kitchen(MemoryStore(clock=clock), clock)
    bed, anna = uuid4(), uuid4()
    command = TakeBed(patient_id=anna, room_id=uuid4(), at=clock.at, name=Personal(anna, "Anna"))
    await execute(runtime, CHAIN, BED, bed, command, cause=a_nurse(runtime))
    taken = clock.at
    clock.at += DAY
    await execute(runtime, CHAIN, BED, bed, LeaveBed(), cause=a_nurse(runtime))
    state, version = await state_then(runtime, CHAIN, BED, bed, taken)
    assert isinstance(state, BedTaken)
    assert (version, state.name) == (1, Personal(anna, "Anna"))
    assert await state_then(runtime, CHAIN, BED, bed, clock.at) == (None, 2)
    assert await state_then(runtime, CHAIN, BED, bed, taken - DAY) == (None, 0)
    await runtime.store.erase_key(CHAIN, anna)
    with pytest.raises(NotFound):
        await state_then(runtime, CHAIN, BED, bed, taken)
    assert Redacted(anna) != state.name
