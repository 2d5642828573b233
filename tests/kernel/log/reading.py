"""Reading a log in a test: of one chain, with patience for transactions that other tests have open on the same server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from erbium_kernel.event import Cursor
from erbium_kernel.log_records import Row
from erbium_kernel.ports import Lease
from tests.kernel.log.making import START

T = TypeVar("T")

PAGE_ROWS = 500
PATIENCE_SECONDS = 20.0  # the horizon is server-wide: somebody else's open transaction delays, it never loses
POLL_SECONDS = 0.02


async def eventually(ask: Callable[[], Awaitable[T]], fits: Callable[[T], bool], patience_seconds: float = PATIENCE_SECONDS) -> T:
    """The first answer that fits; when patience ends the last one, for the assertion to show."""
    ends_at = asyncio.get_running_loop().time() + patience_seconds
    answer = await ask()
    while not fits(answer) and asyncio.get_running_loop().time() < ends_at:
        await asyncio.sleep(POLL_SECONDS)
        answer = await ask()
    return answer


async def readable(lease: Lease, chain_id: UUID, after: Cursor = START, page: int = PAGE_ROWS) -> list[Row]:
    """All rows of a chain that a reader may have now, in the reader's order."""
    rows: list[Row] = []
    while read := await lease.read(after, page):
        rows.extend(row for row in read if row.envelope.chain_id == chain_id)
        after = read[-1].cursor
    return rows


async def rows_of(lease: Lease, chain_id: UUID, count: int, after: Cursor = START) -> list[Row]:
    """The rows of a chain as soon as there are `count`."""
    return await eventually(lambda: readable(lease, chain_id, after), lambda rows: len(rows) >= count)


def ids(rows: list[Row]) -> list[UUID]:
    """The event ids, in the rows' order."""
    return [row.envelope.event_id for row in rows]
