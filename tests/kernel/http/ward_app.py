"""The ward of the kernel's tests, with a door: two commands, a question, a list, a stream of lines."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field
from starlette.requests import Request

from erbium_kernel.errors import NotFound
from erbium_kernel.http import Body, Call, Opener, Page, Paging, Routes, View
from erbium_kernel.personal import Personal
from erbium_kernel.service import Service
from tests.kernel.ward import BED, BedIsTaken, BedTaken, LeaveBed, RoomIsTaken, TakeBed, publishes

BED_ID = UUID("01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b11")
PATIENT_ID = UUID("01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b12")
ROOM_ID = UUID("01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b13")
LISTED = 5

routes = Routes(tag="beds")
odd = Routes(tag="odd")


class Pillow(Body):
    """Something to lie on."""

    height_cm: Annotated[float, Field(gt=0, le=40)]


class TakeBedBody(Body):
    """Who lies down where."""

    bed_id: UUID | None = None
    patient_id: UUID
    room_id: UUID
    at: AwareDatetime | None = None
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    pillows: Annotated[list[Pillow], Field(max_length=3)] = Field(default_factory=list)


class BedView(View):
    """A bed."""

    bed_id: UUID
    version: int | None = None
    taken: bool
    name: str | None = None


def bed_view(state: BedTaken | None, bed_id: UUID, opener: Opener) -> BedView:
    """The answer to both commands."""
    return BedView(bed_id=bed_id, taken=state is not None, name=opener(state.name) if state else None)


@routes.command(
    "POST",
    "/beds",
    name="takeBed",
    scope="screening:write",
    summary="Put a patient into a bed",
    request_example={
        "bed_id": str(BED_ID), "patient_id": str(PATIENT_ID), "room_id": str(ROOM_ID), "at": "2026-03-03T20:00:00Z",
        "name": "Ann", "pillows": [{"height_cm": 12.5}],
    },
    response_example={"bed_id": str(BED_ID), "version": 1, "taken": True, "name": "Ann"},
    response=BedView,
    refusals=(BedIsTaken, RoomIsTaken),
)  # fmt: skip
async def take_bed(call: Call, body: TakeBedBody) -> BedView:
    """Put a patient into a bed."""
    bed_id = body.bed_id or call.new_id()
    command = TakeBed(
        patient_id=body.patient_id,
        room_id=body.room_id,
        at=body.at or call.now(),
        name=Personal(body.patient_id, body.name) if body.name else None,
    )
    return await call.execute(BED, bed_id, command, render=bed_view, location=f"/v1/beds/{bed_id}")


@routes.command(
    "POST",
    "/beds/{bed_id}/leaving",
    name="leaveBed",
    scope="screening:write",
    status=200,
    summary="Empty a bed",
    response_example={"bed_id": str(BED_ID), "version": 2, "taken": False, "name": None},
    response=BedView,
    changes=True,
)
async def leave_bed(call: Call, bed_id: UUID) -> BedView:
    """Empty a bed."""
    return await call.execute(BED, bed_id, LeaveBed(), render=bed_view)


@odd.command("POST", "/rooms/{room_id}/airing", name="airRoom", scope="screening:write", response=BedView, status=200, versioned=False)
async def air_room(call: Call, room_id: UUID) -> BedView:
    """Open the windows; the front desk of one clinic airs its own rooms only."""
    call.at_clinic(room_id)
    return BedView(bed_id=room_id, taken=False)


@routes.query(
    "GET",
    "/beds/{bed_id}",
    name="getBed",
    scope="screening:read",
    response=BedView,
    response_example={"bed_id": str(BED_ID), "version": 1, "taken": True, "name": "Ann"},
)
async def get_bed(call: Call, bed_id: UUID) -> BedView:
    """One bed.

    Who lies in it, if anybody does.
    """
    state, version = await call.state_of(BED, bed_id)
    if version == 0:
        raise NotFound
    name = state.name.text if state and isinstance(state.name, Personal) else None
    return BedView(bed_id=bed_id, version=version, taken=state is not None, name=name)


@routes.query(
    "GET",
    "/beds",
    name="listBeds",
    scope="screening:read",
    response=Page[BedView],
    response_example={"items": [{"bed_id": str(BED_ID), "version": 1, "taken": True, "name": "Ann"}], "next_cursor": None},
)
async def list_beds(call: Call, paging: Paging, floor: int = 1) -> Page[Any]:
    """All beds of a floor."""
    beds = [BedView(bed_id=UUID(int=floor * 100 + place), taken=False) for place in range(LISTED)]
    left = [bed for bed in beds if paging.after is None or (datetime(2026, 1, 1, tzinfo=UTC), bed.bed_id) > paging.after]
    return paging.page(left[: paging.limit + 1], key=lambda bed: (datetime(2026, 1, 1, tzinfo=UTC), bed.bed_id))


class Counted(View):
    """How many lines came."""

    lines: int


@routes.raw(
    "POST",
    "/beds/{bed_id}/breaths",
    name="sendBreaths",
    scope="telemetry:ingest",
    response=Counted,
    request_example='{"n":1}\n{"n":2}\n',
    response_example={"lines": 2},
    body_bytes_max=1_000,
)
async def send_breaths(call: Call, bed_id: UUID, request: Request) -> Counted:
    """Lines as they come."""
    return Counted(lines=len((await request.body()).splitlines()))


@odd.query("GET", "/fault", name="getFault", scope="screening:read", response=Counted)
async def get_fault(call: Call) -> Counted:
    """A bug of ours."""
    raise RuntimeError("Ann's secret")


@odd.command("POST", "/both", name="takeAndLeave", scope="screening:write", response=BedView)
async def take_and_leave(call: Call) -> BedView:
    """Two commands in one request, which is one too many."""
    await call.execute(BED, BED_ID, LeaveBed(), render=bed_view)
    return await call.execute(BED, BED_ID, LeaveBed(), render=bed_view)


WARD = Service(name="ward", deciders=(BED,), publishes=publishes, routes=(routes,))
ODD_WARD = replace(WARD, routes=(routes, odd))
