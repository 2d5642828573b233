"""Clinics with their hours and rooms."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Text, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, all_of, page, put, read_table
from erbium_kernel.subscribing import Projection
from scheduling.clinic.events import ClinicRegistered, RoomAdded
from scheduling.hours import Hours
from scheduling.projections import METADATA

CLINICS = read_table(
    "clinics",
    METADATA,
    Column("clinic_id", Uuid(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("time_zone", Text(), nullable=False),
    Column("hours", JSONB(), nullable=False),
    key=["clinic_id"],
)
ROOMS = read_table(
    "rooms",
    METADATA,
    Column("clinic_id", Uuid(), nullable=False),
    Column("room_id", Uuid(), nullable=False),
    Column("label", Text(), nullable=False),
    Column("laser_ready", Boolean(), nullable=False),
    key=["clinic_id", "room_id"],
)


def hours_json(hours: Sequence[Hours]) -> list[dict[str, int]]:
    """Weekly hours as a read table keeps them."""
    return [{"weekday": row.weekday, "opens_minute": row.opens_minute, "closes_minute": row.closes_minute} for row in hours]


def hours_of(stored: Sequence[dict[str, int]]) -> tuple[Hours, ...]:
    """Weekly hours as they were."""
    return tuple(Hours(**row) for row in stored)


def changes(envelope: Envelope, record: Any) -> Iterator[Change]:
    """One row a clinic, one a room."""
    match record:
        case ClinicRegistered():
            yield put(
                CLINICS,
                clinic_id=record.clinic_id,
                name=record.name,
                time_zone=record.time_zone,
                hours=hours_json(record.hours),
            )
        case RoomAdded():
            yield put(
                ROOMS,
                clinic_id=record.clinic_id,
                room_id=record.room_id,
                label=record.label,
                laser_ready=record.laser_ready,
            )
        case _:
            raise AssertionError(f"not heard here: {type(record).__name__}")


PROJECTION = Projection(
    name="scheduling.clinics", hears=frozenset({"clinic-registered", "room-added"}), tables=(CLINICS, ROOMS), changes=changes
)


async def list_clinics(conn: AsyncConnection, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """Clinics by id, without their rooms."""
    return await all_of(conn, page(select(CLINICS), [CLINICS.c.clinic_id], after, limit))


async def get_rooms(conn: AsyncConnection, clinic_ids: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """The rooms of these clinics, by clinic."""
    query = select(ROOMS).where(ROOMS.c.clinic_id.in_(clinic_ids)).order_by(ROOMS.c.clinic_id, ROOMS.c.room_id)
    found: dict[UUID, list[dict[str, Any]]] = {clinic_id: [] for clinic_id in clinic_ids}
    for row in await all_of(conn, query):
        found[row["clinic_id"]].append(row)
    return found
