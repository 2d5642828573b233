"""A treatment that delivers, or is over, is told to the clearance's stream: another may open there, or none, if this one delivered."""

from typing import Any

from device_telemetry.clearance.commands import CloseTreatment, NoteDelivery
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.treatment.events import TreatmentAborted, TreatmentStarted
from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To


def react(_: Envelope, record: Any) -> To | None:
    """An end always follows a delivery; an abortion alone only if nothing was delivered."""
    if isinstance(record, TreatmentAborted) and record.delivered:
        return None  # its end comes with it
    if isinstance(record, TreatmentStarted):
        return To(CLEARANCE, record.ids.clearance_id, NoteDelivery(treatment_id=record.ids.treatment_id))
    closed = CloseTreatment(treatment_id=record.ids.treatment_id, delivered=not isinstance(record, TreatmentAborted))
    return To(CLEARANCE, record.ids.clearance_id, closed)


TREATMENT_FREES_CLEARANCE = Reaction(
    name="device-telemetry.treatment-frees-clearance",
    hears=frozenset({"treatment-started", "treatment-ended", "treatment-aborted"}),
    react=react,
)
