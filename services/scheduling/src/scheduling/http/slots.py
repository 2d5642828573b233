"""The search for free slots: free is read from a table, legal is judged by the same function as a booking."""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query

from erbium_kernel.errors import NotFound
from erbium_kernel.http import Call, Faulty, Routes, View
from scheduling.deciders import ITINERARY
from scheduling.http import examples
from scheduling.http.places import the_clinic
from scheduling.http.slot_search import Found, search_days
from scheduling.itinerary.slot import Wanted
from scheduling.itinerary.state import Itinerary
from scheduling.rules import Modality, VisitKind, Zone

routes = Routes(tag="slots")

SEARCH_DAYS_MAX = 31
SLOTS_MAX = 200


class FreeSlotView(View):
    """A start at which everything is free: hold it with these ids. `standing` only with `patient_id`."""

    clinic_id: UUID
    on: date
    starts_at: datetime
    ends_at: datetime
    practitioner_id: UUID
    room_id: UUID
    device_id: UUID | None
    standing: Literal["firm", "provisional"] | None


class FreeSlots(View):
    """The first free slots in the order of time. `complete` false: there are more, search from the last day on."""

    items: list[FreeSlotView]
    complete: bool


@routes.query(
    "GET",
    "/slots",
    name="findSlots",
    scope="scheduling:read",
    summary="Find free slots at a clinic",
    response=FreeSlots,
    response_example={
        "items": [
            {
                **examples.PLACE, "on": "2026-03-04", "starts_at": "2026-03-04T10:30:00Z", "ends_at": "2026-03-04T11:45:00Z",
                "standing": "firm",
            }
        ],
        "complete": False,
    },
)  # fmt: skip
async def find_slots(
    call: Call,
    clinic_id: UUID,
    kind: VisitKind,
    first: Annotated[date, Query(alias="from", description="First local day of the clinic.")],
    last: Annotated[date, Query(alias="to", description="Last local day, included; at most 31 days.")],
    modality: Modality | None = None,
    zones: Annotated[list[Zone] | None, Query(max_length=10, description="Default: the face.")] = None,
    patient_id: UUID | None = None,
    slots_max: Annotated[int, Query(ge=1, le=SLOTS_MAX)] = 50,
) -> FreeSlots:
    """Practitioner, room and laser are free and fit; with `patient_id` the days that rules or clearances forbid are left out.

    The search may be a moment behind; the hold decides.
    """
    if not first <= last <= first + timedelta(days=SEARCH_DAYS_MAX - 1):
        raise Faulty("request-invalid", f"`to` must be on or after `from`, and both at most {SEARCH_DAYS_MAX} days apart.")
    if (kind == "laser") != (modality is not None):
        raise Faulty("request-invalid", "`modality` belongs to the kind `laser`, and only to it.")
    clinic = await the_clinic(call, clinic_id)
    itinerary = await _itinerary(call, patient_id)
    wanted = Wanted(kind=kind, modality=modality, zones=tuple(zones or ("face",)))
    found = await search_days(call, clinic, wanted, (first, last), (patient_id, itinerary), slots_max + 1)
    views = [_view(clinic_id, one) for one in found[:slots_max]]
    return FreeSlots(items=views, complete=len(found) <= slots_max)


async def _itinerary(call: Call, patient_id: UUID | None) -> Itinerary | None:
    if patient_id is None:
        return None
    state, _ = await call.state_of(ITINERARY, patient_id)
    if state.patient_id is None or state.closed:
        raise NotFound("There is no such patient in this chain.")
    return state


def _view(clinic_id: UUID, found: Found) -> FreeSlotView:
    slot = found.slot
    return FreeSlotView(
        clinic_id=clinic_id,
        on=found.on,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        practitioner_id=slot.practitioner_id,
        room_id=slot.room_id,
        device_id=slot.device_id,
        standing=found.standing,
    )
