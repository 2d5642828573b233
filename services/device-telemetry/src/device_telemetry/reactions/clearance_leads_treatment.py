"""From the clearance's stream to the treatment's: it opens, pauses and stops in the order in which the clearance's stream says so.

Why one reaction for all: two would each have a checkpoint of its own, and a pause could arrive before the opening.
"""

from typing import Any

from device_telemetry.clearance.events import LateDeliveryHeard, ReinstatementHeard, RevocationHeard, SuspensionHeard, TreatmentBound
from device_telemetry.treatment.commands import HoldTreatment, LiftSuspension, TakeUpBinding
from device_telemetry.treatment.decide import TREATMENT
from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To


def react(envelope: Envelope, record: Any) -> To | None:
    """Nothing where no treatment was open."""
    if isinstance(record, TreatmentBound):
        return To(TREATMENT, record.binding.ids.treatment_id, TakeUpBinding(binding=record.binding))
    if record.treatment_id is None:
        return None
    at = envelope.occurred_at
    match record:
        case SuspensionHeard():
            pause = HoldTreatment(command="PAUSE", cause="clearance_suspended", breach=None, at=at)
            return To(TREATMENT, record.treatment_id, pause)
        case RevocationHeard():
            stop = HoldTreatment(command="STOP", cause="clearance_revoked", breach=None, at=at)
            return To(TREATMENT, record.treatment_id, stop)
        case LateDeliveryHeard():
            stop = HoldTreatment(command="STOP", cause="earlier_delivery", breach=None, at=at)
            return To(TREATMENT, record.treatment_id, stop)
        case ReinstatementHeard():
            return To(TREATMENT, record.treatment_id, LiftSuspension(at=at))
        case _:
            return None


CLEARANCE_LEADS_TREATMENT = Reaction(
    name="device-telemetry.clearance-leads-treatment",
    hears=frozenset(
        {
            "treatment-bound",
            "clearance-suspension-heard",
            "clearance-reinstatement-heard",
            "clearance-revocation-heard",
            "late-delivery-heard",
        }
    ),
    react=react,
)
