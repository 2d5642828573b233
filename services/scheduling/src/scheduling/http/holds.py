"""Holds: a slot kept for a moment, so that a booking can present it."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from erbium_kernel.http import Call, Opener, Routes, View
from scheduling.deciders import ITINERARY
from scheduling.hours import AmbiguousLocalTime, NoSuchLocalTime
from scheduling.http import examples
from scheduling.http.itinerary_views import HoldView, hold_view
from scheduling.http.places import SlotBody, place_of
from scheduling.itinerary import commands as c
from scheduling.itinerary import refusals
from scheduling.itinerary.slot import Wanted
from scheduling.itinerary.state import Itinerary
from scheduling.rules import ZONES, Modality, VisitKind, Zone

routes = Routes(tag="holds")

SLOT_REFUSALS = (
    refusals.SlotTaken, refusals.SlotInThePast, refusals.SlotTooFarAhead, refusals.ClinicClosed, refusals.PractitionerAway,
    refusals.PractitionerNotLicensed, refusals.RoomUnsuitable, refusals.LaserUnsuitable, refusals.VisitIncomplete, NoSuchLocalTime,
    AmbiguousLocalTime, refusals.IntervalTooShort, refusals.NotCleared, refusals.TooLateForProvisional,
)  # fmt: skip


class HoldBody(SlotBody):
    """What the visit is for, and the slot to keep. A laser visit names `modality`, `zones` and `device_id`."""

    hold_id: Annotated[UUID | None, Field(description="Chosen by the caller, or made here; the visit will have the same id.")] = None
    kind: Annotated[VisitKind, Field(description="What the visit is for.")]
    modality: Annotated[Modality | None, Field(description="The kind of laser; laser visits only.")] = None
    zones: Annotated[list[Zone], Field(max_length=len(ZONES), description="Where on the body; laser visits only.")] = Field(
        default_factory=list
    )


class EndedHold(View):
    """A hold that was given back."""

    hold_id: UUID
    status: str


@routes.command(
    "POST",
    "/patients/{patient_id}/holds",
    name="holdSlot",
    scope="scheduling:book",
    summary="Hold a slot for a patient",
    request_example=examples.HOLD_BODY,
    response_example={**examples.HOLD, "version": 4},
    response=HoldView,
    refusals=(*SLOT_REFUSALS, refusals.TooManyHolds, refusals.HoldExists),
)
async def hold_slot(call: Call, patient_id: UUID, body: HoldBody) -> HoldView:
    """Keep a slot until `expires_at`; everything it needs is taken until then.

    Refused where the slot is not legal: licence, room, laser, opening hours, clearance, and the intervals to the patient's other
    acts at all clinics of the chain and elsewhere.
    """
    hold_id = body.hold_id or call.new_id()
    wanted = Wanted(kind=body.kind, modality=body.modality, zones=tuple(zone for zone in ZONES if zone in body.zones))
    place = await place_of(call, body)
    command = c.HoldSlot(hold_id=hold_id, patient_id=patient_id, wanted=wanted, asked=body.asked(), place=place, at=call.now())

    def render(state: Itinerary, _: UUID, __: Opener) -> HoldView:
        return hold_view(state, patient_id, hold_id)

    return await call.execute(ITINERARY, patient_id, command, render=render, location=f"/v1/patients/{patient_id}/itinerary")


@routes.command(
    "POST",
    "/patients/{patient_id}/holds/{hold_id}/release",
    name="giveBackHold",
    scope="scheduling:book",
    status=200,
    summary="Give a held slot back",
    response_example={"hold_id": examples.HOLD_ID, "status": "ended", "version": 5},
    response=EndedHold,
    changes=True,
    refusals=(refusals.HoldGone,),
)
async def give_back_hold(call: Call, patient_id: UUID, hold_id: UUID) -> EndedHold:
    """The slot is free again at once; a hold that has expired meanwhile is given back already."""

    def render(_: Itinerary, __: UUID, ___: Opener) -> EndedHold:
        return EndedHold(hold_id=hold_id, status="ended")

    return await call.execute(ITINERARY, patient_id, c.GiveBackHold(hold_id=hold_id, at=call.now()), render=render)
