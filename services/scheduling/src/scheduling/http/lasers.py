"""Lasers, as telemetry claimed them for a clinic."""

from typing import Any
from uuid import UUID

from pydantic import Field

from erbium_kernel.errors import NotFound
from erbium_kernel.http import Call, Page, Paging, Routes, View
from erbium_kernel.looking_back import AsRecorded
from scheduling.http import examples
from scheduling.laser.decide import LASER
from scheduling.laser.state import Installed
from scheduling.projections import lasers

routes = Routes(tag="lasers")


class LaserView(View):
    """A laser: where it stands, what it offers."""

    device_id: UUID
    clinic_id: UUID
    model: str
    modalities: list[str]
    version: int | None = Field(default=None, description="Null in lists.")


@routes.query(
    "GET",
    "/lasers",
    name="listLasers",
    scope="scheduling:read",
    summary="List lasers, of one clinic or of all",
    response=Page[LaserView],
    response_example={"items": [{**examples.LASER, "version": None}], "next_cursor": None},
)
async def list_lasers(call: Call, paging: Paging, clinic_id: UUID | None = None) -> Page[Any]:
    """By id. A laser appears when telemetry has claimed it for a clinic."""
    async with call.reading() as conn:
        rows = await lasers.list_lasers(conn, clinic_id, paging.after, paging.limit + 1)
    views = [
        LaserView(device_id=row["device_id"], clinic_id=row["clinic_id"], model=row["model"], modalities=row["modalities"]) for row in rows
    ]
    return paging.page(views, key=lambda item: (item.device_id,))


@routes.query(
    "GET",
    "/lasers/{device_id}",
    name="getLaser",
    scope="scheduling:read",
    summary="Read a laser",
    response=LaserView,
    response_example={**examples.LASER, "version": 1},
    as_recorded=AsRecorded(decider=LASER, by="device_id"),
)
async def get_laser(call: Call, device_id: UUID) -> LaserView:
    """Where it stands and what it offers."""
    state, version = await call.state_of(LASER, device_id)
    if not isinstance(state, Installed):
        raise NotFound("There is no such laser in this chain.")
    return LaserView(device_id=device_id, clinic_id=state.clinic_id, model=state.model, modalities=list(state.modalities), version=version)
