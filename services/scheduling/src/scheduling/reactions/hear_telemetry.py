"""What telemetry says: a laser stands at a clinic; a treatment started, so its after-windows run from that day."""

from typing import Any

from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To
from scheduling import heard
from scheduling.deciders import ITINERARY, LASER
from scheduling.itinerary.commands import HearTreatment
from scheduling.laser.commands import InstallLaser


def install(_: Envelope, record: heard.DeviceClaimed) -> To:
    """A claimed laser becomes bookable at its clinic."""
    command = InstallLaser(
        device_id=record.device_id, clinic_id=record.clinic_id, model=record.model, modalities=tuple(sorted(record.modalities))
    )
    return To(LASER, record.device_id, command)


def hear(envelope: Envelope, record: Any) -> To:
    """A treatment counts on its real date, whatever was booked."""
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
    return To(ITINERARY, record.patient_id, command)


INSTALL_CLAIMED_LASER = Reaction(
    name="scheduling.install-claimed-laser", hears=frozenset({"erbium.device-telemetry.device-claimed"}), react=install
)
HEAR_TREATMENTS = Reaction(
    name="scheduling.hear-treatments",
    hears=frozenset({"erbium.device-telemetry.treatment-started", "erbium.device-telemetry.treatment-ended"}),
    react=hear,
)
