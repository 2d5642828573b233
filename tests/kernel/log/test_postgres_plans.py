"""What the reader's statements cost on PostgreSQL, where it matters: what they may not have, they do not look at."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from erbium_kernel.event import Cursor
from erbium_kernel.log.lease import READ_AFTER
from erbium_kernel.log.postgres import NEWS
from tests.kernel.log.grounds import Database, PostgresGround
from tests.kernel.log.making import a_command, a_stream

HIDDEN = 300
PAGE_ROWS = 20


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def looked_at(database: Database, statement: str, after: Cursor, limit: int) -> int:
    """Rows of the log that the statement has met, those it passed over included."""
    connection = await asyncpg.connect(database.work)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL enable_seqscan = off")  # the log of this suite is a small one
            explained = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
            (found,) = json.loads(await connection.fetchval(explained, after.epoch, str(after.tx), after.position, limit))
    finally:
        await connection.close()
    return sum(
        int(node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes(found["Plan"])
        if node.get("Relation Name") == "log"
    )


@pytest.mark.parametrize(("statement", "most"), [(READ_AFTER, 1), (NEWS, PAGE_ROWS)], ids=["read", "news"])
async def test_what_hides_is_not_looked_at(
    postgres_ground: PostgresGround, database: Database, chain_id: UUID, statement: str, most: int
) -> None:
    """However much waits behind an open transaction, a reader's look ends where that begins, and a watcher's at its page."""
    first = a_command(chain_id, a_stream())
    await postgres_ground.store.append(first)
    place = await postgres_ground.store.place_of(chain_id, first.events[0].event_id)
    assert place is not None
    async with postgres_ground.hold(chain_id):
        stream = a_stream()
        for n in range(HIDDEN // 50):
            await postgres_ground.store.append(a_command(chain_id, stream, 50 * n, events=50))
        assert await looked_at(database, statement, place[0], PAGE_ROWS) <= most
