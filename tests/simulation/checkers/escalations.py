"""No escalation is lost or lowered: what a patient answered has its level, and others hear of it."""

from typing import TYPE_CHECKING, Any

from aftercare.care.state import UnderCare
from aftercare.rules import LEVELS
from screening.patient.state import Registered
from tests.simulation.turns import Broken
from tests.simulation.watch import Happened, Seen

if TYPE_CHECKING:
    from tests.simulation.world import World

ALARMING = ("AMBER", "RED")


def check_level(happened: Happened) -> None:
    """A level is never lowered. Raises: Broken."""
    before, after = LEVELS.index(happened.before.level), LEVELS.index(happened.after.level)
    if after < max(before, LEVELS.index(happened.record.level)):
        raise Broken(f"escalation: {happened.before.level} became {happened.after.level} at an answer of {happened.record.level}")


def check_opened(_: "World", seen: Seen, __: Any, fresh: list[Any]) -> None:
    """AMBER and RED answers have an adverse event of at least their level, in the same commit. Raises: Broken."""
    for row in fresh:
        if row.envelope.type == "check-in-answered":
            level = seen.by_id[row.envelope.event_id].record.level
            events = seen.states[row.envelope.stream].adverse_events
            if level in ALARMING and not any(LEVELS.index(event.level) >= LEVELS.index(level) for event in events):
                raise Broken(f"escalation: an answer of {level} opened no adverse event")


def check_escalations_at_rest(world: "World") -> None:
    """Screening knows of every adverse event; while one is open, no clearance of the patient is valid. Raises: Broken."""
    screening = world.watch.seen["screening"]
    for _, care in world.watch.seen["aftercare"].of("care"):
        if not isinstance(care, UnderCare):
            continue
        patient = screening.state("patient", care.treatment.patient_id)
        if not isinstance(patient, Registered):
            continue
        closed = {event.adverse_event_id for event in care.closed}
        for event in care.adverse_events:
            if event.adverse_event_id not in patient.adverse_events:
                raise Broken(f"escalation: screening never noted the adverse event {event.adverse_event_id}")
            if (event.adverse_event_id in closed) != (event.adverse_event_id in patient.settled):
                raise Broken(f"escalation: the adverse event {event.adverse_event_id} is closed here and not there")
            valid = [id_ for id_, clearance in patient.clearances.items() if clearance.standing == "valid"]
            if event.adverse_event_id not in closed and valid:
                raise Broken(f"escalation: the clearance {valid[0]} stands valid while the adverse event {event.adverse_event_id} is open")
