"""An adverse event suspends every clearance of the patient until aftercare has closed it and a doctor reinstates."""

from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To
from screening.deciders import PATIENT
from screening.heard import AdverseEventClosed, AdverseEventOpened
from screening.patient.commands import NoteAdverseEvent, SettleAdverseEvent


def react(_: Envelope, heard: AdverseEventOpened | AdverseEventClosed) -> To:
    """Note it, or note that it is over."""
    if isinstance(heard, AdverseEventClosed):
        return To(PATIENT, heard.patient_id, SettleAdverseEvent(adverse_event_id=heard.adverse_event_id, closed_on=heard.on))
    noted = NoteAdverseEvent(
        clinic_id=heard.clinic_id,
        adverse_event_id=heard.adverse_event_id,
        treatment_id=heard.treatment_id,
        level=heard.level,
        opened_on=heard.opened_on,
    )
    return To(PATIENT, heard.patient_id, noted)


REACTION = Reaction(
    name="screening.suspend-on-adverse-event",
    hears=frozenset({"erbium.aftercare.adverse-event-opened", "erbium.aftercare.adverse-event-closed"}),
    react=react,
)
