"""Patients: register, list, read."""

from uuid import UUID

from erbium_kernel.http import Call, Page, Paging, Routes
from erbium_kernel.looking_back import AsRecorded
from erbium_kernel.personal import Personal
from screening.deciders import PATIENT
from screening.http import examples
from screening.http.acting import act_at, personal
from screening.http.bodies import RegisterPatientBody
from screening.http.rendering import patient_view
from screening.http.views import PatientView
from screening.patient.commands import RegisterPatient
from screening.patient.refusals import DateImpossible, PatientAlreadyRegistered, PatientUnknown
from screening.projections import patients

routes = Routes(tag="patients")
AS_RECORDED = AsRecorded(decider=PATIENT, by="patient_id", projections=(patients.PROJECTION,))


@routes.command("POST", "/patients", name="registerPatient", scope="screening:write", status=201, request_example=examples.REGISTER,
                response_example=examples.PATIENT, response=PatientView, refusals=(PatientAlreadyRegistered, DateImpossible))  # fmt: skip
async def register_patient(call: Call, body: RegisterPatientBody) -> PatientView:
    """Register a patient of the chain.

    Name, birth date and contact are sealed with a key of this person; washout periods follow the patient through all clinics of the chain.
    """
    patient_id = body.patient_id or call.new_id()
    act = await act_at(call, body.clinic_id, new_patient_id=patient_id)
    command = RegisterPatient(
        act=act, patient_id=patient_id, name=Personal(patient_id, body.name), birth_date=Personal(patient_id, body.birth_date.isoformat()),
        contact=personal(patient_id, body.contact),
    )  # fmt: skip
    return await call.execute(PATIENT, patient_id, command, render=patient_view, location=f"/v1/patients/{patient_id}")


@routes.query("GET", "/patients", name="listPatients", scope="screening:read", response=Page[PatientView],
              response_example={"items": [examples.PATIENT], "next_cursor": None})  # fmt: skip
async def list_patients(call: Call, paging: Paging) -> Page[PatientView]:
    """List the patients of the chain, by id."""
    async with call.reading() as conn:
        rows = await patients.patients(conn, paging.after, paging.limit)
    opener = await call.opener([row[name] for row in rows for name in ("name", "birth_date", "contact")])
    shown = [row | {name: opener(row[name]) for name in ("name", "birth_date", "contact")} for row in rows]
    return paging.page([PatientView(**row) for row in shown], key=lambda view: (view.patient_id,))


@routes.query("GET", "/patients/{patient_id}", name="getPatient", scope="screening:read", response=PatientView,
              response_example=examples.PATIENT, as_recorded=AS_RECORDED)  # fmt: skip
async def get_patient(call: Call, patient_id: UUID) -> PatientView:
    """Read one patient; the ETag is what changes need in If-Match."""
    async with call.reading() as conn:
        row = await patients.one_patient(conn, patient_id)
    if row is None:
        raise PatientUnknown
    return PatientView(**(row | {name: await call.open(row[name]) for name in ("name", "birth_date", "contact")}))
