"""Before a parked key is retried, operators see what this build would make of every waiting row; nothing of it is kept."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from erbium_kernel.codec import Codec
from erbium_kernel.errors import NotFound, Rejected
from erbium_kernel.event import EventTable, Stored
from erbium_kernel.log_records import Park, Row
from erbium_kernel.previewing import Foreseen, foresee
from erbium_kernel.relay import SUBSCRIBER as RELAY
from erbium_kernel.runtime import Runtime
from tests.kernel.follow.board import BEDS, Board, Hall
from tests.kernel.follow.conftest import clock, kitchen, runtime, store
from tests.kernel.follow.kitchen import CHAIN, MEALS, Kitchen, announce, follow, meals_of, take_bed
from tests.kernel.log.grounds import Database
from tests.kernel.operating.hall import BOARD, KITCHEN, a_database, a_hall, service_of
from tests.kernel.ward import EVENTS

__all__ = ["clock", "kitchen", "runtime", "store"]


@pytest.fixture(scope="module")
async def database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """One database for this file."""
    async with a_database(postgres_url, tmp_path_factory) as made:
        yield made


@pytest.fixture
async def hall(database: Database) -> AsyncIterator[Hall]:
    """A ward on it."""
    async with a_hall(database) as opened:
        yield opened


async def seen(runtime: Runtime, kitchen: Kitchen, patient: UUID, subscriber: str = KITCHEN) -> Sequence[Foreseen]:
    """What would become of the patient's rows in a ward without read tables."""
    return await foresee(service_of(kitchen, Board()), runtime, None, subscriber, CHAIN, patient)


def verdicts(rows: Sequence[Foreseen]) -> list[tuple[str, bool]]:
    """(verdict, behind) of each."""
    return [(row.verdict, row.behind) for row in rows]


async def first_row(runtime: Runtime) -> Row:
    """Of the log."""
    async with runtime.store.lease("reader") as lease:
        assert lease is not None
        (row,) = await lease.read(await lease.checkpoint(), 1)
        return row


async def test_a_mended_reaction(runtime: Runtime, kitchen: Kitchen) -> None:
    """Rows that the mended decider would take each see what the rows before them would have led to, and no meal is ordered."""
    anna = uuid4()
    kitchen.burns.add(anna)
    beds = [await take_bed(runtime, anna) for _ in range(3)]
    await follow(runtime, kitchen)
    kitchen.burns.clear()
    rows = await seen(runtime, kitchen, anna)
    assert verdicts(rows) == [("effect", False)] * 3
    assert [row.event_id for row in rows] == beds
    assert all(row.why.endswith(": meal-ordered") for row in rows)
    assert await meals_of(runtime, kitchen, anna) == ()
    assert [key.released for key in await runtime.store.parked()] == [False]


async def test_what_still_fails(runtime: Runtime, kitchen: Kitchen) -> None:
    """A row that still meets the bug is told by class and place, without data; the later ones are judged as if it were skipped."""
    anna = uuid4()
    kitchen.burns.add(anna)
    beds = [await take_bed(runtime, anna) for _ in range(3)]
    await follow(runtime, kitchen)
    kitchen.burns = {beds[0]}
    kitchen.refuses = set()
    rows = await seen(runtime, kitchen, anna)
    assert verdicts(rows) == [("fails", False), ("effect", True), ("effect", True)]
    assert rows[0].why.startswith("KitchenOnFire at kernel/follow/kitchen.py:")
    assert "secret" not in json.dumps([row.why for row in rows])
    kitchen.burns, kitchen.refuses = set(), {anna}
    assert {(row.verdict, row.why) for row in await seen(runtime, kitchen, anna)} == {("refused", "kitchen.closed")}


