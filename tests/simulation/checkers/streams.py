"""What each service's own streams forbid: nothing about the erased, nobody arrives uncleared, one treatment per laser, no valid doubt."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from device_telemetry.clearance.events import TreatmentBound
from device_telemetry.treatment.state import Opened, Running
from erbium_kernel.clinical_dates import local_date
from scheduling.itinerary.events import VisitBooked, VisitCheckedIn, VisitMadeFirm, VisitMoved
from screening.deciders import RULEBOOK
from screening.facts import Plan
from screening.patient.state import Erased, Registered
from screening.rules import outcome_of
from tests.simulation.checkers.deferrals import BORN
from tests.simulation.people import CLINICS
from tests.simulation.turns import Broken
from tests.simulation.watch import Happened

if TYPE_CHECKING:
    from tests.simulation.world import World


def check_nothing_after_the_end(happened: Happened) -> None:
    """An erased patient's stream, and a closed itinerary, take nothing more. Raises: Broken."""
    before = happened.before
    if isinstance(before, Erased) or getattr(before, "closed", None) is True:
        raise Broken(f"erasure: {type(happened.record).__name__} after the end of {happened.told.row.envelope.stream}")


def check_cleared(happened: Happened) -> None:
    """A laser visit is firm, and a patient checked in, under a clearance that this itinerary has heard valid. Raises: Broken."""
    record: VisitBooked | VisitMoved | VisitMadeFirm | VisitCheckedIn = happened.record
    if record.clearance_id is None:
        visit = happened.after.visits.get(record.visit_id)
        if visit is not None and visit.wanted.kind == "laser" and getattr(record, "firm_by", None) is None:
            raise Broken(f"clearance: {type(record).__name__} of a laser visit without one")
        return
    clearance = happened.after.clearances.get(record.clearance_id)
    if clearance is None or clearance.status != "valid":
        raise Broken(f"clearance: {type(record).__name__} under one that is {clearance.status if clearance else 'unheard'}")


def check_one_treatment_per_laser(happened: Happened) -> None:
    """Raises: Broken if the laser of a treatment that opens is in another one."""
    bound: TreatmentBound = happened.record
    ids = bound.binding.ids
    for treatment_id, treatment in happened.seen.of("treatment"):
        if treatment_id == ids.treatment_id or not _holds_laser(treatment):
            continue
        if treatment.binding.ids.device_id == ids.device_id:
            raise Broken(f"R3: the laser {ids.device_id} is in {treatment_id} when {ids.treatment_id} opens")


def _holds_laser(treatment: Any) -> bool:
    return isinstance(treatment, Opened) or (isinstance(treatment, Running) and treatment.holds_device)


def check_suspensions_at_rest(world: "World") -> None:
    """A running treatment whose clearance is suspended is held; a valid clearance is one that the rules still grant. Raises: Broken."""
    telemetry = world.watch.seen["device-telemetry"]
    for treatment_id, treatment in telemetry.of("treatment"):
        if _holds_laser(treatment):  # one that began after it had been given up is told STOP for that
            clearance = telemetry.state("clearance", treatment.binding.ids.clearance_id)
            if clearance.suspended and "clearance_suspended" not in treatment.watch.holds:
                raise Broken(f"clearance: {treatment_id} goes on, and its clearance is suspended")
            if clearance.ended == "revoked" and "clearance_revoked" not in treatment.watch.holds:
                raise Broken(f"clearance: {treatment_id} goes on, and its clearance is revoked")
    for patient_id, patient in world.watch.seen["screening"].of("patient"):
        if isinstance(patient, Registered):
            _still_granted(world, patient_id, patient)


def _still_granted(world: "World", patient_id: UUID, patient: Registered) -> None:
    # Of the clinic furthest ahead: a fact is judged on the day of the clinic that tells it, which may be the next day already.
    now = world.watch.seen["screening"].site.clock.now()
    today = max(local_date(now, clinic.time_zone) for clinic in CLINICS)
    facts = replace(patient.facts, birth_date=BORN)
    for clearance_id, clearance in patient.clearances.items():
        granted = clearance.granted
        day = max(today, granted.valid_from)
        if clearance.standing != "valid" or day > granted.valid_until:
            continue
        outcome = outcome_of(RULEBOOK, facts, Plan(modality=granted.modality, zones=granted.zones, on=day), today)
        if outcome != "CLEARED":
            raise Broken(f"clearance: {clearance_id} of {patient_id} stands valid, and on {day} the rules say {outcome}")
