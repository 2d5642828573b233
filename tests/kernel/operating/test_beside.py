"""A read table is made again beside the one in use and exchanged with it; what differs is told by key and column."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from erbium_kernel.beside import Places, abandon
from erbium_kernel.event import Envelope
from erbium_kernel.projecting import ROWS_PER_TRANSACTION_MAX
from erbium_kernel.read_table import Change
from erbium_kernel.rebuild import Rebuilt
from tests.kernel.follow.board import Board, Hall
from tests.kernel.follow.kitchen import take_bed
from tests.kernel.log.grounds import Database
from tests.kernel.operating.newer_build import CATALOGUE, NEXT, CountingTwice, beside, owned, schemas


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

    whole = board.changes

    def dying(envelope: Envelope, record: Any) -> Iterator[Change]:
        if len(board.applied) == stop:
            raise Killed
        return whole(envelope, record)

    board.changes = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await beside(hall, database, board)
    again = Board()
    done = await beside(hall, database, again)
    assert (done.holds, done.exchanged) == (True, True)
    assert not set(again.applied) & set(board.applied[:ROWS_PER_TRANSACTION_MAX])
    assert set(again.applied) | set(board.applied) >= {event for event, _ in await hall.rows(chain)}
