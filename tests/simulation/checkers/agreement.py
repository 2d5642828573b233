"""When everything rests, every service says the same of a clearance, of a treatment and of a patient."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from device_telemetry.treatment.state import Ended, Running, Settled
from screening.patient.state import Erased, Registered
from tests.simulation.turns import Broken

if TYPE_CHECKING:
    from tests.simulation.world import World


def check_agreement_at_rest(world: "World") -> None:
    """Raises: Broken."""
    for patient_id, patient in world.watch.seen["screening"].of("patient"):
        itinerary = world.watch.seen["scheduling"].state("itinerary", patient_id)
        if itinerary.closed != isinstance(patient, Erased):
            raise Broken(f"agreement: the itinerary of {patient_id} is closed: {itinerary.closed}, screening has {type(patient).__name__}")
        if isinstance(patient, Registered):
            _clearances(world, patient, itinerary)
    _treatments(world)


def _clearances(world: "World", patient: Registered, itinerary: Any) -> None:
    telemetry = world.watch.seen["device-telemetry"]
    for clearance_id, clearance in patient.clearances.items():
        booked = itinerary.clearances.get(clearance_id)
        if booked is None or booked.status != clearance.standing:
            raise Broken(
                f"agreement: {clearance_id} is {clearance.standing}, scheduling has {booked.status if booked else 'never heard of it'}"
            )
        guarded = telemetry.state("clearance", clearance_id)
        standing = guarded.ended or ("suspended" if guarded.suspended else "valid")
        if guarded.grant is None or standing != clearance.standing:
            raise Broken(f"agreement: {clearance_id} is {clearance.standing}, telemetry has {standing if guarded.grant else 'no grant'}")


def _treatments(world: "World") -> None:
    """Once begun, a treatment is known to screening, blocks its days in scheduling, and has a care plan when it has ended."""
    for treatment_id, treatment in world.watch.seen["device-telemetry"].of("treatment"):
        if not isinstance(treatment, Running | Ended | Settled):
            continue
        patient_id: UUID = treatment.binding.ids.patient_id
        patient = world.watch.seen["screening"].state("patient", patient_id)
        if isinstance(patient, Registered) and treatment_id not in patient.treatments:
            raise Broken(f"agreement: screening does not know of the treatment {treatment_id}")
        itinerary = world.watch.seen["scheduling"].state("itinerary", patient_id)
        if not itinerary.closed and treatment_id not in itinerary.treatments:
            raise Broken(f"agreement: scheduling does not know of the treatment {treatment_id}")
        care = world.watch.seen["aftercare"].states.get(f"care-{treatment_id}")
        if not isinstance(treatment, Running) and care is None:
            raise Broken(f"agreement: the treatment {treatment_id} has ended, and aftercare has no plan")
