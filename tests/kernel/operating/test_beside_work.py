"""A read table exchanged while there is work: keys that are parked, released or skipped, and workers in the midst of a batch."""

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import select

from erbium_kernel import projecting
from erbium_kernel.beside import Places, abandon
from erbium_kernel.errors import LostLease
from erbium_kernel.follow import Follower
from erbium_kernel.log_records import ParkedRowDone
from erbium_kernel.projecting import Projecting, set_chain
from erbium_kernel.read_table import Change
from erbium_kernel.rebuild import TableInUse
from erbium_kernel.twin import AnotherBuild, SkippedMeanwhile, TableBusy, TablesDiffer
from tests.kernel.follow.board import BEDS, Board, Hall
from tests.kernel.follow.kitchen import take_bed
from tests.kernel.log.grounds import Database
from tests.kernel.operating.hall import BOARD
from tests.kernel.operating.newer_build import NEXT, SLOW_SECONDS, CountingTwice, beside, schemas


async def test_parked_keys_are_taken_over(hall: Hall, database: Database) -> None:
    """What the new build parked is parked afterwards, what only the old one had parked is not; a worker in mid-flight obeys at once."""
    chain, anna, bert = uuid4(), uuid4(), uuid4()
    hall.board.burns.add(bert)
    beds = {patient: await take_bed(hall.runtime, patient, chain) for patient in (anna, bert)}
    await hall.follow()
    newer = Board(burns={anna})
    async with hall.store.lease(BOARD) as lease:
        assert lease is not None
        worker = Follower(Projecting(hall.runtime.codec, newer.projection, hall.engine), lease, hall.clock)
        await worker.step()
        done = await beside(hall, database, newer, accept=True)
        assert (done.exchanged, done.parked) == (True, 1)
        assert await hall.rows(chain) == {(beds[bert], bert)}
        newer.burns.clear()  # would have its effect, and must not overtake
        later = await take_bed(hall.runtime, anna, chain)
        await hall.settled()
        while (await worker.step()).kind != "idle":
            pass
    assert await hall.rows(chain) == {(beds[bert], bert)}
    assert {(key.subscriber, key.ordering_id, key.rows) for key in await hall.store.parked() if key.chain_id == chain} == {(BOARD, anna, 2)}
    await hall.store.retry_parked(BOARD, chain, anna)
    hall.board.burns.clear()
    await hall.follow()
    assert await hall.rows(chain) == {(beds[bert], bert), (beds[anna], anna), (later, anna)}


async def test_a_worker_that_had_nothing_parked(hall: Hall, database: Database) -> None:
    """A worker that knew of no parked key obeys those of the new table at once, although nobody tells it."""
    chain, anna = uuid4(), uuid4()
    await take_bed(hall.runtime, anna, chain)
    await hall.follow()
    newer = Board(burns={anna})
    async with hall.store.lease(BOARD) as lease:
        assert lease is not None
        worker = Follower(Projecting(hall.runtime.codec, newer.projection, hall.engine), lease, hall.clock)
        await worker.step()
        assert not await lease.parked_keys()
        assert (await beside(hall, database, newer, accept=True)).parked == 1
        newer.burns.clear()
        await take_bed(hall.runtime, anna, chain)
        await hall.settled()
        while (await worker.step()).kind != "idle":
            pass
    assert await hall.rows(chain) == set(), "a later row has not overtaken the parked one"
    assert [key.rows for key in await hall.store.parked() if key.chain_id == chain] == [2]
    await hall.store.retry_parked(BOARD, chain, anna)
    await hall.follow()


