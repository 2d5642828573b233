"""Lasers: where they stand and what they offer."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Text, Uuid, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, all_of, page, put, read_table
from erbium_kernel.subscribing import Projection
from scheduling.laser.events import LaserInstalled
from scheduling.projections import METADATA

LASERS_MAX = 200  # of one clinic, looked at in one search

LASERS = read_table(
    "lasers",
    METADATA,
    Column("device_id", Uuid(), nullable=False),
    Column("clinic_id", Uuid(), nullable=False),
    Column("model", Text(), nullable=False),
    Column("modalities", ARRAY(Text()), nullable=False),
    key=["device_id"],
)


def changes(envelope: Envelope, record: LaserInstalled) -> Iterator[Change]:
    """A laser stands at one clinic, the newest."""
    yield put(
        LASERS,
        device_id=record.device_id,
        clinic_id=record.clinic_id,
        model=record.model,
        modalities=list(record.modalities),
    )


PROJECTION = Projection(name="scheduling.lasers", hears=frozenset({"laser-installed"}), tables=(LASERS,), changes=changes)


async def list_lasers(conn: AsyncConnection, clinic_id: UUID | None, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """Lasers by id."""
    query = select(LASERS)
    if clinic_id is not None:
        query = query.where(LASERS.c.clinic_id == clinic_id)
    return await all_of(conn, page(query, [LASERS.c.device_id], after, limit))


async def which_offer(conn: AsyncConnection, clinic_id: UUID, modality: str) -> list[UUID]:
    """The clinic's lasers with this modality."""
    query = select(LASERS.c.device_id).where(LASERS.c.clinic_id == clinic_id, LASERS.c.modalities.contains([modality]))
    rows = await conn.execute(query.order_by(LASERS.c.device_id).limit(LASERS_MAX))
    return list(rows.scalars())
