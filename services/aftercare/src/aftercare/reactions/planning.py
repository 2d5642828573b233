"""A treatment ended, or its totals are final: the plan follows what was delivered."""

from aftercare.care.commands import PlanCare
from aftercare.care.events import Basis, Delivered, Treatment
from aftercare.deciders import CARE
from aftercare.heard import COMPLETED, ENDED, PARTIALLY_COMPLETED, TreatmentFact
from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To

BASES: dict[str, Basis] = {ENDED: "ended", COMPLETED: "completed", PARTIALLY_COMPLETED: "partially_completed"}


def react(envelope: Envelope, heard: TreatmentFact) -> To:
    """Planned anew with each of the three."""
    return To(CARE, heard.treatment_id, PlanCare(treatment=_treatment(heard, BASES[envelope.type])))


def _treatment(heard: TreatmentFact, basis: Basis) -> Treatment:
    """The heard fact in our own words."""
    return Treatment(
        treatment_id=heard.treatment_id,
        patient_id=heard.patient_id,
        clinic_id=heard.clinic_id,
        time_zone=heard.time_zone,
        modality=heard.modality,
        treated_on=heard.on,
        basis=basis,
        delivered=tuple(
            Delivered(zone=zone.zone, mtz_count=zone.mtz_count, energy_j=zone.energy_j, coverage_percent=zone.coverage_percent)
            for zone in heard.totals
        ),
    )


REACTION = Reaction(name="aftercare.plan-care", hears=frozenset(BASES), react=react)
