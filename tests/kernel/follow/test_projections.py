"""Rows of a read table and their checkpoint commit together, one tenant at a time, on a real PostgreSQL."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from erbium import provision
from erbium_kernel import projecting
from erbium_kernel.errors import LostLease
from erbium_kernel.event import Cursor
from erbium_kernel.follow import ATTEMPTS_MAX, Follower
from erbium_kernel.log.append import move_checkpoint
from erbium_kernel.log_records import MoveCheckpoint
from erbium_kernel.projecting import ROWS_PER_TRANSACTION_MAX, Projecting, transaction, writing
from erbium_kernel.rebuild import Rebuilt, TableInUse, forget, rebuild_live
from tests.kernel.follow.board import BEDS, Hall, make_read_tables
from tests.kernel.follow.kitchen import follow as follow_kitchen
from tests.kernel.follow.kitchen import meals_of, take_bed
from tests.kernel.log.conftest import make_database
from tests.kernel.log.grounds import Database

pytestmark = pytest.mark.servers
NAME = "ward.beds"
AT_ONCE = 4


@pytest.fixture(scope="module")
async def database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """One database for this file."""
    suffix = f"follow{secrets.token_hex(4)}"
    try:
        made = await make_database(postgres_url, tmp_path_factory, suffix)
        await make_read_tables(made.owner)
        yield made
    finally:
        await provision.drop(postgres_url, suffix=suffix)


@pytest.fixture
async def hall(database: Database) -> AsyncIterator[Hall]:
    """A ward on this database; what earlier tests left is followed first."""
    async with Hall.on(database) as hall:
        await hall.follow()
        yield hall


@pytest.fixture
def chain() -> UUID:
    """A chain that nobody has used."""
    return uuid4()


async def parked_patients(hall: Hall, chain: UUID) -> dict[UUID, int]:
    """Patient -> parked rows, of this chain."""
    return {key.ordering_id: key.rows for key in await hall.store.parked() if key.chain_id == chain}


async def test_each_chain_sees_its_own_rows(hall: Hall, chain: UUID) -> None:
    """Rows of several chains in one batch land in their own chains, and only there."""
    other = uuid4()
    expected: dict[UUID, set[tuple[UUID, UUID]]] = {chain: set(), other: set()}
    for n in range(6):
        patient, where = uuid4(), (chain, other)[n % 2]
        expected[where].add((await take_bed(hall.runtime, patient, where), patient))
    await hall.follow()
    assert await hall.rows(chain) == expected[chain]
    assert await hall.rows(other) == expected[other]
    async with hall.engine.begin() as connection:
        assert not (await connection.execute(select(BEDS))).all(), "without a chain set nothing is seen"


async def test_more_than_one_transaction(hall: Hall, chain: UUID) -> None:
    """More rows than one transaction takes are all there, each applied once."""
    patient = uuid4()
    beds: list[UUID] = []
    for _ in range(0, ROWS_PER_TRANSACTION_MAX + 7, AT_ONCE):
        beds += await asyncio.gather(*(take_bed(hall.runtime, uuid4(), chain) for _ in range(AT_ONCE)))
    beds.append(await take_bed(hall.runtime, patient, chain))
    await hall.follow()
    assert {event for event, _ in await hall.rows(chain)} == set(beds)
    assert sorted(hall.board.applied) == sorted(beds)


async def test_the_culprit_is_found(hall: Hall, chain: UUID) -> None:
    """A row that spoils its batch is parked after its budget; the rows around it are there, those of its key wait behind it."""
    anna, bert = uuid4(), uuid4()
    hall.board.burns.add(anna)
    beds = [(await take_bed(hall.runtime, patient, chain), patient) for patient in (bert, anna, bert, anna, bert)]
    await hall.follow()
    assert await hall.rows(chain) == {(bed, patient) for bed, patient in beds if patient == bert}
    assert await parked_patients(hall, chain) == {anna: 2}
    assert hall.board.applied.count(beds[1][0]) == 1 + ATTEMPTS_MAX
    (key,) = [key for key in await hall.store.parked() if key.chain_id == chain]
    assert key.reason.startswith("KitchenOnFire at kernel/follow/board.py:")


async def test_skip_releases_in_order(hall: Hall, chain: UUID) -> None:
    """After a skip the later rows of the key are there, and the skipped one is not, rebuilds included."""
    anna = uuid4()
    hall.board.burns.add(anna)
    beds = [await take_bed(hall.runtime, anna, chain) for _ in range(3)]
    await hall.follow()
    hall.board.burns.clear()
    await hall.store.skip_parked(NAME, chain, anna, beds[0], "ops-1", "known")
    await hall.follow()
    assert await hall.rows(chain) == {(bed, anna) for bed in beds[1:]}
    await hall.rebuild()
    assert await hall.rows(chain) == {(bed, anna) for bed in beds[1:]}


async def test_parity_after_a_rebuild(hall: Hall, chain: UUID) -> None:
    """A rebuilt table equals the one that was followed live, and progress is told up to the end of the log."""
    for _ in range(25):
        await take_bed(hall.runtime, uuid4(), chain)
    await hall.follow()
    before = await hall.rows(chain)
    told: list[Rebuilt] = []
    done = await hall.rebuild(told.append)
    assert await hall.rows(chain) == before
    assert told[-1] == done
    assert done.position >= done.end > 0


async def test_parked_keys_are_tried_again_by_a_rebuild(hall: Hall, chain: UUID) -> None:
    """A rebuild with mended code forgets what was parked and follows it."""
    anna = uuid4()
    hall.board.burns.add(anna)
    bed = await take_bed(hall.runtime, anna, chain)
    await hall.follow()
    hall.board.burns.clear()
    await hall.rebuild()
    assert await hall.rows(chain) == {(bed, anna)}
    assert await parked_patients(hall, chain) == {}


async def test_refused_while_followed(hall: Hall, chain: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild is refused while a worker follows the table, and nothing of the table is lost."""
    monkeypatch.setattr("erbium_kernel.rebuild.LEASE_SECONDS_MAX", 0.3)
    patient = uuid4()
    bed = await take_bed(hall.runtime, patient, chain)
    await hall.follow()
    async with hall.store.lease(NAME):
        with pytest.raises(TableInUse):
            await hall.rebuild()
    assert await hall.rows(chain) == {(bed, patient)}


