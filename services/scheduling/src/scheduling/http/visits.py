"""Visits: book, move, cancel, check in, attest the day, approve the same day. If-Match = version of the patient's itinerary."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from erbium_kernel.errors import NotFound
from erbium_kernel.http import Body, Call, Opener, Routes
from erbium_kernel.looking_back import AsRecorded
from scheduling.deciders import ITINERARY
from scheduling.http import examples
from scheduling.http.holds import SLOT_REFUSALS
from scheduling.http.itinerary_views import ItineraryView, VisitView, itinerary_view, visit_view
from scheduling.http.places import SlotBody, place_of
from scheduling.itinerary import commands as c
from scheduling.itinerary import refusals
from scheduling.itinerary.slot import Slot
from scheduling.itinerary.state import Itinerary

routes = Routes(tag="visits")
AS_RECORDED = AsRecorded(decider=ITINERARY, by="patient_id")
VISIT = "/patients/{patient_id}/visits/{visit_id}"


class BookingBody(Body):
    """The hold that becomes a visit; the visit has its id."""

    hold_id: Annotated[UUID, Field(description="The hold to book.")]


class CancellationBody(Body):
    """Who called it off."""

    cause: Annotated[Literal["patient", "clinic", "no-show"], Field(description="`no-show`: the patient did not come.")]


class AttestationBody(Body):
    """Has anything changed since the examination?"""

    changes: Annotated[bool, Field(description="True: something has changed, so a doctor decides first.")]


async def _decide(call: Call, patient_id: UUID, visit_id: UUID, command: c.ItineraryCommand, *, location: bool = False) -> VisitView:
    def render(state: Itinerary, _: UUID, __: Opener) -> VisitView:
        return visit_view(state, patient_id, visit_id)

    place = f"/v1/patients/{patient_id}/visits/{visit_id}" if location else None
    return await call.execute(ITINERARY, patient_id, command, render=render, location=place)


async def _at_its_clinic(call: Call, patient_id: UUID, visit_id: UUID) -> Slot | None:
    """The slot of the visit or the hold; who is not there is refused later. Raises: Faulty if the token does not cover its clinic."""
    state, _ = await call.state_of(ITINERARY, patient_id)
    over = state.over.get(visit_id)
    found = over.visit if over else state.visits.get(visit_id) or state.holds.get(visit_id)
    if found is not None:
        call.at_clinic(found.slot.clinic_id)
    return found.slot if found is not None else None


@routes.command(
    "POST",
    "/patients/{patient_id}/visits",
    name="bookVisit",
    scope="scheduling:book",
    summary="Book a held slot",
    request_example={"hold_id": examples.HOLD_ID},
    response_example=examples.VISIT,
    response=VisitView,
    refusals=(
        refusals.HoldGone,
        refusals.IntervalTooShort,
        refusals.NotCleared,
        refusals.TooLateForProvisional,
        refusals.ClinicClosed,
        refusals.PractitionerAway,
        refusals.PractitionerNotLicensed,
        refusals.RoomUnsuitable,
        refusals.LaserUnsuitable,
    ),
)
async def book_visit(call: Call, patient_id: UUID, body: BookingBody) -> VisitView:
    """A hold becomes a visit under the same id: firm, or provisional until a clearance reaches its day. Decided anew, the place too."""
    slot = await _at_its_clinic(call, patient_id, body.hold_id)
    command = c.BookVisit(hold_id=body.hold_id, place=await place_of(call, slot) if slot else None, at=call.now())
    return await _decide(call, patient_id, body.hold_id, command, location=True)


@routes.query(
    "GET",
    VISIT,
    name="getVisit",
    scope="scheduling:read",
    summary="Read a visit of a patient",
    response=VisitView,
    response_example=examples.VISIT,
    as_recorded=AS_RECORDED,
)
async def get_visit(call: Call, patient_id: UUID, visit_id: UUID) -> VisitView:
    """Always the newest. `version` (the ETag) is that of the patient's whole itinerary."""
    state, version = await call.state_of(ITINERARY, patient_id)
    if state.closed:
        raise NotFound("There is no such visit of this patient.")
    return visit_view(state, patient_id, visit_id, version)


@routes.command(
    "POST",
    VISIT + "/move",
    name="moveVisit",
    scope="scheduling:book",
    status=200,
    summary="Move a visit to another slot",
    request_example=examples.MOVE_BODY,
    response_example={**examples.VISIT, "starts_at": "2026-03-04T11:00:00Z", "ends_at": "2026-03-04T12:15:00Z", "version": 6},
    response=VisitView,
    changes=True,
    refusals=(*SLOT_REFUSALS, refusals.VisitOver, refusals.AlreadyArrived),
)
async def move_visit(call: Call, patient_id: UUID, visit_id: UUID, body: SlotBody) -> VisitView:
    """The new slot is taken and the old one given back in one step, or nothing changes. Same rules as for a booking."""
    await _at_its_clinic(call, patient_id, visit_id)
    async with call.naming(ITINERARY, patient_id):
        place = await place_of(call, body)
    command = c.MoveVisit(visit_id=visit_id, asked=body.asked(), place=place, at=call.now())
    return await _decide(call, patient_id, visit_id, command)


