"""Holds, visits and whole itineraries as answers show them."""

from datetime import date, datetime
from typing import Any, Literal, assert_never
from uuid import UUID

from pydantic import Field

from erbium_kernel.errors import NotFound
from erbium_kernel.http import Opener, View
from scheduling.itinerary.slot import Slot, Wanted
from scheduling.itinerary.state import Firm, Frozen, Hold, Itinerary, Provisional, Visit

StandingWord = Literal["firm", "provisional", "frozen", "cancelled", "treated"]


class SlotView(View):
    """What is wanted, and the slot it takes. `on` is the clinic's local date."""

    kind: str
    modality: str | None
    zones: list[str]
    clinic_id: UUID
    time_zone: str
    on: date
    starts_at: datetime
    ends_at: datetime
    practitioner_id: UUID
    room_id: UUID
    device_id: UUID | None


class HoldView(SlotView):
    """A slot kept for a moment; book it with `hold_id` before `expires_at`."""

    hold_id: UUID
    patient_id: UUID
    status: Literal["open", "booked", "ended"]
    expires_at: datetime | None


class VisitView(SlotView):
    """A visit as it stands."""

    visit_id: UUID
    patient_id: UUID
    patient_name: str | None = Field(default=None, description="In day sheets only; null when erased or not known here yet.")
    standing: StandingWord = Field(
        description="firm: may take place. provisional: waits for a clearance until `until`. frozen: keeps its slot until `until`."
    )
    cause: str | None = Field(description="Why it is frozen or over.")
    until: datetime | None
    clearance_id: UUID | None
    rules: list[str] = Field(default_factory=list, description="Interval rules a frozen visit breaks.")
    earliest: date | None = Field(default=None, description="The first day without them.")
    checked_in: bool
    changes: bool | None = Field(description="What the day's attestation said; null = not asked yet.")
    same_day_approved: bool
    version: int | None = Field(default=None, description="Of the whole itinerary, for If-Match; null in lists.")


class ActView(View):
    """Something done to the skin that intervals are counted from."""

    id: UUID
    kind: str
    zones: list[str]
    on: date


class ClearanceView(View):
    """A clearance as heard from screening."""

    clearance_id: UUID
    modality: str
    zones: list[str]
    status: Literal["valid", "suspended", "revoked", "expired"]
    valid_from: date
    valid_until: date
    earliest: date | None


class ItineraryView(View):
    """Everything of one patient, at all clinics of the chain."""

    patient_id: UUID
    holds: list[HoldView]
    visits: list[VisitView]
    over: list[VisitView]
    treatments: list[ActView]
    procedures: list[ActView]
    clearances: list[ClearanceView]
    version: int


def slot_parts(wanted: Wanted, slot: Slot) -> dict[str, Any]:
    """The fields that holds and visits share."""
    return {
        "kind": wanted.kind,
        "modality": wanted.modality,
        "zones": list(wanted.zones),
        "clinic_id": slot.clinic_id,
        "time_zone": slot.time_zone,
        "on": slot.on,
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "practitioner_id": slot.practitioner_id,
        "room_id": slot.room_id,
        "device_id": slot.device_id,
    }


def hold_view(state: Itinerary, patient_id: UUID, hold_id: UUID) -> HoldView:
    """A hold, also when it has become a visit. Raises: NotFound."""
    found = state.holds.get(hold_id) or state.visits.get(hold_id)
    if found is None:
        over = state.over.get(hold_id)
        if over is None:
            raise NotFound("There is no such hold of this patient.")
        return _hold(over.visit, patient_id, hold_id, "ended")
    return _hold(found, patient_id, hold_id, "open" if isinstance(found, Hold) else "booked")


def _hold(found: Hold | Visit, patient_id: UUID, hold_id: UUID, status: Literal["open", "booked", "ended"]) -> HoldView:
    expires_at = found.expires_at if isinstance(found, Hold) else None
    parts = slot_parts(found.wanted, found.slot)
    return HoldView(hold_id=hold_id, patient_id=patient_id, status=status, expires_at=expires_at, **parts)


def visit_view(state: Itinerary, patient_id: UUID, visit_id: UUID, version: int | None = None) -> VisitView:
    """A visit, cancelled and treated ones too. Raises: NotFound."""
    if visit_id in state.over:
        over = state.over[visit_id]
        standing: dict[str, Any] = {"standing": "treated" if over.cause == "treated" else "cancelled", "cause": over.cause}
        return _visit(over.visit, patient_id, {**_standing(over.visit), "until": None, **standing}, version)
    if visit_id not in state.visits:
        raise NotFound("There is no such visit of this patient.")
    visit = state.visits[visit_id]
    return _visit(visit, patient_id, _standing(visit), version)


def _visit(visit: Visit, patient_id: UUID, standing: dict[str, Any], version: int | None) -> VisitView:
    return VisitView(
        visit_id=visit.visit_id,
        patient_id=patient_id,
        checked_in=visit.checked_in,
        changes=visit.changes,
        same_day_approved=visit.same_day_approved,
        version=version,
        **standing,
        **slot_parts(visit.wanted, visit.slot),
    )


def _standing(visit: Visit) -> dict[str, Any]:
    match visit.standing:
        case Firm(clearance_id=clearance_id):
            return {"standing": "firm", "cause": None, "until": None, "clearance_id": clearance_id}
        case Provisional(firm_by=firm_by):
            return {"standing": "provisional", "cause": None, "until": firm_by, "clearance_id": None}
        case Frozen() as frozen:
            return {
                "standing": "frozen",
                "cause": frozen.cause,
                "until": frozen.until,
                "clearance_id": frozen.clearance_id,
                "rules": list(frozen.rules),
                "earliest": frozen.earliest,
            }
        case _:
            assert_never(visit.standing)


def itinerary_view(state: Itinerary, patient_id: UUID, version: int, _: Opener | None = None) -> ItineraryView:
    """Everything of the patient, by time. Raises: NotFound."""
    if state.patient_id is None or state.closed:
        raise NotFound("There is no such patient in this chain.")
    return ItineraryView(
        patient_id=patient_id,
        holds=[hold_view(state, patient_id, hold_id) for hold_id in state.holds],
        visits=sorted((visit_view(state, patient_id, visit_id) for visit_id in state.visits), key=lambda visit: visit.starts_at),
        over=sorted((visit_view(state, patient_id, visit_id) for visit_id in state.over), key=lambda visit: visit.starts_at),
        treatments=[ActView(id=act.ref, kind=act.kind, zones=list(act.zones), on=act.on) for act in state.treatments.values()],
        procedures=[ActView(id=act.ref, kind=act.kind, zones=list(act.zones), on=act.on) for act in state.procedures.values()],
        clearances=[
            ClearanceView(
                clearance_id=one.clearance_id,
                modality=one.modality,
                zones=list(one.zones),
                status=one.status,
                valid_from=one.valid_from,
                valid_until=one.valid_until,
                earliest=one.earliest,
            )
            for one in state.clearances.values()
        ],
        version=version,
    )
