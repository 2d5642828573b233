"""A read table is made again beside the one in use and exchanged with it; what differs is told by key and column."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import select

from erbium_kernel.beside import Beside, Places, abandon, rebuild_beside
from erbium_kernel.errors import LostLease
from erbium_kernel.event import Envelope
from erbium_kernel.follow import Follower
from erbium_kernel.log_records import ParkedRowDone
from erbium_kernel.projecting import ROWS_PER_TRANSACTION_MAX, Projecting, set_chain
from erbium_kernel.read_table import put
from erbium_kernel.rebuild import Rebuilt, TableInUse
from erbium_kernel.twin import AnotherBuild, SkippedMeanwhile, TableBusy, TablesDiffer
from tests.kernel.follow.board import BEDS, Board, Hall
from tests.kernel.follow.kitchen import take_bed
from tests.kernel.log.grounds import Database
from tests.kernel.operating.hall import BOARD, a_database, a_hall

NEXT = f"{BOARD}.next"
SLOW_SECONDS = 0.3
CATALOGUE = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relacl::text,
       (SELECT array_agg(i.indexname || i.indexdef ORDER BY i.indexname)::text FROM pg_indexes i WHERE i.tablename = c.relname AND i.schemaname = 'public'),
       (SELECT array_agg(p::text ORDER BY p.policyname)::text FROM pg_policies p WHERE p.tablename = c.relname AND p.schemaname = 'public'),
       (SELECT array_agg(k.conname ORDER BY k.conname)::text FROM pg_constraint k WHERE k.conrelid = c.oid)
FROM pg_class c WHERE c.oid = 'public.beds'::regclass
"""  # noqa: E501


@pytest.fixture(scope="module")
async def database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """One database for this file."""
    async with a_database(postgres_url, tmp_path_factory) as made:
        yield made


@pytest.fixture
async def hall(database: Database) -> AsyncIterator[Hall]:
    """A ward on it, with nothing beside its tables."""
    async with a_hall(database) as opened:
        await abandon(opened.store, opened.board.projection, Places(owner_url=database.owner, work_url=database.work))
        yield opened


class CountingTwice(Board):
    """A newer build: it counts otherwise, and has no row for the patients it leaves out."""

    def __init__(self, leaves_out: set[UUID]) -> None:
        super().__init__()
        self.leaves_out = leaves_out

    async def apply(self, connection: Any, envelope: Envelope, record: Any) -> None:
        """Two where there was one."""
        await super().apply(connection, envelope, record)
        if record.patient_id in self.leaves_out:
            await connection.execute(BEDS.delete().where(BEDS.c.event_id == envelope.event_id))
        else:
            await put(connection, BEDS, envelope.chain_id, event_id=envelope.event_id, patient_id=record.patient_id, seen=2)


async def beside(
    hall: Hall,
    database: Database,
    board: Board,
    *,
    exchange: bool = True,
    accept: bool = False,
    told: Callable[[Rebuilt], None] = print,
) -> Beside:
    """The board of this build beside the one in use."""
    await hall.settled()
    places = Places(owner_url=database.owner, work_url=database.work)
    return await rebuild_beside(
        hall.store, hall.runtime.codec, hall.clock, board.projection, places, told, exchange=exchange, accept=accept
    )


