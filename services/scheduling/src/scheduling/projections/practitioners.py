"""Practitioners: one row a licence at a clinic."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Date, Text, Uuid, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, all_of, page, put, read_table
from erbium_kernel.subscribing import Projection
from scheduling.practitioner.events import PractitionerLicensed
from scheduling.projections import METADATA
from scheduling.projections.clinics import hours_json

PRACTITIONERS_MAX = 200  # of one clinic, looked at in one search

LICENCES = read_table(
    "licences",
    METADATA,
    Column("practitioner_id", Uuid(), nullable=False),
    Column("clinic_id", Uuid(), nullable=False),
    Column("visit_kinds", ARRAY(Text()), nullable=False),
    Column("modalities", ARRAY(Text()), nullable=False),
    Column("licensed_until", Date()),
    Column("hours", JSONB(), nullable=False),
    key=["practitioner_id", "clinic_id"],
)


def changes(envelope: Envelope, record: PractitionerLicensed) -> Iterator[Change]:
    """The newest licence at a clinic replaces the one before."""
    yield put(
        LICENCES,
        practitioner_id=record.practitioner_id,
        clinic_id=record.clinic_id,
        visit_kinds=list(record.visit_kinds),
        modalities=list(record.modalities),
        licensed_until=record.licensed_until,
        hours=hours_json(record.hours),
    )


PROJECTION = Projection(name="scheduling.practitioners", hears=frozenset({"practitioner-licensed"}), tables=(LICENCES,), changes=changes)


async def list_licences(conn: AsyncConnection, clinic_id: UUID | None, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """Licences by practitioner and clinic."""
    query = select(LICENCES)
    if clinic_id is not None:
        query = query.where(LICENCES.c.clinic_id == clinic_id)
    return await all_of(conn, page(query, [LICENCES.c.practitioner_id, LICENCES.c.clinic_id], after, limit))


async def who_may(conn: AsyncConnection, clinic_id: UUID, kind: str, modality: str | None, on: date) -> list[dict[str, Any]]:
    """Licences at the clinic for this kind of visit (and modality) that have not ended before `on`."""
    query = select(LICENCES).where(
        LICENCES.c.clinic_id == clinic_id,
        LICENCES.c.visit_kinds.contains([kind]),
        or_(LICENCES.c.licensed_until.is_(None), LICENCES.c.licensed_until >= on),
    )
    if modality is not None:
        query = query.where(LICENCES.c.modalities.contains([modality]))
    return await all_of(conn, query.order_by(LICENCES.c.practitioner_id).limit(PRACTITIONERS_MAX))
