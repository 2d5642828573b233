"""Aftercare on one page: what happens to the patient afterwards."""

from aftercare import heard, published
from aftercare.care.commands import OpenCheckIn
from aftercare.care.decide import CHECK_IN_DUE
from aftercare.deciders import CARE
from aftercare.http import care
from aftercare.projections import care_plans, patients
from aftercare.reactions import planning
from erbium_kernel.service import Service
from erbium_kernel.subscribing import To

SERVICE = Service(
    name="aftercare",
    deciders=(CARE,),
    publishes=published.messages,
    heard=heard.HEARD,
    listens_to=("screening", "device-telemetry"),
    reactions=(planning.REACTION,),
    projections=(care_plans.PROJECTION, patients.PROJECTION),
    timers={CHECK_IN_DUE: lambda due, now: To(CARE, due.stream_id, OpenCheckIn(at=now))},
    erased_by=(heard.ERASED,),
    routes=(care.routes,),
)
