"""A newer build of the board, made again beside the one in use."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import asyncpg

from erbium_kernel.beside import Beside, Places, rebuild_beside
from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, drop, put
from erbium_kernel.rebuild import Rebuilt
from tests.kernel.follow.board import BEDS, Board, Hall
from tests.kernel.log.grounds import Database
from tests.kernel.operating.hall import BOARD

NEXT = f"{BOARD}.next"
SLOW_SECONDS = 0.3
CATALOGUE = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relacl::text,
       (SELECT array_agg(i.indexname || i.indexdef ORDER BY i.indexname)::text FROM pg_indexes i WHERE i.tablename = c.relname AND i.schemaname = 'public'),
       (SELECT array_agg(p::text ORDER BY p.policyname)::text FROM pg_policies p WHERE p.tablename = c.relname AND p.schemaname = 'public'),
       (SELECT array_agg(k.conname ORDER BY k.conname)::text FROM pg_constraint k WHERE k.conrelid = c.oid)
FROM pg_class c WHERE c.oid = 'public.beds'::regclass
"""  # noqa: E501


class CountingTwice(Board):
    """A newer build: it counts otherwise, and has no row for the patients it leaves out."""

    def __init__(self, leaves_out: set[UUID]) -> None:
        super().__init__()
        self.leaves_out = leaves_out

    def changes(self, envelope: Envelope, record: Any) -> Iterator[Change]:
        """Two where there was one."""
        yield from super().changes(envelope, record)
        if record.patient_id in self.leaves_out:
            yield drop(BEDS, event_id=envelope.event_id)
        else:
            yield put(BEDS, event_id=envelope.event_id, patient_id=record.patient_id, seen=2)


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
