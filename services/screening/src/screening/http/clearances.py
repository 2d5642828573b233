"""Clearances: assessed, requested, overridden, reinstated, revoked, read with their trace."""

from datetime import date, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query

from erbium_kernel.clinical_dates import local_date
from erbium_kernel.errors import PersonErased
from erbium_kernel.http import Call, Page, Paging, Routes
from erbium_kernel.looking_back import AsRecorded
from erbium_kernel.personal import Personal
from screening.deciders import PATIENT, RULEBOOK
from screening.facts import Plan
from screening.http import examples
from screening.http.acting import act_at, personal, the_patient
from screening.http.bodies import ActBody, OverrideBody, RequestClearanceBody, RevokeBody
from screening.http.rendering import assessment_view, clearance, override
from screening.http.views import AssessmentView, ClearanceView, OverrideView, TracedClearanceView
from screening.http.words import Indication, Modality, Zone
from screening.patient import refusals as r
from screening.patient.commands import GrantOverride, ReinstateClearance, RequestClearance, RevokeClearance
from screening.projections import clearances
from screening.rules import evaluate

routes = Routes(tag="clearances")
AS_RECORDED = AsRecorded(decider=PATIENT, by="patient_id", projections=(clearances.PROJECTION,))


@routes.query("GET", "/patients/{patient_id}/assessment", name="assessPatient", scope="screening:read", response=AssessmentView,
              response_example=examples.ASSESSMENT, as_recorded=AS_RECORDED)  # fmt: skip
async def assess_patient(
    call: Call,
    patient_id: UUID,
    modality: Modality,
    zones: Annotated[list[Zone], Query(min_length=1, max_length=10, description="Repeat the parameter for more than one.")],
    on: date | None = None,
    indication: Indication | None = None,
    standing: Literal["firm", "provisional"] = "firm",
) -> AssessmentView:
    """What the rules say about a treatment on a day (today if absent), with the whole trace.

    Reads the patient's own record, not a list. `firm`: facts must be fresh on that day; `provisional`: today.
    With `as_recorded`, today is the day of that instant: what the rules in force now make of what was known then.
    """
    state, version = await the_patient(call, patient_id)
    today = local_date(call.now(), state.registration.time_zone)
    plan = Plan(modality=modality, zones=tuple(zones), on=on or today, indication=indication, standing=standing)
    return assessment_view(evaluate(RULEBOOK, state.facts, plan, today), version)


@routes.command("POST", "/patients/{patient_id}/overrides", name="grantOverride", scope="screening:decide", status=201, changes=True,
                request_example=examples.OVERRIDE, response_example=examples.GRANTED_OVERRIDE, response=OverrideView,
                refusals=(r.DoctorOnly, r.NotTheExaminingDoctor, r.RuleUnknown, r.SeedWindow, r.AbsoluteRule,
                          r.PreconditionNotOverridable, r.NotOverridable, r.NothingToOverride, r.RationaleTooShort, r.MitigationMissing,
                          r.OverrideExpiryOutOfRange, r.IdTaken, PersonErased))  # fmt: skip
async def grant_override(call: Call, patient_id: UUID, body: OverrideBody) -> OverrideView:
    """Override one rule for one modality and zone, as the doctor who examined the patient.

    It covers the facts that stand today: what is learned later under the same rule is not covered.
    """
    act = await act_at(call, body.clinic_id, patient_id)
    override_id = body.override_id or call.new_id()
    command = GrantOverride(
        act=act, override_id=override_id, rule_id=body.rule_id, rule_version=body.rule_version, modality=body.modality, zone=body.zone,
        rationale=Personal(patient_id, body.rationale), mitigations=tuple(body.mitigations),
        expires_on=act.today + timedelta(days=body.expires_in_days), indication=body.indication,
    )  # fmt: skip
    return await call.execute(PATIENT, patient_id, command, render=override(override_id))


