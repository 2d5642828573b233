"""Clinics and their rooms."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from erbium_kernel.errors import NotFound
from erbium_kernel.http import Body, Call, Opener, Page, Paging, Routes, View
from erbium_kernel.looking_back import AsRecorded
from scheduling.clinic.commands import AddRoom, RegisterClinic
from scheduling.clinic.decide import CLINIC, ClinicExists, RoomExists
from scheduling.clinic.state import Clinic, Registered
from scheduling.http import examples
from scheduling.http.times import OPENINGS_MAX, Opening, OpeningView, TimeZone, hours_of, opening_views
from scheduling.projections import clinics
from scheduling.projections.clinics import hours_of as stored_hours

routes = Routes(tag="clinics")
Name = Annotated[str, Field(min_length=1, max_length=120)]


class ClinicBody(Body):
    """A clinic to register. The zone is for ever: local dates are made in it."""

    clinic_id: Annotated[UUID | None, Field(description="Chosen by the caller, or made here.")] = None
    name: Annotated[Name, Field(description="As people call it.")]
    time_zone: TimeZone
    opening_hours: Annotated[list[Opening], Field(min_length=1, max_length=OPENINGS_MAX, description="Of an ordinary week.")]


class RoomBody(Body):
    """A room to add."""

    room_id: Annotated[UUID | None, Field(description="Chosen by the caller, or made here.")] = None
    label: Annotated[Name, Field(description="What stands on its door.")]
    laser_ready: Annotated[bool, Field(description="Interlock, signs and eyewear of a controlled area are there.")]


class RoomView(View):
    """A room."""

    room_id: UUID
    label: str
    laser_ready: bool


class ClinicView(View):
    """A clinic with its hours and rooms."""

    clinic_id: UUID
    name: str
    time_zone: str
    opening_hours: list[OpeningView]
    rooms: list[RoomView]
    version: int | None = Field(default=None, description="For If-Match; null in lists: read the clinic itself.")


def clinic_view(state: Clinic, clinic_id: UUID, _: Opener | None = None, version: int | None = None) -> ClinicView:
    """A clinic as it stands."""
    if not isinstance(state, Registered):
        raise NotFound("There is no such clinic in this chain.")
    rooms = [RoomView(room_id=room.room_id, label=room.label, laser_ready=room.laser_ready) for room in state.rooms.values()]
    return ClinicView(
        clinic_id=clinic_id,
        name=state.name,
        time_zone=state.time_zone,
        opening_hours=opening_views(state.hours),
        rooms=rooms,
        version=version,
    )


@routes.command(
    "POST",
    "/clinics",
    name="registerClinic",
    scope="scheduling:manage",
    summary="Register a clinic",
    request_example={name: value for name, value in examples.CLINIC.items() if name not in ("rooms", "version")},
    response_example={**examples.CLINIC, "rooms": [], "version": 1},
    response=ClinicView,
    refusals=(ClinicExists,),
)
async def register_clinic(call: Call, body: ClinicBody) -> ClinicView:
    """Its time zone makes the local dates of all that happens there."""
    clinic_id = body.clinic_id or call.new_id()
    command = RegisterClinic(
        clinic_id=clinic_id, name=body.name, time_zone=body.time_zone, hours=hours_of(body.opening_hours), at=call.now()
    )
    return await call.execute(CLINIC, clinic_id, command, render=clinic_view, location=f"/v1/clinics/{clinic_id}")


@routes.query(
    "GET",
    "/clinics",
    name="listClinics",
    scope="scheduling:read",
    summary="List the clinics of the chain",
    response=Page[ClinicView],
    response_example={"items": [{**examples.CLINIC, "version": None}], "next_cursor": None},
)
async def list_clinics(call: Call, paging: Paging) -> Page[Any]:
    """Clinics by id, with their rooms."""
    async with call.reading() as conn:
        rows = await clinics.list_clinics(conn, paging.after, paging.limit + 1)
        rooms = await clinics.get_rooms(conn, [row["clinic_id"] for row in rows])
    return paging.page([_listed(row, rooms[row["clinic_id"]]) for row in rows], key=lambda clinic: (clinic.clinic_id,))


def _listed(row: dict[str, Any], rooms: Sequence[dict[str, Any]]) -> ClinicView:
    return ClinicView(
        clinic_id=row["clinic_id"],
        name=row["name"],
        time_zone=row["time_zone"],
        opening_hours=opening_views(stored_hours(row["hours"])),
        rooms=[RoomView(room_id=room["room_id"], label=room["label"], laser_ready=room["laser_ready"]) for room in rooms],
    )


@routes.query(
    "GET",
    "/clinics/{clinic_id}",
    name="getClinic",
    scope="scheduling:read",
    summary="Read a clinic",
    response=ClinicView,
    response_example=examples.CLINIC,
    as_recorded=AsRecorded(decider=CLINIC, by="clinic_id"),
)
async def get_clinic(call: Call, clinic_id: UUID) -> ClinicView:
    """One clinic with its hours and rooms: always the newest."""
    state, version = await call.state_of(CLINIC, clinic_id)
    return clinic_view(state, clinic_id, version=version)


@routes.command(
    "POST",
    "/clinics/{clinic_id}/rooms",
    name="addRoom",
    scope="scheduling:manage",
    summary="Add a room to a clinic",
    request_example=examples.CLINIC["rooms"][0],
    response_example=examples.CLINIC,
    response=ClinicView,
    changes=True,
    refusals=(RoomExists,),
)
async def add_room(call: Call, clinic_id: UUID, body: RoomBody) -> ClinicView:
    """From now on visits can be booked into it."""
    room_id = body.room_id or call.new_id()
    command = AddRoom(clinic_id=clinic_id, room_id=room_id, label=body.label, laser_ready=body.laser_ready, at=call.now())
    return await call.execute(CLINIC, clinic_id, command, render=clinic_view, location=f"/v1/clinics/{clinic_id}")
