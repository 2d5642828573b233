"""Treatments: opened within limits, resumed, ended, aborted, read with their doses."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from starlette.responses import Response

from device_telemetry.binding import Binding, ZonePlan
from device_telemetry.clearance import refusals
from device_telemetry.clearance.commands import DeviceAtHand, OpenTreatment
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.clearance.state import Clearance
from device_telemetry.device.decide import DEVICE
from device_telemetry.device.state import Registered
from device_telemetry.frames.consequences import Kept, delivered
from device_telemetry.freshness import screening_age_seconds
from device_telemetry.http import treatment_examples as examples
from device_telemetry.http.treatment_views import (
    AbortTreatmentBody,
    EndTreatmentBody,
    OpenedView,
    OpenTreatmentBody,
    Phase,
    TreatmentView,
    ZonePlanBody,
    bound,
    finals_of,
    phase_of,
    treatment_view,
)
from device_telemetry.projections.frames_then import kept_then
from device_telemetry.projections.stored_frames import kept
from device_telemetry.projections.treatments import list_treatments
from device_telemetry.rulebook import RULES
from device_telemetry.treatment.commands import AbortTreatment, Delivered, EndTreatment, ResumeTreatment
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.events import FinalSeq
from device_telemetry.treatment.refusals import (
    DoctorMustResume,
    MayNotResume,
    NothingDelivered,
    TooManyFramesThen,
    TreatmentOver,
    TreatmentUnknown,
)
from device_telemetry.treatment.state import Known, Treatment, Unopened
from device_telemetry.waiting import soon
from erbium_kernel.errors import ReferenceNotFound
from erbium_kernel.http import Call, Opener, Page, Paging, Routes, View
from erbium_kernel.http.request_headers import etag
from erbium_kernel.looking_back import AsRecorded

routes = Routes(tag="treatments")

DOCTORS: Final = frozenset({"doctor", "medical_director"})
TAIL_SECONDS_MAX: Final = 0.8  # how long an end waits for the last frames to be stored, so that its totals hold them


class PhaseView(View):
    """In which phase the treatment is now."""

    treatment_id: UUID
    phase: Phase


class ListedTreatment(View):
    """One line of a list."""

    treatment_id: UUID
    patient_id: UUID
    visit_id: UUID
    clearance_id: UUID
    clinic_id: UUID
    device_id: UUID
    modality: str
    zones: list[str]
    on: date
    phase: Phase
    opened_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@routes.command(
    "POST",
    "/treatments",
    name="openTreatment",
    scope="telemetry:treat",
    request_example=examples.OPEN,
    response_example=examples.OPENED,
    response=OpenedView,
    versioned=False,  # the clearance's stream is written; the treatment's own is read a moment later
    refusals=(
        refusals.ClearanceUnheard, refusals.ClearanceSuspended, refusals.ClearanceEnded, refusals.ClearanceNotValidToday,
        refusals.NotCheckedIn, refusals.VisitNotToday, refusals.VisitOfAnotherPatient, refusals.NotAttested, refusals.ChangesAttested,
        refusals.VisitAlreadyTreated, refusals.TreatmentAlreadyOpen, refusals.TreatmentIdTaken, refusals.DeviceNotOfClinic,
        refusals.DeviceOutOfUse, refusals.WrongModality, refusals.DeviceInTreatment, refusals.ZonesNotCleared, refusals.BeyondLimits,
        refusals.ScreeningStale,
    ),
)  # fmt: skip
async def open_treatment(call: Call, body: OpenTreatmentBody) -> OpenedView:
    """Open a treatment: clearance, visit, laser, plan and limits are checked together, and bound.

    The answer is what the laser downloads. Its own stream is a moment behind: read it with `Erbium-After` from this answer.
    """
    treatment_id = body.treatment_id or call.new_id()
    device = await _device(call, body.device_id)
    if device.clinic_id is not None:
        call.at_clinic(device.clinic_id)
    clearance, _ = await call.state_of(CLEARANCE, body.clearance_id)
    command = OpenTreatment(
        treatment_id=treatment_id,
        visit_id=body.visit_id,
        device=_at_hand(device, clearance),
        plan=tuple(_plan(zone) for zone in body.zones),
        screening_age_seconds=await _screening_age(call, clearance),
        attesting_doctor=call.principal.actor.id if body.attest_stale_screening and call.principal.roles & DOCTORS else None,
        rules=RULES,
        at=call.now(),
    )

    def render(state: Clearance, _: UUID, __: Opener) -> OpenedView:
        return OpenedView(**bound(state.bound[treatment_id].binding))

    return await call.execute(CLEARANCE, body.clearance_id, command, render=render, location=f"/v1/treatments/{treatment_id}")


async def _device(call: Call, device_id: UUID) -> Registered:
    state, _ = await call.state_of(DEVICE, device_id)
    if not isinstance(state, Registered):
        raise ReferenceNotFound("There is no such laser in this chain.", pointer="/device_id")
    return state


def _at_hand(device: Registered, clearance: Clearance) -> DeviceAtHand:
    modality = clearance.grant.modality if clearance.grant else ""
    return DeviceAtHand(
        device_id=device.device_id, clinic_id=device.clinic_id, locked_out=device.locked_out, modalities=device.modalities,
        lesions=device.lesion_table(modality), grid_cell_mm=device.grid_cell_mm,
    )  # fmt: skip


def _plan(zone: ZonePlanBody) -> ZonePlan:
    area_cm2 = RULES.zones.areas_cm2[zone.zone] if zone.area_cm2 is None else zone.area_cm2
    return ZonePlan(zone=zone.zone, area_cm2=area_cm2, planned_mtz=zone.planned_mtz, energy_mj_per_mtz=zone.energy_mj_per_mtz)


async def _screening_age(call: Call, clearance: Clearance) -> float | None:
    if clearance.grant is None:
        return None
    return await screening_age_seconds(call.runtime, call.principal.chain_id, clearance.grant.patient_id)


@routes.command(
    "POST",
    "/treatments/{treatment_id}/end",
    name="endTreatment",
    scope="telemetry:treat",
    status=200,
    request_example=examples.END,
    response_example=examples.PHASE,
    response=PhaseView,
    refusals=(NothingDelivered,),
    changes=True,
)
async def end_treatment(call: Call, treatment_id: UUID, body: EndTreatmentBody) -> PhaseView:
    """End a treatment: nothing more is delivered; aftercare and intervals begin with provisional totals."""
    state = await _known(call, treatment_id)
    finals = finals_of(body)
    command = EndTreatment(cause="operator", delivered=await _delivered(call, state, finals), finals=finals, at=call.now())
    return await call.execute(TREATMENT, treatment_id, command, render=_phase)


@routes.command(
    "POST",
    "/treatments/{treatment_id}/abort",
    name="abortTreatment",
    scope="telemetry:treat",
    status=200,
    request_example=examples.ABORT,
    response_example=examples.PHASE,
    response=PhaseView,
    changes=True,
)
async def abort_treatment(call: Call, treatment_id: UUID, body: AbortTreatmentBody) -> PhaseView:
    """Break a treatment off; what was delivered counts all the same."""
    state = await _known(call, treatment_id)
    finals = finals_of(body)
    command = AbortTreatment(cause=body.cause, delivered=await _delivered(call, state, finals), finals=finals, at=call.now())
    return await call.execute(TREATMENT, treatment_id, command, render=_phase)


@routes.command(
    "POST",
    "/treatments/{treatment_id}/resume",
    name="resumeTreatment",
    scope="telemetry:treat",
    status=200,
    response_example=examples.PHASE | {"phase": "running"},
    response=PhaseView,
    refusals=(MayNotResume, DoctorMustResume, TreatmentOver),
    changes=True,
)
async def resume_treatment(call: Call, treatment_id: UUID) -> PhaseView:
    """Let the laser go on: after a pause anybody who treats, after a stop a doctor, during a suspension nobody."""
    await _known(call, treatment_id)
    command = ResumeTreatment(by=call.principal.actor.id, by_doctor=bool(call.principal.roles & DOCTORS), at=call.now())
    return await call.execute(TREATMENT, treatment_id, command, render=_phase)


def _phase(state: Treatment, treatment_id: UUID, _: Opener) -> PhaseView:
    assert not isinstance(state, Unopened)
    return PhaseView(treatment_id=treatment_id, phase=phase_of(state))


async def _known(call: Call, treatment_id: UUID) -> Known:
    state, _ = await call.state_of(TREATMENT, treatment_id)
    if isinstance(state, Unopened):
        raise TreatmentUnknown
    call.at_clinic(state.binding.ids.clinic_id)
    return state


async def _delivered(call: Call, state: Known, finals: Sequence[FinalSeq]) -> Delivered:
    """What is stored, after a short wait for the last frames: they may be on their way through the topic."""

    def has_the_last(stored: Kept) -> bool:
        highest = {one.boot_id: one.highest_seq for one in stored.recordings}
        return all(highest.get(final.boot_id, -1) >= final.last_seq for final in finals)

    stored = await soon(lambda: stored_of(call, state.binding), has_the_last, call.runtime.clock, seconds_max=TAIL_SECONDS_MAX)
    return delivered(stored, state.binding, finals, RULES.zones.areas_cm2)


async def stored_of(call: Call, binding: Binding) -> Kept:
    """Everything stored of the treatment's frames; of the past, what had been received by then. Raises there: TooManyFramesThen."""
    async with call.reading() as conn:
        return await (kept_then(conn, binding, call.past.at) if call.past else kept(conn, binding.ids.treatment_id))


