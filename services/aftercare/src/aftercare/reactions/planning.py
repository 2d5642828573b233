"""A treatment ended, or its totals are final: the plan follows what was delivered."""

from typing import Any

from aftercare.care.commands import Command, PlanCare
from aftercare.care.events import Basis, Delivered, Event, Treatment
from aftercare.care.state import State
from aftercare.heard import COMPLETED, ENDED, PARTIALLY_COMPLETED, TreatmentFact
from erbium_kernel.decider import Decider
from erbium_kernel.event import Envelope
from erbium_kernel.subscribing import Reaction, To

BASES: dict[str, Basis] = {ENDED: "ended", COMPLETED: "completed", PARTIALLY_COMPLETED: "partially_completed"}


def planning(care: Decider[Command, State, Event]) -> Reaction:
    """The reaction, deciding on this aggregate."""

    def react(envelope: Envelope, heard: Any) -> To:
        return To(care, heard.treatment_id, PlanCare(treatment=treatment_of(heard, BASES[envelope.type])))

    return Reaction(name="aftercare.plan-care", hears=frozenset(BASES), react=react)


def treatment_of(heard: TreatmentFact, basis: Basis) -> Treatment:
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
