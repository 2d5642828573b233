"""The device-telemetry service on one page."""

from datetime import datetime

from device_telemetry import published
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.device.decide import DEVICE
from device_telemetry.frames.roles import frames_role, gaps_role, looking_again_role, settling_role
from device_telemetry.heard import HEARD
from device_telemetry.http import devices, frames, reports, treatments
from device_telemetry.projections.devices import DEVICES
from device_telemetry.projections.treatments import TREATMENTS
from device_telemetry.reactions.clearance_leads_treatment import CLEARANCE_LEADS_TREATMENT
from device_telemetry.reactions.hear_clearance import HEAR_CLEARANCE
from device_telemetry.reactions.hear_visit import HEAR_VISIT
from device_telemetry.reactions.treatment_frees_clearance import TREATMENT_FREES_CLEARANCE
from device_telemetry.treatment.commands import CheckSilence, ExpireBackfill, GiveUpUnstarted
from device_telemetry.treatment.decide import TREATMENT
from erbium_kernel.service import Service
from erbium_kernel.subscribing import Due, To


def give_up_unstarted(due: Due, now: datetime) -> To:
    """Opened long ago, nothing delivered."""
    return To(TREATMENT, due.stream_id, GiveUpUnstarted(at=now))


def check_silence(due: Due, now: datetime) -> To:
    """Do frames still come?"""
    return To(TREATMENT, due.stream_id, CheckSilence(at=now))


def expire_backfill(due: Due, now: datetime) -> To:
    """Missing frames have been waited for long enough."""
    return To(TREATMENT, due.stream_id, ExpireBackfill(at=now))


SERVICE = Service(
    name="device-telemetry",
    deciders=(DEVICE, CLEARANCE, TREATMENT),
    publishes=published.messages,
    heard=HEARD,
    listens_to=("screening", "scheduling"),
    reactions=(HEAR_CLEARANCE, HEAR_VISIT, CLEARANCE_LEADS_TREATMENT, TREATMENT_FREES_CLEARANCE),
    projections=(DEVICES, TREATMENTS),
    timers={
        "treatment-unstarted": give_up_unstarted,
        "treatment-silence": check_silence,
        "treatment-backfill": expire_backfill,
    },
    erased_by=("erbium.screening.patient-erased",),
    routes=(devices.routes, treatments.routes, frames.routes, reports.routes),
    extra_roles=(frames_role, settling_role, looking_again_role, gaps_role),
    needs={"api": ("kafka",), "work": ("database_frames_url",)},  # its API hands frames to their topic; the workers store them
)
