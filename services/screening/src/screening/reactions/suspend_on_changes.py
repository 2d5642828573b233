"""A patient who says on the day of treatment that something has changed is not treated before a doctor has looked."""

from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To
from screening.deciders import PATIENT
from screening.heard import DayOfTreatmentAttested
from screening.patient.commands import NoteChanges


def react(envelope: Envelope, heard: DayOfTreatmentAttested) -> To | None:
    """Only changes are news. Units: the moment of the attestation is scheduling's domain time."""
    if not heard.changes:
        return None
    noted = NoteChanges(
        clinic_id=heard.clinic_id,
        attestation_id=envelope.event_id,
        visit_id=heard.visit_id,
        attested_on=heard.on,
        attested_at=envelope.occurred_at,
    )
    return To(PATIENT, heard.patient_id, noted)


REACTION = Reaction(name="screening.suspend-on-changes", hears=frozenset({"erbium.scheduling.day-of-treatment-attested"}), react=react)
