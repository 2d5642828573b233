"""Care plans, check-ins and adverse events over HTTP."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from aftercare.care.commands import AnswerCheckIn, CloseAdverseEvent
from aftercare.care.decide import AdverseEventNotKnown, BeforeTreatment, TreatmentNotKnown
from aftercare.care.state import State, UnderCare
from aftercare.deciders import CARE, RULES
from aftercare.http import examples
from aftercare.projections import care_plans, patients
from aftercare.triage import Answers
from erbium_kernel.http import Body, Call, Opener, Page, Paging, Routes, View
from erbium_kernel.looking_back import AsRecorded
from erbium_kernel.personal import Personal

routes = Routes(tag="care")
AS_RECORDED = AsRecorded(decider=CARE, by="treatment_id", projections=(care_plans.PROJECTION,))

LevelWord = Literal["GREEN", "YELLOW", "AMBER", "RED"]
Trend = Literal["better", "same", "worse"]


class InstructionView(View):
    """One instruction; both dates included, local to the clinic."""

    id: str
    text: str
    starts_on: date
    ends_on: date


class CarePlanView(View):
    """What the patient was told after one treatment. `basis` ended = the totals are still provisional."""

    treatment_id: UUID
    patient_id: UUID
    clinic_id: UUID
    patient_name: str | None = Field(description="None when the patient was erased, or the key has not arrived yet.")
    modality: str
    treated_on: date
    basis: Literal["ended", "completed", "partially_completed"]
    rules_version: int
    instructions: list[InstructionView]
    level: LevelWord = Field(description="The worst triage level so far.")
    version: int


class CarePlanSummary(View):
    """A plan in a list."""

    treatment_id: UUID
    patient_id: UUID
    clinic_id: UUID
    modality: str
    treated_on: date
    basis: str
    level: LevelWord


class CheckInView(View):
    """A day on which the patient was asked, answered, or both. `day` counts from the treatment."""

    day: int
    opened_on: date | None
    answered_on: date | None
    level: LevelWord | None
    signs: list[str] | None


class AdverseEventView(View):
    """Something a doctor must see to."""

    adverse_event_id: UUID
    treatment_id: UUID
    patient_id: UUID
    clinic_id: UUID
    level: LevelWord
    signs: list[str]
    opened_on: date
    closed_on: date | None


class CheckInAnswersBody(Body):
    """How it is going today. Every question is asked, so every field must be there."""

    pain_0_to_10: int = Field(ge=0, le=10, description="0 = none, 10 = the worst imaginable.")
    pain_trend: Trend = Field(description="Pain now against the last answer.")
    redness: bool = Field(description="The treated skin is red.")
    redness_trend: Trend = Field(description="Redness now against the last answer.")
    swelling: bool = Field(description="The treated skin is swollen.")
    eye_swollen_shut: bool = Field(description="An eye cannot be opened for the swelling.")
    blisters: bool = Field(description="There are blisters.")
    grouped_sores: bool = Field(description="Small sores or blisters stand in a group, as with a cold sore.")
    pus_or_yellow_crust: bool = Field(description="There is pus, or a yellow crust.")
    fever_celsius: float | None = Field(ge=30, le=45, description="Body temperature; null = not measured.")
    spreading_redness: bool = Field(description="The redness spreads beyond the treated skin.")
    confusion: bool = Field(description="The patient is confused.")
    open_areas: bool = Field(description="There are open areas.")
    oozing: bool = Field(description="The skin oozes.")
    crusts: bool = Field(description="There are crusts.")
    flaking: bool = Field(description="The skin flakes.")
    new_pigment_patches: bool = Field(description="There are new dark or light patches.")
    firm_or_raised_lines: bool = Field(description="There are firm or raised lines.")
    acne_like_spots: bool = Field(description="There are spots as with acne.")
    itching_rash: bool = Field(description="There is an itching rash.")
    missed_antiviral: bool = Field(description="A dose of the prescribed antiviral was missed; false where none was prescribed.")
    breathing_trouble: bool = Field(description="Breathing is hard.")
    face_or_tongue_swelling: bool = Field(description="Face or tongue swell.")
    vision_loss_or_severe_eye_pain: bool = Field(description="Sight is lost or worse, or an eye hurts badly.")
    seizure: bool = Field(description="There was a seizure.")
    anaesthetic_poisoning_signs: bool = Field(
        description="Tingling mouth, metallic taste, dizziness, ringing ears or drowsiness after the numbing cream."
    )
    words: str | None = Field(default=None, max_length=2000, description="In the patient's own words; kept sealed.")


class TriageView(View):
    """How the answer was judged, and what the patient is told."""

    treatment_id: UUID
    day: int
    level: LevelWord
    signs: list[str]
    action: str
    worst_level: LevelWord
    open_adverse_event_ids: list[UUID]
    version: int


class ClosedView(View):
    """The adverse events of a treatment that are still open."""

    treatment_id: UUID
    open_adverse_event_ids: list[UUID]
    version: int


@routes.query("GET", "/care-plans", name="listCarePlans", scope="aftercare:read", response=Page[CarePlanSummary],
              response_example={"items": [examples.SUMMARY], "next_cursor": None})  # fmt: skip
async def list_care_plans(call: Call, paging: Paging, patient_id: UUID | None = None) -> Page[CarePlanSummary]:
    """List care plans, of one patient if named."""
    async with call.reading() as conn:
        rows = await care_plans.care_plans(conn, patient_id, paging.after, paging.limit)
    return paging.page(rows, key=lambda row: (row["treated_on"], row["treatment_id"]))


@routes.query("GET", "/treatments/{treatment_id}/care-plan", name="getCarePlan", scope="aftercare:read", response=CarePlanView,
              response_example=examples.PLAN, as_recorded=AS_RECORDED)  # fmt: skip
async def get_care_plan(call: Call, treatment_id: UUID) -> CarePlanView:
    """Read the care plan of a treatment."""
    async with call.reading() as conn:
        plan = await care_plans.care_plan(conn, treatment_id)
        person = await patients.patient(conn, plan["patient_id"]) if plan else None
    if plan is None:
        raise TreatmentNotKnown
    return CarePlanView(**plan, patient_name=await call.open(person["name"]) if person else None)


@routes.query("GET", "/treatments/{treatment_id}/check-ins", name="listCheckIns", scope="aftercare:read", response=Page[CheckInView],
              response_example={"items": [examples.CHECK_IN], "next_cursor": None}, as_recorded=AS_RECORDED)  # fmt: skip
async def list_check_ins(call: Call, treatment_id: UUID, paging: Paging) -> Page[CheckInView]:
    """List the check-ins of a treatment by day."""
    async with call.reading() as conn:
        if await care_plans.care_plan(conn, treatment_id) is None:
            raise TreatmentNotKnown
        rows = await care_plans.check_ins(conn, treatment_id, paging.after, paging.limit)
    return paging.page(rows, key=lambda row: (row["day"],))


@routes.command("POST", "/treatments/{treatment_id}/check-in-answers", name="answerCheckIn", scope="aftercare:answer", status=201,
                request_example=examples.ANSWERS, response_example=examples.TRIAGE, response=TriageView,
                refusals=(TreatmentNotKnown, BeforeTreatment))  # fmt: skip
async def answer_check_in(call: Call, treatment_id: UUID, body: CheckInAnswersBody) -> TriageView:
    """Report how a patient is, asked or not; the answer says what to do.

    The day is counted by the clinic's own calendar. AMBER and RED open an adverse event, which suspends the patient's clearance.
    """
    state, _ = await call.state_of(CARE, treatment_id)
    if not isinstance(state, UnderCare):
        raise TreatmentNotKnown
    words = Personal(state.treatment.patient_id, body.words) if body.words else None
    command = AnswerCheckIn(
        at=call.now(), answers=Answers(**body.model_dump(exclude={"words"})), words=words, adverse_event_id=call.new_id()
    )
    return await call.execute(CARE, treatment_id, command, render=triage_view)


@routes.query("GET", "/adverse-events", name="listAdverseEvents", scope="aftercare:triage", response=Page[AdverseEventView],
              response_example={"items": [examples.ADVERSE_EVENT], "next_cursor": None})  # fmt: skip
async def list_adverse_events(call: Call, paging: Paging, open_only: bool = True) -> Page[AdverseEventView]:  # noqa: FBT001, FBT002
    """List adverse events, oldest first; those closed too with `open_only=false`."""
    async with call.reading() as conn:
        rows = await care_plans.adverse_events(conn, open_only, paging.after, paging.limit)
    return paging.page(rows, key=lambda row: (row["opened_on"], row["adverse_event_id"]))


@routes.command("POST", "/treatments/{treatment_id}/adverse-events/{adverse_event_id}/closure", name="closeAdverseEvent",
                scope="aftercare:triage", status=200, response_example=examples.CLOSED, response=ClosedView, changes=True,
                refusals=(TreatmentNotKnown, AdverseEventNotKnown))  # fmt: skip
async def close_adverse_event(call: Call, treatment_id: UUID, adverse_event_id: UUID) -> ClosedView:
    """Close an adverse event; the clearance stays suspended until a doctor reinstates it."""
    command = CloseAdverseEvent(at=call.now(), adverse_event_id=adverse_event_id, closed_by=call.principal.actor.id)
    return await call.execute(CARE, treatment_id, command, render=closed_view)


def triage_view(state: State, treatment_id: UUID, _: Opener) -> TriageView:
    """The last answer, as it stood at that version."""
    assert isinstance(state, UnderCare)
    assert state.answered
    last = state.answered[-1]
    return TriageView(
        treatment_id=treatment_id,
        day=last.day,
        level=last.level,
        signs=list(last.signs),
        action=RULES.triage[last.level].action,
        worst_level=state.level,
        open_adverse_event_ids=[event.adverse_event_id for event in state.open_adverse_events],
        version=state.version,
    )


def closed_view(state: State, treatment_id: UUID, _: Opener) -> ClosedView:
    """What is still open."""
    assert isinstance(state, UnderCare)
    return ClosedView(
        treatment_id=treatment_id,
        open_adverse_event_ids=[event.adverse_event_id for event in state.open_adverse_events],
        version=state.version,
    )