@routes.query(
    "GET",
    "/treatments/{treatment_id}",
    name="getTreatment",
    scope="telemetry:read",
    response=TreatmentView,
    response_example=examples.TREATMENT,
    refusals=(TooManyFramesThen,),
    as_recorded=AsRecorded(decider=TREATMENT, by="treatment_id"),
)
async def get_treatment(call: Call, treatment_id: UUID) -> Response:
    """One treatment with its totals per zone as they stand.

    As recorded at an instant, its totals and gaps are those of the frames that had been received by then.
    Its ETag serves If-Match only: totals grow while the stream's version stands still, so If-None-Match is not answered with 304.
    """
    state, version = await call.state_of(TREATMENT, treatment_id)
    if isinstance(state, Unopened):
        raise TreatmentUnknown
    view = treatment_view(state, version, await stored_of(call, state.binding))
    return Response(view.model_dump_json(), media_type="application/json", headers={"ETag": etag(version)})


@routes.query(
    "GET",
    "/treatments",
    name="listTreatments",
    scope="telemetry:read",
    response=Page[ListedTreatment],
    response_example={"items": [examples.LISTED], "next_cursor": None},
)
async def list_all(call: Call, paging: Paging, patient_id: UUID | None = None, clinic_id: UUID | None = None) -> Page[Any]:
    """Treatments of the chain, of a patient, of a clinic."""
    async with call.reading() as conn:
        rows = await list_treatments(conn, patient_id, clinic_id, paging.after, paging.limit + 1)
    views = [ListedTreatment(**{name: row[name] for name in ListedTreatment.model_fields}) for row in rows]
    return paging.page(views, key=lambda view: (view.treatment_id,))
