"""What a patient does next: the sensible thing, or something else. Decided from what stands, so that any item of a plan may be left out."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from device_telemetry.treatment.state import Opened, Running
from scheduling.itinerary.state import Firm
from screening.patient.decision_events import ClearanceDeferred
from screening.patient.state import Erased, Registered
from tests.simulation.clients import Ask
from tests.simulation.desks import aftercare_desk, scheduling_desk, screening_desk, telemetry_desk
from tests.simulation.people import PATIENTS

if TYPE_CHECKING:
    from tests.simulation.world import World

Otherwise = Callable[["World", random.Random, int], Ask | None]
NOISE: Final[dict[str, Otherwise]] = {
    "examine": screening_desk.examine,
    "answer": screening_desk.answer,
    "report-procedure": screening_desk.report_procedure,
    "correct-procedure": screening_desk.correct_procedure,
    "request-clearance": screening_desk.request_clearance,
    "reinstate": screening_desk.reinstate,
    "revoke": screening_desk.revoke,
    "hold": scheduling_desk.hold,
    "book": scheduling_desk.book,
    "give-back": scheduling_desk.give_back,
    "move": scheduling_desk.move,
    "cancel": scheduling_desk.cancel,
    "fault": telemetry_desk.fault,
    "open-anyway": telemetry_desk.open_anyway,
    "abort": telemetry_desk.abort,
    "resume": telemetry_desk.resume,
    "answer-check-in": aftercare_desk.answer,
    "close-event": aftercare_desk.close_event,
    "goodbye": screening_desk.goodbye,
}
SOON: Final = (0, 1, 1, 2, 3)  # days
EARLY: Final = timedelta(minutes=20)  # patients come a little before their visit
DOUBTED: Final = 0.12  # how often somebody learns something while the laser works
ENDS: Final = 0.4  # how often the next thing in a running treatment is its end
AGAIN: Final = 0.3  # how often what was refused begins with another look
CLOCK_MOVED: Final = 0.6  # how often the next sensible thing is to let time pass until the next visit


def next_step(world: "World", chance: random.Random, who: int) -> Ask | datetime | None:
    """The patient's next request, or the domain time to let pass first; None = wait for others."""
    patient = world.watch.seen["screening"].state("patient", PATIENTS[who])
    if isinstance(patient, Erased):
        return None
    if not isinstance(patient, Registered):
        return screening_desk.register(world, chance, who)
    if telemetry_desk.treatments_of(world, who, Opened, Running):
        return _treating(world, chance, who)
    if cares := aftercare_desk.cares_of(world, who):
        return _cared_for(world, chance, who, cares)
    if not any(clearance.standing == "valid" for clearance in patient.clearances.values()):
        return _to_be_cleared(world, chance, who, patient)
    return _to_be_treated(world, chance, who)


def _treating(world: "World", chance: random.Random, who: int) -> Ask | None:
    """A laser needs no request of its own: it sends by itself."""
    if chance.random() < DOUBTED:
        _, treatment = telemetry_desk.treatments_of(world, who, Opened, Running)[0]
        return screening_desk.doubt(world, chance, who, treatment.binding.ids.clearance_id)
    running = telemetry_desk.treatments_of(world, who, Running)
    if running and chance.random() < ENDS:
        return telemetry_desk.end(world, chance, who)
    telemetry_desk.deliver(world, chance, who)
    return None


def _cared_for(world: "World", chance: random.Random, who: int, cares: Any) -> Ask | datetime | None:
    due: list[datetime] = [
        at for _, care in cares for day, at in zip(care.check_in_days, care.check_ins_due_at, strict=True) if day not in care.opened_days
    ]
    if due and chance.random() < CLOCK_MOVED:
        return min(due)
    return aftercare_desk.answer(world, chance, who)


def _to_be_cleared(world: "World", chance: random.Random, who: int, patient: Registered) -> Ask | datetime | None:
    suspended = any(clearance.standing == "suspended" for clearance in patient.clearances.values())
    if suspended and chance.random() < 0.7:
        return chance.choice((screening_desk.reinstate, screening_desk.answer, screening_desk.revoke))(world, chance, who)
    if not patient.examinations or (patient.denials and chance.random() < AGAIN):
        return screening_desk.examine(world, chance, who)
    if not patient.answer_sets or (patient.denials and chance.random() < AGAIN):
        return screening_desk.answer(world, chance, who)
    last = list(patient.denials.values())[-1] if patient.denials else None
    if isinstance(last, ClearanceDeferred) and last.until is not None and chance.random() < CLOCK_MOVED:
        return datetime.combine(last.until, time(12), UTC)
    return screening_desk.request_clearance(world, chance, who)


def _to_be_treated(world: "World", chance: random.Random, who: int) -> Ask | datetime | None:
    itinerary = world.watch.seen["scheduling"].state("itinerary", PATIENTS[who])
    cleared = [clearance for clearance in itinerary.clearances.values() if clearance.status == "valid"]
    if not cleared:
        return None  # scheduling has yet to hear of it
    if cleared[-1].valid_until <= scheduling_desk.some_day(world):
        return screening_desk.request_clearance(world, chance, who)
    visits = [visit for visit in itinerary.visits.values() if visit.wanted.kind == "laser" and isinstance(visit.standing, Firm)]
    if not visits:
        if itinerary.holds:
            return scheduling_desk.book(world, chance, who)
        wanted = replace(scheduling_desk.FACE_LASER, zones=cleared[-1].zones)
        return scheduling_desk.hold(world, chance, who, wanted, SOON, cleared[-1].valid_from)
    visit = min(visits, key=lambda one: (one.slot.starts_at, one.visit_id))
    if scheduling_desk.today(world, visit) < visit.slot.on:
        return visit.slot.starts_at - EARLY if chance.random() < CLOCK_MOVED else None
    if scheduling_desk.today(world, visit) > visit.slot.on:
        return scheduling_desk.cancel(world, chance, who)
    return _at_the_door(world, chance, who, visit, itinerary)


def _at_the_door(world: "World", chance: random.Random, who: int, visit: Any, itinerary: Any) -> Ask | None:
    clearance = itinerary.clearances.get(visit.standing.clearance_id)
    if not visit.checked_in:
        if clearance is not None and clearance.examined_on == visit.slot.on and not visit.same_day_approved:
            return scheduling_desk.approve_same_day(world, who, visit.visit_id)
        return scheduling_desk.check_in(world, who, visit.visit_id)
    if visit.changes is None:
        return scheduling_desk.attest(world, chance, who, visit.visit_id)
    guarded = world.watch.seen["device-telemetry"].state("clearance", visit.standing.clearance_id or visit.visit_id)
    heard = guarded.visit(visit.visit_id)
    if clearance is None or heard.check_in is None or not heard.attestations:
        return None  # telemetry has yet to hear of it
    laser = world.watch.seen["device-telemetry"].state("device", visit.slot.device_id)
    if laser.locked_out is not None:
        return telemetry_desk.release(visit.slot.device_id)
    return telemetry_desk.open_treatment(world, chance, heard.check_in, clearance.clearance_id)