async def test_rebuilt_by_a_running_worker(hall: Hall, chain: UUID) -> None:
    """A live rebuild makes the running worker lose its place and follow from the beginning; the table is as before."""
    for _ in range(10):
        await take_bed(hall.runtime, uuid4(), chain)
    await hall.follow()
    before = await hall.rows(chain)
    async with hall.store.lease(NAME) as lease:
        assert lease is not None
        worker = Follower(Projecting(hall.runtime.codec, hall.board.projection, hall.engine), lease, hall.clock)
        await worker.step()
        rebuilding = asyncio.create_task(rebuild_live(hall.store, hall.board.projection, hall.engine, lambda _: None))
        async with asyncio.timeout(20):
            while not rebuilding.done():
                await take_bed(hall.runtime, uuid4(), chain)
                await worker.step()
                await asyncio.sleep(0.01)
        await rebuilding
    await hall.follow()
    assert before <= await hall.rows(chain)
    assert len(await hall.rows(chain)) > len(before)


async def test_a_moved_checkpoint_rolls_the_rows_back(hall: Hall, chain: UUID) -> None:
    """Rows and checkpoint are one transaction: where the compare-and-set fails, the rows were never there."""
    bed = await take_bed(hall.runtime, uuid4(), chain)
    effect = Projecting(hall.runtime.codec, hall.board.projection, hall.engine)
    await hall.settled()
    async with hall.store.lease(NAME) as lease:
        assert lease is not None
        at = await lease.checkpoint()
        rows = [row for row in await lease.read(at, 10) if row.envelope.event_id == bed]
        for wrong in (Cursor(), at._replace(position=at.position + 1)):
            with pytest.raises(LostLease):
                await effect.work(lease, rows, MoveCheckpoint(NAME, wrong, rows[-1].cursor))
        assert await lease.checkpoint() == at
    assert await hall.rows(chain) == set()


