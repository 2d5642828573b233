"""What is found out about a patient: outside procedures, answers, consultations. A fact that contradicts a clearance suspends it."""

from uuid import UUID

from erbium_kernel.errors import PersonErased, ReferenceNotFound
from erbium_kernel.http import Call, Routes
from screening.deciders import PATIENT, RULEBOOK
from screening.http import examples
from screening.http.acting import act_at, personal
from screening.http.bodies import AnswersBody, ConsultationBody, ProcedureBody, ReportProcedureBody
from screening.http.rendering import procedure, recorded
from screening.http.views import ProcedureView, QuestionnaireView, QuestionView, RecordedView
from screening.patient.commands import AnswerQuestionnaire, CorrectProcedure, HoldConsultation, Reply, ReportProcedure
from screening.patient.refusals import DateImpossible, DoctorOnly, IdTaken, WordUnknown
from screening.patient.state import Registered

routes = Routes(tag="facts")


@routes.command("POST", "/patients/{patient_id}/procedures", name="reportProcedure", scope="screening:write", status=201, changes=True,
                request_example=examples.REPORT, response_example=examples.PROCEDURE, response=ProcedureView,
                refusals=(IdTaken, DateImpossible, WordUnknown, PersonErased))  # fmt: skip
async def report_procedure(call: Call, patient_id: UUID, body: ReportProcedureBody) -> ProcedureView:
    """Report a procedure that was done elsewhere."""
    procedure_id = body.procedure_id or call.new_id()
    command = ReportProcedure(
        act=await act_at(call, body.clinic_id, patient_id), procedure_id=procedure_id, kind=body.kind, zones=tuple(body.zones),
        when=body.when(), performed_time_zone=body.performed_time_zone,
    )  # fmt: skip
    return await call.execute(PATIENT, patient_id, command, render=procedure(procedure_id))


@routes.command("POST", "/patients/{patient_id}/procedures/{procedure_id}/correction", name="correctProcedure", scope="screening:write",
                status=200, changes=True, request_example=examples.CORRECT, response_example=examples.CORRECTED, response=ProcedureView,
                refusals=(DateImpossible, WordUnknown, PersonErased))  # fmt: skip
async def correct_procedure(call: Call, patient_id: UUID, procedure_id: UUID, body: ProcedureBody) -> ProcedureView:
    """Correct what was reported about a procedure: this is what counts now."""
    command = CorrectProcedure(
        act=await act_at(call, body.clinic_id, patient_id), procedure_id=procedure_id, kind=body.kind, zones=tuple(body.zones),
        when=body.when(), performed_time_zone=body.performed_time_zone,
    )  # fmt: skip
    return await call.execute(PATIENT, patient_id, command, render=procedure(procedure_id))


@routes.command("POST", "/patients/{patient_id}/answers", name="recordAnswers", scope="screening:write", status=201, changes=True,
                request_example=examples.ANSWERS, response_example=examples.recorded(examples.ANSWERS_ID, 4), response=RecordedView,
                refusals=(IdTaken, DateImpossible, WordUnknown, PersonErased))  # fmt: skip
async def record_answers(call: Call, patient_id: UUID, body: AnswersBody) -> RecordedView:
    """Record what a patient answers now. What was never asked is unknown, never "no"; answers age."""
    answers_id = body.answers_id or call.new_id()
    if body.corrects is not None:
        await _must_know_answers(call, patient_id, body.corrects)
    replies = tuple(Reply(question=a.question, value=a.value, when=a.when(), zones=tuple(a.zones)) for a in body.answers)
    command = AnswerQuestionnaire(
        act=await act_at(call, body.clinic_id, patient_id), answers_id=answers_id, replies=replies, corrects=body.corrects
    )
    return await call.execute(PATIENT, patient_id, command, render=recorded(answers_id))


async def _must_know_answers(call: Call, patient_id: UUID, answers_id: UUID) -> None:
    state, _ = await call.state_of(PATIENT, patient_id)
    if isinstance(state, Registered) and answers_id not in state.answer_sets:
        raise ReferenceNotFound("This patient has no set of answers under this id.", pointer="/corrects")


@routes.command("POST", "/patients/{patient_id}/consultations", name="holdConsultation", scope="screening:decide", status=201,
                changes=True, request_example=examples.CONSULTATION, response_example=examples.recorded(examples.CONSULTATION_ID, 5),
                response=RecordedView, refusals=(IdTaken, DoctorOnly, WordUnknown, PersonErased))  # fmt: skip
async def hold_consultation(call: Call, patient_id: UUID, body: ConsultationBody) -> RecordedView:
    """Record a doctor's consultation, with the examination if there was one. The bearer of the token is the doctor."""
    consultation_id = body.consultation_id or call.new_id()
    command = HoldConsultation(
        act=await act_at(call, body.clinic_id, patient_id), consultation_id=consultation_id, skin_type=body.skin_type,
        findings=tuple(body.findings), note=personal(patient_id, body.note), corrects=body.corrects,
    )  # fmt: skip
    return await call.execute(PATIENT, patient_id, command, render=recorded(consultation_id))


@routes.query("GET", "/questionnaire", name="getQuestionnaire", scope="screening:read", response=QuestionnaireView,
              response_example=examples.QUESTIONNAIRE)  # fmt: skip
async def get_questionnaire(call: Call) -> QuestionnaireView:
    """Read the questions that the rules in force need answered."""
    questions = [
        QuestionView(id=q.id, version=q.version, text=q.text, values=list(q.values), dated_values=sorted(q.dated), date_means=q.date_means)
        for q in RULEBOOK.questions.values()
    ]
    return QuestionnaireView(rulebook_version=RULEBOOK.version, questions=questions)
