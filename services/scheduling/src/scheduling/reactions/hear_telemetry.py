"""What telemetry says: a laser stands at a clinic; a treatment started, so its after-windows run from that day."""

from typing import Any

from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To
from scheduling import heard
from scheduling.itinerary.commands import HearTreatment
from scheduling.laser.commands import InstallLaser
from scheduling.laser.decide import LASER
from scheduling.reactions.hear_screening import ItineraryDecider

TREATMENTS = frozenset({"erbium.device-telemetry.treatment-started", "erbium.device-telemetry.treatment-ended"})


def install_claimed_laser() -> Reaction:
    """A claimed laser becomes bookable at its clinic."""
    return Reaction(name="scheduling.install-claimed-laser", hears=frozenset({"erbium.device-telemetry.device-claimed"}), react=_install)


def _install(_: Envelope, record: heard.DeviceClaimed) -> To:
    command = InstallLaser(
        device_id=record.device_id, clinic_id=record.clinic_id, model=record.model, modalities=tuple(sorted(record.modalities))
    )
    return To(LASER, record.device_id, command)


def hear_treatments(itinerary: ItineraryDecider) -> Reaction:
    """A treatment counts on its real date, whatever was booked."""

    def react(envelope: Envelope, record: Any) -> To:
        command = HearTreatment(
            heard_id=envelope.event_id,
            treatment_id=record.treatment_id,
            visit_id=record.visit_id,
            clinic_id=record.clinic_id,
            modality=record.modality,
            zones=record.zones,
            on=record.on,
            at=envelope.occurred_at,
        )
        return To(itinerary, record.patient_id, command)

    return Reaction(name="scheduling.hear-treatments", hears=TREATMENTS, react=react)