async def owned(database: Database, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What the owner sees."""
    owner = await asyncpg.connect(database.owner)
    try:
        return [tuple(record) for record in await owner.fetch(query, *values)]
    finally:
        await owner.close()


async def schemas(database: Database) -> list[tuple[Any, ...]]:
    """The twins that stand."""
    return await owned(database, "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'next\\_%'")


async def test_the_same_again(hall: Hall, database: Database) -> None:
    """Built by the same code every row is the same; after the exchange rights, policies, indexes and names are what they were."""
    chain, other = uuid4(), uuid4()
    for n in range(12):
        await take_bed(hall.runtime, uuid4(), (chain, other)[n % 2])
    await hall.follow()
    before, rows = await owned(database, CATALOGUE), await hall.rows(chain)
    old = await owned(database, "SELECT 'public.beds'::regclass::oid")
    told: list[Rebuilt] = []
    done = await beside(hall, database, Board(), told=told.append)
    (table,) = done.parity
    assert (done.holds, done.exchanged, done.parked, table.live, table.new) == (True, True, 0, table.new, table.live)
    assert table.live >= 12
    assert told[-1].position == told[-1].end
    assert await hall.rows(chain) == rows
    assert await owned(database, CATALOGUE) == before
    assert await owned(database, "SELECT 'public.beds'::regclass::oid") != old
    assert await schemas(database) == []
    assert NEXT not in await hall.store.checkpoints()
    bed = await take_bed(hall.runtime, anna := uuid4(), chain)
    await hall.follow()
    assert await hall.rows(chain) == rows | {(bed, anna)}


async def test_what_differs(hall: Hall, database: Database) -> None:
    """Differences are counted and told by key and column, no values; the table in use stays until somebody accepts them."""
    chain, anna, bert, carl = uuid4(), uuid4(), uuid4(), uuid4()
    beds = {patient: await take_bed(hall.runtime, patient, chain) for patient in (anna, bert, carl)}
    await hall.follow()
    owner = await asyncpg.connect(database.owner)
    async with owner.transaction():
        await owner.execute("SELECT set_config('app.chain', $1, true)", str(chain))
        await owner.execute("DELETE FROM beds WHERE patient_id = $1", carl)
    await owner.close()
    newer = CountingTwice(leaves_out={anna})
    done = await beside(hall, database, newer)
    (table,) = done.parity
    assert (done.exchanged, done.holds) == (False, False)
    mine = {each.key["event_id"]: (each.kind, tuple(each.columns)) for each in table.listed if each.key["chain_id"] == str(chain)}
    assert mine == {str(beds[anna]): ("missing", ()), str(beds[bert]): ("differing", ("seen",)), str(beds[carl]): ("extra", ())}
    assert all(set(each.key) == {"chain_id", "event_id"} for each in table.listed)
    assert await hall.rows(chain) == {(beds[anna], anna), (beds[bert], bert)}
    applied = len(newer.applied)
    assert (await beside(hall, database, newer, accept=True)).exchanged
    assert len(newer.applied) == applied, "what was built is not built again"
    assert await hall.rows(chain) == {(beds[bert], bert), (beds[carl], carl)}
    assert (await beside(hall, database, Board(), accept=True)).exchanged


async def test_dry_run_and_abandon(hall: Hall, database: Database) -> None:
    """A dry run builds and compares and leaves the table in use alone; abandoned, nothing of it is left."""
    old = await owned(database, "SELECT 'public.beds'::regclass::oid")
    done = await beside(hall, database, Board(), exchange=False)
    assert (done.holds, done.exchanged) == (True, False)
    assert await owned(database, "SELECT 'public.beds'::regclass::oid") == old
    assert await schemas(database) == [("next_ward_beds",)]
    places = Places(owner_url=database.owner, work_url=database.work)
    assert await abandon(hall.store, hall.board.projection, places)
    assert not await abandon(hall.store, hall.board.projection, places)
    assert (await schemas(database), NEXT in await hall.store.checkpoints()) == ([], False)


async def test_killed_and_gone_on(hall: Hall, database: Database) -> None:
    """A rebuild that dies between two batches goes on from there: no row of a committed batch is applied again."""
    chain = uuid4()
    for _ in range(0, ROWS_PER_TRANSACTION_MAX + 60, 20):
        await asyncio.gather(*(take_bed(hall.runtime, uuid4(), chain) for _ in range(20)))
    await hall.follow()
    board, stop = Board(), ROWS_PER_TRANSACTION_MAX + 20

    class Killed(BaseException):
        """kill -9"""

    whole = board.apply

    async def dying(connection: Any, envelope: Envelope, record: Any) -> None:
        if len(board.applied) == stop:
            raise Killed
        await whole(connection, envelope, record)

    board.apply = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await beside(hall, database, board)
    again = Board()
    done = await beside(hall, database, again)
    assert (done.holds, done.exchanged) == (True, True)
    assert not set(again.applied) & set(board.applied[:ROWS_PER_TRANSACTION_MAX])
    assert set(again.applied) | set(board.applied) >= {event for event, _ in await hall.rows(chain)}


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


async def test_a_worker_in_the_midst_of_a_batch(hall: Hall, database: Database) -> None:
    """A worker that is writing is waited for, not run against: none of its steps is in trouble, and no row is lost."""
    whole, kinds, chain = hall.board.apply, set(), uuid4()

    async def slow(connection: Any, envelope: Envelope, record: Any) -> None:
        await whole(connection, envelope, record)
        await asyncio.sleep(SLOW_SECONDS)

    hall.board.apply = slow  # type: ignore[method-assign]
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
    hall.board.apply = whole  # type: ignore[method-assign]
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
