"""Visits by clinic and day: the front desk's day sheet."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Date, DateTime, Index, Text, Uuid, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, all_of, change, one_of, page, put, read_table
from erbium_kernel.subscribing import Projection
from scheduling.itinerary import events as e
from scheduling.projections import METADATA

VISITS = read_table(
    "visits",
    METADATA,
    Column("visit_id", Uuid(), nullable=False),
    Column("patient_id", Uuid(), nullable=False),
    Column("clinic_id", Uuid(), nullable=False),
    Column("on", Date(), nullable=False),
    Column("time_zone", Text(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("modality", Text()),
    Column("zones", ARRAY(Text()), nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("practitioner_id", Uuid(), nullable=False),
    Column("room_id", Uuid(), nullable=False),
    Column("device_id", Uuid()),
    Column("standing", Text(), nullable=False),
    Column("cause", Text()),
    Column("until", DateTime(timezone=True)),
    Column("clearance_id", Uuid()),
    Column("checked_in", Boolean(), nullable=False),
    Column("changes", Boolean()),
    Column("same_day_approved", Boolean(), nullable=False),
    key=["visit_id"],
)
Index("visits_by_clinic_day", VISITS.c.chain_id, VISITS.c.clinic_id, VISITS.c.on, VISITS.c.starts_at, VISITS.c.visit_id)

HEARS = frozenset(
    {
        "visit-booked", "visit-moved", "visit-cancelled", "visit-made-firm", "visit-made-provisional", "visit-frozen", "visit-checked-in",
        "day-attested", "same-day-approved", "treatment-heard",
    }
)  # fmt: skip


def changes(envelope: Envelope, record: Any) -> Iterator[Change]:
    """A row is the visit as it stands now."""
    match record:
        case e.VisitBooked():
            yield put(
                VISITS, visit_id=record.visit_id, patient_id=record.patient_id, kind=record.wanted.kind,
                modality=record.wanted.modality, zones=list(record.wanted.zones), checked_in=False, changes=None, same_day_approved=False,
                **_place(record),
            )  # fmt: skip
        case e.VisitMoved():
            yield _set(record.visit_id, same_day_approved=False, **_place(record))
        case e.VisitCancelled():
            yield _set(record.visit_id, standing="cancelled", cause=record.cause, until=None)
        case e.VisitMadeFirm():
            values = {"clearance_id": record.clearance_id, "changes": None}
            yield _set(record.visit_id, standing="firm", cause=None, until=None, **values)
        case e.VisitMadeProvisional():
            yield _set(record.visit_id, standing="provisional", cause=None, until=record.firm_by)
        case e.VisitFrozen():
            yield _set(record.visit_id, standing="frozen", cause=record.cause, until=record.until)
        case e.VisitCheckedIn():
            yield _set(record.visit_id, checked_in=True)
        case e.DayAttested():
            yield _set(record.visit_id, changes=record.changes)
        case e.SameDayApproved():
            yield _set(record.visit_id, same_day_approved=True)
        case e.TreatmentHeard():
            yield _set(record.visit_id, standing="treated", cause=None, until=None)
        case _:
            raise AssertionError(f"not heard here: {type(record).__name__}")


def _place(record: e.VisitBooked | e.VisitMoved) -> dict[str, Any]:
    slot = record.slot
    return {
        "clinic_id": slot.clinic_id,
        "on": slot.on,
        "time_zone": slot.time_zone,
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "practitioner_id": slot.practitioner_id,
        "room_id": slot.room_id,
        "device_id": slot.device_id,
        "standing": "firm" if record.firm_by is None else "provisional",
        "cause": None,
        "until": record.firm_by,
        "clearance_id": record.clearance_id,
    }


def _set(visit_id: UUID, **values: Any) -> Change:
    return change(VISITS, {"visit_id": visit_id}, **values)


PROJECTION = Projection(name="scheduling.visits", hears=HEARS, tables=(VISITS,), changes=changes)


async def get_visit(conn: AsyncConnection, visit_id: UUID) -> dict[str, Any] | None:
    """One visit, cancelled or treated ones too."""
    return await one_of(conn, select(VISITS).where(VISITS.c.visit_id == visit_id))


async def list_visits(conn: AsyncConnection, clinic_id: UUID, on: date, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """The visits of one clinic on one of its days, by their start."""
    query = select(VISITS).where(VISITS.c.clinic_id == clinic_id, VISITS.c.on == on)
    return await all_of(conn, page(query, [VISITS.c.starts_at, VISITS.c.visit_id], after, limit))
