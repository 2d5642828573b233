"""The search for free slots: free is read from a table, legal is judged by the same function as a booking."""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query

from erbium_kernel.errors import ReferenceNotFound
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
    clinic_id: Annotated[UUID, Query(description="Where to look.")],
    kind: Annotated[VisitKind, Query(description="What the visit is for.")],
    first: Annotated[date, Query(alias="from", description="First local day of the clinic.")],
    last: Annotated[date, Query(alias="to", description="Last local day, included; at most 31 days.")],
    modality: Annotated[Modality | None, Query(description="The kind of laser; required for `laser`, and only there.")] = None,
    zones: Annotated[list[Zone] | None, Query(max_length=10, description="Default: the face.")] = None,
    patient_id: Annotated[UUID | None, Query(description="Leaves out what the patient's own dates and clearances forbid.")] = None,
    slots_max: Annotated[int, Query(ge=1, le=SLOTS_MAX, description="How many slots at most.")] = 50,
) -> FreeSlots:
    """Practitioner, room and laser are free and fit; with `patient_id` the days that rules or clearances forbid are left out.

    The search may be a moment behind; the hold decides.
    """
    if not first <= last <= first + timedelta(days=SEARCH_DAYS_MAX - 1):
        raise _misfit("to", f"must be a day from `from` on, at most {SEARCH_DAYS_MAX} days with it")
    if (kind == "laser") != (modality is not None):
        raise _misfit("modality", "belongs to the kind `laser`, and only to it")
    clinic = await the_clinic(call, clinic_id, parameter="clinic_id")
    itinerary = await _itinerary(call, patient_id)
    wanted = Wanted(kind=kind, modality=modality, zones=tuple(zones or ("face",)))
    found = await search_days(call, clinic, wanted, (first, last), (patient_id, itinerary), slots_max + 1)
    views = [_view(clinic_id, one) for one in found[:slots_max]]
    return FreeSlots(items=views, complete=len(found) <= slots_max)


def _misfit(parameter: str, reason: str) -> Faulty:
    return Faulty("request-invalid", "A parameter does not fit.", errors=[{"in": "query", "parameter": parameter, "reason": reason}])


async def _itinerary(call: Call, patient_id: UUID | None) -> Itinerary | None:
    if patient_id is None:
        return None
    state, _ = await call.state_of(ITINERARY, patient_id)
    if state.patient_id is None or state.closed:
        raise ReferenceNotFound("There is no such patient in this chain.", parameter="patient_id")
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