@routes.command(
    "POST",
    VISIT + "/same-day-approval",
    name="approveSameDay",
    scope="scheduling:approve",
    status=200,
    summary="Approve a treatment on the day of the examination",
    response_example={**examples.VISIT, "same_day_approved": True, "version": 6},
    response=VisitView,
    changes=True,
    refusals=(
        refusals.VisitNotToday, refusals.VisitNotFirm, refusals.NotTheSameDay, refusals.SameDayNeedsOverride, refusals.VisitOver,
    ),
)  # fmt: skip
async def approve_same_day(call: Call, patient_id: UUID, visit_id: UUID) -> VisitView:
    """The examination is of today and a clearance is valid today, so no rule is open. Needed before the check-in."""
    await _at_its_clinic(call, patient_id, visit_id)
    command = c.ApproveSameDay(visit_id=visit_id, approved_by=str(call.actor_id), at=call.now())
    return await _decide(call, patient_id, visit_id, command)


@routes.command(
    "POST",
    VISIT + "/check-in",
    name="checkIn",
    scope="scheduling:book",
    status=200,
    summary="Check a patient in",
    response_example={**examples.VISIT, "checked_in": True, "version": 6},
    response=VisitView,
    changes=True,
    refusals=(refusals.VisitNotToday, refusals.VisitNotFirm, refusals.SameDayNotApproved, refusals.VisitOver),
)
async def check_in(call: Call, patient_id: UUID, visit_id: UUID) -> VisitView:
    """On the day of the visit, if it is firm; a treatment may be bound from then on."""
    await _at_its_clinic(call, patient_id, visit_id)
    return await _decide(call, patient_id, visit_id, c.CheckIn(visit_id=visit_id, at=call.now()))


@routes.command(
    "POST",
    VISIT + "/attestation",
    name="attestDay",
    scope="scheduling:attest",
    status=200,
    summary="Attest whether anything has changed since the examination",
    request_example={"changes": False},
    response_example={**examples.VISIT, "checked_in": True, "changes": False, "version": 7},
    response=VisitView,
    changes=True,
    refusals=(refusals.NotArrived, refusals.ChangesStand, refusals.VisitNotToday, refusals.VisitOver),
)
async def attest_day(call: Call, patient_id: UUID, visit_id: UUID, body: AttestationBody) -> VisitView:
    """`changes: true` freezes a laser visit at once and suspends its clearance; only a doctor ends that."""
    await _at_its_clinic(call, patient_id, visit_id)
    command = c.AttestDay(visit_id=visit_id, changes=body.changes, attested_by=str(call.actor_id), at=call.now())
    return await _decide(call, patient_id, visit_id, command)


@routes.command(
    "POST",
    VISIT + "/cancellation",
    name="cancelVisit",
    scope="scheduling:book",
    status=200,
    summary="Cancel a visit",
    request_example={"cause": "patient"},
    response_example={**examples.VISIT, "standing": "cancelled", "cause": "patient", "version": 6},
    response=VisitView,
    changes=True,
    refusals=(refusals.VisitOver,),
)
async def cancel_visit(call: Call, patient_id: UUID, visit_id: UUID, body: CancellationBody) -> VisitView:
    """Its slot is free again at once. A visit in the past is cancelled as `no-show`, so that no interval is counted from it."""
    await _at_its_clinic(call, patient_id, visit_id)
    return await _decide(call, patient_id, visit_id, c.CancelVisit(visit_id=visit_id, cause=body.cause, at=call.now()))


@routes.query(
    "GET",
    "/patients/{patient_id}/itinerary",
    name="getItinerary",
    scope="scheduling:read",
    summary="Read a patient's itinerary",
    response=ItineraryView,
    response_example={
        "patient_id": examples.PATIENT_ID, "holds": [], "visits": [{**examples.VISIT, "version": None}], "over": [], "treatments": [],
        "procedures": [], "clearances": [], "version": 5,
    },
    as_recorded=AS_RECORDED,
)  # fmt: skip
async def get_itinerary(call: Call, patient_id: UUID) -> ItineraryView:
    """All visits at all clinics of the chain, and what decides about them. Always the newest."""
    state, version = await call.state_of(ITINERARY, patient_id)
    return itinerary_view(state, patient_id, version)
