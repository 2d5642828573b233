"""Screening's facts about a clearance are appended to its own stream here: that is what "heard" means."""

from typing import Any

from device_telemetry.clearance.commands import Change, HearChange, HearGrant
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.freshness import GUARDING
from device_telemetry.heard import ClearanceExpired, ClearanceGranted, ClearanceReinstated, ClearanceRevoked, ClearanceSuspended
from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To

CHANGES: dict[type, Change] = {
    ClearanceSuspended: "suspended",
    ClearanceReinstated: "reinstated",
    ClearanceRevoked: "revoked",
    ClearanceExpired: "expired",
}


def react(_: Envelope, record: Any) -> To | None:
    """Never refused: what was heard is recorded."""
    if isinstance(record, ClearanceGranted):
        grant = HearGrant(**{name: getattr(record, name) for name in HearGrant.__slots__})
        return To(CLEARANCE, record.clearance_id, grant)
    change = HearChange(clearance_id=record.clearance_id, patient_id=record.patient_id, change=CHANGES[type(record)])
    return To(CLEARANCE, record.clearance_id, change)


HEAR_CLEARANCE = Reaction(
    name=GUARDING,
    hears=frozenset(
        {
            "erbium.screening.clearance-granted",
            "erbium.screening.clearance-suspended",
            "erbium.screening.clearance-reinstated",
            "erbium.screening.clearance-revoked",
            "erbium.screening.clearance-expired",
        }
    ),
    react=react,
)
