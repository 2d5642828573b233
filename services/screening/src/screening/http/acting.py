"""On whom, where and by whom it is acted: the clinic's time zone comes from our own stream of the clinic, never from a read table."""

from uuid import UUID

from erbium_kernel.errors import PersonErased, ReferenceNotFound
from erbium_kernel.http import Call
from erbium_kernel.personal import Personal
from screening.deciders import CLINIC, PATIENT
from screening.patient.commands import Act
from screening.patient.refusals import PatientUnknown
from screening.patient.state import Erased, Registered


class ClinicUnknown(ReferenceNotFound):
    """Screening has not heard of this clinic, so it does not know the date there."""

    do = "Register the clinic in scheduling first. If that was a moment ago, send the same request again."


async def the_patient(call: Call, patient_id: UUID) -> tuple[Registered, int]:
    """The record and its version. Raises: PatientUnknown, PersonErased."""
    state, version = await call.state_of(PATIENT, patient_id)
    if isinstance(state, Erased):
        raise PersonErased
    if not isinstance(state, Registered):
        raise PatientUnknown
    return state, version


async def act_at(call: Call, clinic_id: UUID, patient_id: UUID | None = None, *, new_patient_id: UUID | None = None) -> Act:
    """The act of this request, on this patient where the address names one, or on one who is registered by it.

    Raises: Faulty (403) if the token does not cover the clinic; ClinicUnknown, or NotFound if there is no such patient either.
    """
    call.at_clinic(clinic_id)
    on = patient_id or new_patient_id
    clinic, _ = await call.state_of(CLINIC, clinic_id, ahead=(PATIENT, on) if on else None)
    if clinic is None and patient_id is not None:
        async with call.naming(PATIENT, patient_id):
            raise ClinicUnknown(pointer="/clinic_id")
    if clinic is None:
        raise ClinicUnknown(pointer="/clinic_id")
    return Act(clinic_id=clinic_id, time_zone=clinic.time_zone, at=call.now(), by=call.actor_id, roles=call.principal.roles)


def personal(patient_id: UUID, text: str | None) -> Personal | None:
    """Text about this patient, to be sealed with the patient's key."""
    return Personal(patient_id, text) if text else None
