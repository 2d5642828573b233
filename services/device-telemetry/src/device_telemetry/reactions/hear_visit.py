"""Scheduling's facts about a visit are appended to the stream of the clearance it is under. A visit without one needs no laser."""

from typing import Any

from device_telemetry.clearance.commands import ClearanceCommand, HearAttestation, HearCheckIn, HearSameDayApproval
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.freshness import ATTENDING
from device_telemetry.heard import DayOfTreatmentAttested, SameDayApproved, VisitCheckedIn
from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To

COMMANDS: dict[type, type[ClearanceCommand]] = {
    VisitCheckedIn: HearCheckIn,
    DayOfTreatmentAttested: HearAttestation,
    SameDayApproved: HearSameDayApproval,
}


def react(_: Envelope, record: Any) -> To | None:
    """Never refused: what was heard is recorded."""
    if record.clearance_id is None:
        return None
    kind: Any = COMMANDS[type(record)]
    return To(CLEARANCE, record.clearance_id, kind(**{name: getattr(record, name) for name in kind.__slots__}))


HEAR_VISIT = Reaction(
    name=ATTENDING,
    hears=frozenset(
        {
            "erbium.scheduling.visit-checked-in",
            "erbium.scheduling.day-of-treatment-attested",
            "erbium.scheduling.same-day-approved",
        }
    ),
    react=react,
)