async def test_an_upcast_mends(runtime: Runtime, kitchen: Kitchen) -> None:
    """A message of a version that only a newer build knows would take effect there, through that build's upcasts."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class AnnouncedNow:
        """The next version."""

        patient_id: UUID
        floor: int

    anna = uuid4()
    await announce(runtime, anna, offset=0, raw=b'{"who":"%s"}' % str(anna).encode())
    await follow(runtime, kitchen)
    (row,) = await seen(runtime, kitchen, anna)
    assert (row.verdict, row.why.split(" at ")[0]) == ("fails", "Undecodable")

    def up(old: dict[str, Any]) -> dict[str, Any]:
        return {"patient_id": old["who"], "floor": 0}

    newer = EventTable({"erbium.reception.announced": Stored(record=AnnouncedNow, version=2, upcasts={1: up})})
    (row,) = await seen(replace(runtime, codec=Codec([EVENTS, MEALS], newer)), kitchen, anna)
    assert (row.verdict, row.schema_version) == ("effect", 1)


async def test_waiting_for_a_key(runtime: Runtime, kitchen: Kitchen) -> None:
    """Where the patient's key has yet to arrive the row would wait; where the patient is erased it would be refused."""
    anna = uuid4()
    kitchen.burns.add(anna)
    await take_bed(runtime, anna)
    await follow(runtime, kitchen)
    kitchen.burns.clear()
    kitchen.notes = True
    elsewhere = replace(service_of(kitchen, Board()), erased_by=())  # a service that makes no keys
    (row,) = await foresee(elsewhere, runtime, None, KITCHEN, CHAIN, anna)
    assert (row.verdict, row.why) == ("waits", "KeyNotHere")
    assert verdicts(await seen(runtime, kitchen, anna)) == [("effect", False)]
    await runtime.store.erase_key(CHAIN, anna)
    (row,) = await seen(runtime, kitchen, anna)
    assert (row.verdict, row.why) == ("refused", "person-erased")


async def test_the_relay_and_the_erasure(runtime: Runtime, kitchen: Kitchen) -> None:
    """What is parked in the relay and in the erasure is foreseen too; a subscriber that nobody knows is refused."""
    anna = uuid4()
    await take_bed(runtime, anna)
    parked = await first_row(runtime)
    for subscriber, why in ((RELAY, "bed-taken"), ("ward.erasure", "the person's key is destroyed"), ("ward.nobody", "")):
        async with runtime.store.lease(subscriber) as lease:
            assert lease is not None
            await lease.move(await lease.checkpoint(), parked.cursor, [Park(row=parked, reason="Bug at here.py:1", attempts=1)])
        if why:
            assert [(row.verdict, row.why) for row in await seen(runtime, kitchen, anna, subscriber)] == [("effect", why)]
        else:
            with pytest.raises(Rejected, match=r"no subscriber ward\.nobody"):
                await seen(runtime, kitchen, anna, subscriber)
    with pytest.raises(NotFound):
        await seen(runtime, kitchen, uuid4())


async def test_a_projection_rolled_back(hall: Hall) -> None:
    """A projection's rows are written in a transaction that is rolled back: row by row it is told, and the table is as before."""
    chain, anna = uuid4(), uuid4()
    hall.board.burns.add(anna)
    beds = [await take_bed(hall.runtime, anna, chain) for _ in range(3)]
    await hall.follow()
    service = service_of(hall.kitchen, hall.board)
    rows = await foresee(service, hall.runtime, hall.engine, BOARD, chain, anna)
    assert verdicts(rows) == [("fails", False), ("fails", True), ("fails", True)]
    assert rows[0].why.startswith("KitchenOnFire at kernel/follow/board.py:")
    hall.board.burns.clear()
    rows = await foresee(service, hall.runtime, hall.engine, BOARD, chain, anna)
    assert [(row.event_id, row.verdict, row.why) for row in rows] == [(bed, "effect", "beds") for bed in beds]
    async with hall.engine.begin() as connection:
        assert not (await connection.execute(select(BEDS).where(BEDS.c.patient_id == anna))).all()
    assert [key.rows for key in await hall.store.parked() if key.chain_id == chain] == [3]
    await hall.store.retry_parked(BOARD, chain, anna)
    await hall.follow()
    assert await hall.rows(chain) == {(bed, anna) for bed in beds}
