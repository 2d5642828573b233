"""Who acts where: the clinic's time zone comes from our own stream of the clinic, never from a read table."""

from uuid import UUID

from erbium_kernel.errors import NotFound
from erbium_kernel.http import Call
from erbium_kernel.personal import Personal
from screening.deciders import CLINIC
from screening.patient.commands import Act


class ClinicUnknown(NotFound):
    """Screening has not heard of this clinic yet, so it does not know its local date."""

    do = "Register the clinic in scheduling first; if that was just now, send the request again in a moment."


async def act_at(call: Call, clinic_id: UUID) -> Act:
    """The act of this request. Raises: Faulty (403) if the token does not cover the clinic; ClinicUnknown."""
    call.at_clinic(clinic_id)
    clinic, _ = await call.state_of(CLINIC, clinic_id)
    if clinic is None:
        raise ClinicUnknown
    return Act(clinic_id=clinic_id, time_zone=clinic.time_zone, at=call.now(), by=call.actor_id, roles=call.principal.roles)


def personal(patient_id: UUID, text: str | None) -> Personal | None:
    """Text about this patient, to be sealed with the patient's key."""
    return Personal(patient_id, text) if text else None
