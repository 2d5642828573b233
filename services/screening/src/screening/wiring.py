"""Screening by name: its aggregates, what it publishes and hears, its reactions, read tables, timers and doors."""

from datetime import datetime

from erbium_kernel.service import Service
from erbium_kernel.subscribing import Due, To
from screening.deciders import CLINIC, PATIENT
from screening.heard import HEARD
from screening.http import clearances as clearance_routes
from screening.http import erasure as erasure_routes
from screening.http import facts as fact_routes
from screening.http import known_facts as known_fact_routes
from screening.http import patients as patient_routes
from screening.http import preparations as preparation_routes
from screening.patient.commands import ExpireClearance
from screening.patient.decide import CLEARANCE_EXPIRES
from screening.projections import clearances, patients
from screening.published import messages
from screening.reactions import note_clinic, note_treatment, suspend_on_adverse_event, suspend_on_changes


def expire(due: Due, now: datetime) -> To:
    """The last day of a clearance is over."""
    return To(PATIENT, due.stream_id, ExpireClearance(clearance_id=due.ref, at=now))


SERVICE = Service(
    name="screening",
    deciders=(PATIENT, CLINIC),
    publishes=messages,
    heard=HEARD,
    listens_to=("scheduling", "device-telemetry", "aftercare"),
    reactions=(note_clinic.REACTION, note_treatment.REACTION, suspend_on_adverse_event.REACTION, suspend_on_changes.REACTION),
    projections=(patients.PROJECTION, clearances.PROJECTION),
    timers={CLEARANCE_EXPIRES: expire},
    erased_by=("patient-erased",),
    heartbeat=True,
    routes=(
        patient_routes.routes,
        fact_routes.routes,
        known_fact_routes.routes,
        preparation_routes.routes,
        clearance_routes.routes,
        erasure_routes.routes,
    ),
)
