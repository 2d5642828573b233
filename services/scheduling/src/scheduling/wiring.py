"""Scheduling on one page: slots that are legal, not just free."""

from erbium_kernel.service import Service
from erbium_kernel.subscribing import To
from scheduling import heard, published
from scheduling.deciders import CLINIC, ITINERARY, LASER, PRACTITIONER
from scheduling.http import clinics as clinic_routes
from scheduling.http import day_sheets, holds, slots
from scheduling.http import lasers as laser_routes
from scheduling.http import practitioners as practitioner_routes
from scheduling.http import visits as visit_routes
from scheduling.itinerary.commands import EndFreeze, ExpireHold, ReleaseProvisional
from scheduling.itinerary.decide import FIRM_BY, FREEZE_ENDS, HOLD_EXPIRES
from scheduling.projections import busy, clinics, lasers, patients, practitioners, visits
from scheduling.reactions.hear_screening import HEAR_SCREENING
from scheduling.reactions.hear_telemetry import HEAR_TREATMENTS, INSTALL_CLAIMED_LASER

SERVICE = Service(
    name="scheduling",
    deciders=(CLINIC, PRACTITIONER, LASER, ITINERARY),
    publishes=published.messages,
    heard=heard.HEARD,
    listens_to=("screening", "device-telemetry"),
    reactions=(HEAR_SCREENING, HEAR_TREATMENTS, INSTALL_CLAIMED_LASER),
    projections=(
        clinics.PROJECTION,
        practitioners.PROJECTION,
        lasers.PROJECTION,
        visits.PROJECTION,
        busy.PROJECTION,
        patients.PROJECTION,
    ),
    timers={
        HOLD_EXPIRES: lambda due, now: To(ITINERARY, due.stream_id, ExpireHold(hold_id=due.ref, at=now)),
        FIRM_BY: lambda due, now: To(ITINERARY, due.stream_id, ReleaseProvisional(visit_id=due.ref, at=now)),
        FREEZE_ENDS: lambda due, now: To(ITINERARY, due.stream_id, EndFreeze(visit_id=due.ref, at=now)),
    },
    erased_by=(heard.ERASED,),
    routes=(
        clinic_routes.routes,
        practitioner_routes.routes,
        laser_routes.routes,
        slots.routes,
        holds.routes,
        visit_routes.routes,
        day_sheets.routes,
    ),
)
