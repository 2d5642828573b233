"""When people, rooms and lasers are taken: what the search for free slots looks at. The claims decide, this only shows."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Text, Uuid, select
from sqlalchemy.ext.asyncio import AsyncConnection

from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, drop, put, read_table
from erbium_kernel.subscribing import Projection
from scheduling.hours import Window
from scheduling.itinerary.events import HoldEnded, SlotHeld, VisitCancelled, VisitMoved
from scheduling.itinerary.slot import Slot
from scheduling.projections import METADATA

BUSY_ROWS_MAX = 20_000  # in one search: 31 days of a large clinic

BUSY = read_table(
    "busy",
    METADATA,
    Column("holder", Uuid(), nullable=False),
    Column("resource_id", Uuid(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    key=["holder", "resource_id"],
)
Index("busy_by_resource", BUSY.c.chain_id, BUSY.c.resource_id, BUSY.c.ends_at)


def changes(envelope: Envelope, record: Any) -> Iterator[Change]:
    """A holder's rows are those of its newest slot."""
    match record:
        case SlotHeld():
            yield from _occupied(record.hold_id, record.slot)
        case VisitMoved():
            yield drop(BUSY, holder=record.visit_id)
            yield from _occupied(record.visit_id, record.slot)
        case HoldEnded():
            yield drop(BUSY, holder=record.hold_id)
        case VisitCancelled():
            yield drop(BUSY, holder=record.visit_id)
        case _:
            raise AssertionError(f"not heard here: {type(record).__name__}")


def _occupied(holder: UUID, slot: Slot) -> Iterator[Change]:
    for taken in slot.occupied:
        yield put(
            BUSY,
            holder=holder,
            resource_id=taken.resource_id,
            kind=taken.kind,
            starts_at=taken.starts_at,
            ends_at=taken.ends_at,
        )


PROJECTION = Projection(
    name="scheduling.busy",
    hears=frozenset({"slot-held", "hold-ended", "visit-moved", "visit-cancelled"}),
    tables=(BUSY,),
    changes=changes,
)


async def busy_windows(
    conn: AsyncConnection, resources: Sequence[UUID], starts_at: datetime, ends_at: datetime
) -> dict[UUID, list[Window]]:
    """When these resources are taken between two instants, by resource."""
    query = (
        select(BUSY.c.resource_id, BUSY.c.starts_at, BUSY.c.ends_at)
        .where(BUSY.c.resource_id.in_(resources), BUSY.c.ends_at > starts_at, BUSY.c.starts_at < ends_at)
        .limit(BUSY_ROWS_MAX)
    )
    found: dict[UUID, list[Window]] = {resource: [] for resource in resources}
    for row in await conn.execute(query):
        found[row.resource_id].append(Window(row.starts_at, row.ends_at))
    return found
