"""What must have begun before a treatment: test spots, antivirals, priming."""

from uuid import UUID

from erbium_kernel.errors import PersonErased
from erbium_kernel.http import Call, Routes
from screening.deciders import PATIENT
from screening.http import examples
from screening.http.acting import act_at
from screening.http.bodies import PreconditionBody, TestSpotBody, TestSpotReadingBody
from screening.http.rendering import recorded
from screening.http.views import RecordedView
from screening.patient.commands import PlaceTestSpot, ReadTestSpot, RecordPrecondition
from screening.patient.refusals import IdTaken, WordUnknown

routes = Routes(tag="preparations")


@routes.command("POST", "/patients/{patient_id}/test-spots", name="placeTestSpot", scope="screening:examine", status=201, changes=True,
                request_example=examples.SPOT, response_example=examples.recorded(examples.SPOT_ID, 6), response=RecordedView,
                refusals=(IdTaken, WordUnknown, PersonErased))  # fmt: skip
async def place_test_spot(call: Call, patient_id: UUID, body: TestSpotBody) -> RecordedView:
    """Record a test spot, treated today."""
    spot_id = body.spot_id or call.new_id()
    command = PlaceTestSpot(act=await act_at(call, body.clinic_id, patient_id), spot_id=spot_id, modality=body.modality, zone=body.zone)
    return await call.execute(PATIENT, patient_id, command, render=recorded(spot_id))


@routes.command("POST", "/patients/{patient_id}/test-spots/{spot_id}/reading", name="readTestSpot", scope="screening:examine", status=200,
                changes=True, request_example=examples.SPOT_READING, response_example=examples.recorded(examples.SPOT_ID, 7),
                response=RecordedView, refusals=(PersonErased,))  # fmt: skip
async def read_test_spot(call: Call, patient_id: UUID, spot_id: UUID, body: TestSpotReadingBody) -> RecordedView:
    """Record what a test spot shows. The last reading of a day counts, and of several days the worst: pigment that fades was there."""
    command = ReadTestSpot(act=await act_at(call, body.clinic_id, patient_id), spot_id=spot_id, reading=body.reading)
    return await call.execute(PATIENT, patient_id, command, render=recorded(spot_id))


@routes.command("POST", "/patients/{patient_id}/preconditions", name="recordPrecondition", scope="screening:examine", status=201,
                changes=True, request_example=examples.PRECONDITION, response_example=examples.recorded(examples.PRECONDITION_ID, 8),
                response=RecordedView, refusals=(IdTaken, PersonErased))  # fmt: skip
async def record_precondition(call: Call, patient_id: UUID, body: PreconditionBody) -> RecordedView:
    """Record a prescribed antiviral, or the begin of priming."""
    precondition_id = body.precondition_id or call.new_id()
    command = RecordPrecondition(
        act=await act_at(call, body.clinic_id, patient_id), precondition_id=precondition_id, kind=body.kind, starts_on=body.starts_on,
        corrects=body.corrects,
    )  # fmt: skip
    return await call.execute(PATIENT, patient_id, command, render=recorded(precondition_id))
