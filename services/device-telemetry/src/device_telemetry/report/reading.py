"""Reads what a report is made from: the treatment's stream, those of its laser and its clearance, and the stored frames."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.device.decide import DEVICE
from device_telemetry.device.state import Registered
from device_telemetry.projections.frame_reports import frames_told
from device_telemetry.projections.stored_frames import kept
from device_telemetry.report.contents import Contents, Told
from device_telemetry.rules import Rules
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.refusals import TreatmentUnknown
from device_telemetry.treatment.state import Ended, Settled, Unopened
from erbium_kernel.decider import Decider
from erbium_kernel.folding import state_of
from erbium_kernel.runtime import Runtime


async def contents_of(runtime: Runtime, conn: AsyncConnection, chain_id: UUID, treatment_id: UUID, rules: Rules) -> Contents:
    """`conn` reads the read tables of this chain. Raises: TreatmentUnknown, Unavailable."""
    told = await _told(runtime, chain_id, TREATMENT, treatment_id)
    state = TREATMENT.fold([event for _, event in told])
    if isinstance(state, Unopened):
        raise TreatmentUnknown
    ids = state.binding.ids
    laser, _ = await state_of(runtime, chain_id, DEVICE, ids.device_id)
    assert isinstance(laser, Registered), "a treatment is opened on a registered laser"
    return Contents(
        state=state,
        version=len(told),
        laser=laser,
        model=rules.models.get(laser.model),
        treatment=told,
        clearance=await _told(runtime, chain_id, CLEARANCE, ids.clearance_id),
        kept=await kept(conn, treatment_id),
        frames=await frames_told(conn, treatment_id, state.ended.ended_at if isinstance(state, Ended | Settled) else None),
        usual_areas_cm2=rules.zones.areas_cm2,
    )


async def _told(runtime: Runtime, chain_id: UUID, decider: Decider[Any, Any, Any], stream_id: UUID) -> list[Told]:
    loaded = await runtime.store.load(chain_id, decider.stream(stream_id))
    return [(row.envelope, runtime.codec.decode(row)) for row in loaded.rows]