async def test_a_worker_in_the_midst_of_a_batch(hall: Hall, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is writing is waited for, not run against: none of its steps is in trouble, and no row is lost."""
    whole, kinds, chain = projecting.keep, set(), uuid4()

    async def slow(connection: Any, chain_id: UUID, changes: Iterable[Change]) -> None:
        await whole(connection, chain_id, changes)
        if asyncio.current_task() is tasks[0]:
            await asyncio.sleep(SLOW_SECONDS)

    monkeypatch.setattr(projecting, "keep", slow)
    over = asyncio.Event()

    async def work() -> None:
        async with hall.store.lease(BOARD) as lease:
            assert lease is not None
            worker = Follower(Projecting(hall.runtime.codec, hall.board.projection, hall.engine), lease, hall.clock)
            while not over.is_set():
                kinds.add((await worker.step()).kind)
                await asyncio.sleep(0.005)

    async def write() -> None:
        while not over.is_set():
            await take_bed(hall.runtime, uuid4(), chain)
            await asyncio.sleep(2 * SLOW_SECONDS)

    tasks = [asyncio.create_task(work()), asyncio.create_task(write())]
    async with asyncio.timeout(60):
        for _ in range(2):
            assert (await beside(hall, database, Board())).exchanged
    over.set()
    await asyncio.gather(*tasks)
    assert kinds <= {"worked", "idle"}
    monkeypatch.undo()
    before = await hall.rows(chain)
    await hall.follow()
    assert await hall.rows(chain) >= before
    assert (await beside(hall, database, Board())).holds


async def test_a_released_row_in_mid_flight(hall: Hall, database: Database) -> None:
    """A parked row that a worker is about to work off when the tables are exchanged is not written into the new one out of its turn."""
    chain, anna = uuid4(), uuid4()
    hall.board.burns.add(anna)
    bed = await take_bed(hall.runtime, anna, chain)
    await hall.follow()
    hall.board.burns.clear()
    await hall.store.retry_parked(BOARD, chain, anna)
    async with hall.store.lease(BOARD) as lease:
        assert lease is not None
        (row,) = await lease.parked_rows(chain, anna, 10)
        assert (await beside(hall, database, CountingTwice(leaves_out=set()), accept=True)).exchanged
        effect = Projecting(hall.runtime.codec, hall.board.projection, hall.engine)
        with pytest.raises(LostLease):
            await effect.work_parked(lease, row, ParkedRowDone(BOARD, chain, anna, bed))
    async with hall.engine.begin() as connection:
        await set_chain(connection, chain)
        seen = (await connection.execute(select(BEDS.c.seen).where(BEDS.c.event_id == bed))).scalar_one()
    assert seen == 2, "what the new build made of it stands"
    assert (await beside(hall, database, Board(), accept=True)).exchanged


async def test_skips_are_honoured(hall: Hall, database: Database) -> None:
    """A row that was skipped before is skipped in the new table too; one skipped while it is made makes the exchange refuse."""
    chain, anna = uuid4(), uuid4()
    hall.board.burns.add(anna)
    beds = [await take_bed(hall.runtime, anna, chain) for _ in range(2)]
    await hall.follow()
    await hall.store.skip_parked(BOARD, chain, anna, beds[0], "ops-1", "known")
    hall.board.burns = set()
    await hall.follow()
    assert (await beside(hall, database, Board())).exchanged
    assert await hall.rows(chain) == {(beds[1], anna)}
    hall.board.burns.add(anna)
    bed = await take_bed(hall.runtime, anna, chain)
    await hall.follow()
    await beside(hall, database, Board(), exchange=False)
    await hall.store.skip_parked(BOARD, chain, anna, bed, "ops-1", "known")
    with pytest.raises(SkippedMeanwhile):
        await beside(hall, database, Board(), accept=True)
    assert await hall.rows(chain) == {(beds[1], anna)}


async def test_refusals(hall: Hall, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once, a twin of another build, a table that is not this code's, a table that readers never let go: one sentence each."""
    monkeypatch.setattr("erbium_kernel.rebuild.LEASE_SECONDS_MAX", 0.3)
    monkeypatch.setattr("erbium_kernel.twin.EXCHANGE_ATTEMPTS_MAX", 3)
    async with hall.store.lease(NEXT):
        with pytest.raises(TableInUse):
            await beside(hall, database, Board())
    reader = await asyncpg.connect(database.api)
    async with reader.transaction():
        await reader.fetch("SELECT * FROM beds")
        with pytest.raises(TableBusy):
            await beside(hall, database, Board())
        assert (await beside(hall, database, Board(), exchange=False)).holds
    await reader.close()
    owner = await asyncpg.connect(database.owner)
    note = await owner.fetchval("SELECT obj_description('next_ward_beds'::regnamespace, 'pg_namespace')")
    await owner.execute(f"COMMENT ON SCHEMA next_ward_beds IS '{note.replace('shape', 'form')}'".replace('"form": "', '"shape": "0'))
    with pytest.raises(AnotherBuild):
        await beside(hall, database, Board())
    await abandon(hall.store, hall.board.projection, Places(owner_url=database.owner, work_url=database.work))
    await owner.execute("ALTER TABLE beds ADD COLUMN colour text")
    with pytest.raises(TablesDiffer):
        await beside(hall, database, Board())
    await owner.execute("ALTER TABLE beds DROP COLUMN colour")
    await owner.close()
    assert await schemas(database) == []