async def test_the_first_move_of_all(hall: Hall) -> None:
    """A subscriber without a checkpoint starts at the beginning; of two that start at once one wins."""
    name = f"ward.{uuid4()}"
    move = MoveCheckpoint(name, Cursor(), Cursor(1, 2, 3))
    async with writing(hall.engine) as connection:
        await move_checkpoint(connection, move)
    with pytest.raises(LostLease):
        async with writing(hall.engine) as connection:
            await move_checkpoint(connection, move)
    assert (await hall.store.checkpoints())[name] == Cursor(1, 2, 3)


async def test_a_move_that_races_with_a_rebuild(hall: Hall) -> None:
    """A worker whose move meets a rebuild that has not committed yet has lost its place, whichever way it moves: nothing is passed over."""
    name = f"ward.{uuid4()}"
    at, to = Cursor(1, 2, 3), Cursor(1, 2, 4)

    async def moved_with_the_rows() -> None:
        async with writing(hall.engine) as connection:
            await move_checkpoint(connection, MoveCheckpoint(name, at, to))

    async with hall.store.lease(name) as lease:
        assert lease is not None
        for move in (lambda: lease.move(at, to), moved_with_the_rows):
            await lease.move(Cursor(), at)
            async with transaction(hall.engine) as rebuilding:
                await forget(rebuilding, name)
                moving = asyncio.create_task(move())
                await asyncio.sleep(0.2)
                assert not moving.done()
            with pytest.raises(LostLease):
                await moving
            assert await lease.checkpoint() == Cursor()


async def test_a_cut_connection_is_no_poison(hall: Hall, chain: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that dies in the midst of a batch parks nothing; the batch is applied again whole."""
    patient = uuid4()
    bed = await take_bed(hall.runtime, patient, chain)
    kill = "SELECT pg_terminate_backend(pg_backend_pid())"
    whole, cut = projecting.keep, []

    async def keep(connection, chain_id, changes) -> None:  # type: ignore[no-untyped-def]
        await whole(connection, chain_id, changes)
        if not cut:
            cut.append(chain_id)
            await connection.execute(kill)

    monkeypatch.setattr(projecting, "keep", keep)
    assert (await hall.follow(until="blocked")).reason.startswith("Unavailable at ")
    await hall.follow()
    assert await hall.rows(chain) == {(bed, patient)}
    assert await parked_patients(hall, chain) == {}


async def test_reactions_on_the_real_log(hall: Hall, chain: UUID) -> None:
    """The reaction's promise holds on PostgreSQL too: one meal a bed, parked and released in order."""
    kitchen, (anna, bert) = hall.kitchen, (uuid4(), uuid4())
    kitchen.burns.add(anna)
    beds = [await take_bed(hall.runtime, patient, chain) for patient in (anna, bert, anna, anna)]
    await hall.settled()
    await follow_kitchen(hall.runtime, kitchen)
    assert await meals_of(hall.runtime, kitchen, bert, chain) == (beds[1],)
    kitchen.burns.clear()
    await hall.store.skip_parked(kitchen.reaction.name, chain, anna, beds[0], "ops-1", "known")
    beds.append(await take_bed(hall.runtime, anna, chain))
    await hall.settled()
    await follow_kitchen(hall.runtime, kitchen)
    assert await meals_of(hall.runtime, kitchen, anna, chain) == (beds[2], beds[3], beds[4])
