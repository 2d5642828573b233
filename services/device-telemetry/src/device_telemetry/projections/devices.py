"""The lasers of a chain as people list them."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Text, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from device_telemetry.device.events import DeviceClaimed, DeviceLockedOut, DeviceRegistered, DeviceReleased
from device_telemetry.projections.frame_tables import METADATA
from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, all_of, change, page, put, read_table
from erbium_kernel.subscribing import Projection

devices = read_table(
    "devices",
    METADATA,
    Column("device_id", Uuid(), nullable=False),
    Column("serial", Text(), nullable=False),
    Column("model", Text(), nullable=False),
    Column("modalities", JSONB(), nullable=False),
    Column("clinic_id", Uuid()),
    Column("locked_out", Text()),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    key=("device_id",),
)


def changes(envelope: Envelope, record: Any) -> Iterator[Change]:
    """Each event sets what it says; repeating it changes nothing."""
    this = {"device_id": record.device_id}
    match record:
        case DeviceRegistered():
            yield put(
                devices, **this, serial=record.serial, model=record.model,
                modalities=list(record.modalities), registered_at=record.registered_at,
            )  # fmt: skip
        case DeviceClaimed():
            yield change(devices, this, clinic_id=record.clinic_id)
        case DeviceLockedOut():
            yield change(devices, this, locked_out=record.code)
        case DeviceReleased():
            yield change(devices, this, locked_out=None)
        case _:
            return


DEVICES = Projection(
    name="device-telemetry.devices",
    hears=frozenset({"device-registered", "device-claimed", "device-locked-out", "device-released"}),
    tables=(devices,),
    changes=changes,
)


async def list_devices(conn: AsyncConnection, clinic_id: UUID | None, after: tuple[Any, ...] | None, limit: int) -> list[dict[str, Any]]:
    """In the order of their ids; of one clinic, or all of the chain."""
    query = select(devices)
    if clinic_id is not None:
        query = query.where(devices.c.clinic_id == clinic_id)
    return await all_of(conn, page(query, [devices.c.device_id], after, limit))