@routes.command("POST", "/patients/{patient_id}/clearances", name="requestClearance", scope="screening:decide", status=201, changes=True,
                request_example=examples.REQUEST, response_example=examples.DECIDED, response=TracedClearanceView,
                refusals=(r.DoctorOnly, r.NotOffered, r.DateImpossible, r.AdvisoryNotAcknowledged, r.AlreadyCleared,
                          r.SuspendedClearanceWaits, r.IdTaken, r.WordUnknown, PersonErased))  # fmt: skip
async def request_clearance(call: Call, patient_id: UUID, body: RequestClearanceBody) -> TracedClearanceView:
    """Ask for a clearance; the answer is granted, deferred or refused, with the reasons and the trace. All three are recorded."""
    clearance_id = body.clearance_id or call.new_id()
    command = RequestClearance(
        act=await act_at(call, body.clinic_id, patient_id), clearance_id=clearance_id, modality=body.modality, zones=tuple(body.zones),
        on=body.on, indication=body.indication, acknowledges=tuple(body.acknowledges),
    )  # fmt: skip
    location = f"/v1/patients/{patient_id}/clearances/{clearance_id}"
    return await call.execute(PATIENT, patient_id, command, render=clearance(clearance_id), location=location)


@routes.query("GET", "/patients/{patient_id}/clearances", name="listClearances", scope="screening:read", response=Page[ClearanceView],
              response_example={"items": [examples.CLEARANCE], "next_cursor": None}, as_recorded=AS_RECORDED)  # fmt: skip
async def list_clearances(call: Call, patient_id: UUID, paging: Paging) -> Page[ClearanceView]:
    """List a patient's requests for clearance and how they stand, by id."""
    async with call.reading() as conn:
        rows = await clearances.clearances(conn, patient_id, paging.after, paging.limit)
    return paging.page([ClearanceView.model_validate(row) for row in rows], key=lambda view: (view.clearance_id,))


@routes.query("GET", "/patients/{patient_id}/clearances/{clearance_id}", name="getClearance", scope="screening:read",
              response=TracedClearanceView, response_example=examples.TRACED, as_recorded=AS_RECORDED)  # fmt: skip
async def get_clearance(call: Call, patient_id: UUID, clearance_id: UUID) -> TracedClearanceView:
    """Read one request for clearance, with the trace: which rule looked at which facts and said what."""
    async with call.reading() as conn:
        row = await clearances.one_clearance(conn, patient_id, clearance_id)
    if row is None:
        raise r.ClearanceUnknown
    return TracedClearanceView.model_validate(row)


@routes.command("POST", "/patients/{patient_id}/clearances/{clearance_id}/reinstatement", name="reinstateClearance",
                scope="screening:decide", status=200, changes=True, request_example=examples.ACT, response_example=examples.DECIDED,
                response=TracedClearanceView, refusals=(r.DoctorOnly, r.StillContradicted, r.ClearanceEnded, PersonErased))  # fmt: skip
async def reinstate_clearance(call: Call, patient_id: UUID, clearance_id: UUID, body: ActBody) -> TracedClearanceView:
    """Lift a suspension, as a doctor, once nothing contradicts the clearance any more."""
    command = ReinstateClearance(act=await act_at(call, body.clinic_id, patient_id), clearance_id=clearance_id)
    return await call.execute(PATIENT, patient_id, command, render=clearance(clearance_id))


@routes.command("POST", "/patients/{patient_id}/clearances/{clearance_id}/revocation", name="revokeClearance", scope="screening:decide",
                status=200, changes=True, request_example=examples.REVOKE, response_example=examples.DECIDED, response=TracedClearanceView,
                refusals=(r.DoctorOnly, r.ClearanceEnded, PersonErased))  # fmt: skip
async def revoke_clearance(call: Call, patient_id: UUID, clearance_id: UUID, body: RevokeBody) -> TracedClearanceView:
    """End a clearance for good, as a doctor."""
    command = RevokeClearance(
        act=await act_at(call, body.clinic_id, patient_id), clearance_id=clearance_id, note=personal(patient_id, body.note)
    )
    return await call.execute(PATIENT, patient_id, command, render=clearance(clearance_id))
