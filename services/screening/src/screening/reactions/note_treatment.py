"""A treatment record must be kept: the first word of it locks the patient's record."""

from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To
from screening.deciders import PATIENT
from screening.heard import TreatmentEnded, TreatmentStarted
from screening.patient.commands import NoteTreatment


def react(_: Envelope, heard: TreatmentStarted | TreatmentEnded) -> To:
    """Note it once, whichever is heard first."""
    noted = NoteTreatment(
        clinic_id=heard.clinic_id,
        treatment_id=heard.treatment_id,
        clearance_id=heard.clearance_id,
        modality=heard.modality,
        zones=heard.zones,
        treated_on=heard.on,
    )
    return To(PATIENT, heard.patient_id, noted)


REACTION = Reaction(
    name="screening.note-treatment",
    hears=frozenset({"erbium.device-telemetry.treatment-started", "erbium.device-telemetry.treatment-ended"}),
    react=react,
)
