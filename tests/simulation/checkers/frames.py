"""R6: a frame that was acknowledged is stored exactly once, and counts once; what is whole is told as whole."""

from collections import Counter
from typing import TYPE_CHECKING

from device_telemetry.frames.absorbing import Boot
from device_telemetry.treatment.state import Ended, Running, Settled
from tests.simulation.people import CHAIN
from tests.simulation.turns import Broken, run_through

if TYPE_CHECKING:
    from tests.simulation.lasers import Laser
    from tests.simulation.world import World


def check_frames_at_rest(world: "World") -> None:
    """Raises: Broken."""
    telemetry = world.watch.seen["device-telemetry"]
    for treatment_id, laser in world.lasers.items():
        mtz = _stored(world, laser)
        state = telemetry.state("treatment", treatment_id)
        if not mtz:
            continue
        if not isinstance(state, Running | Ended | Settled):
            raise Broken(f"R6: {treatment_id} has delivered, and its stream says {type(state).__name__}")
        if isinstance(state, Settled):
            told = Counter({zone.zone: zone.mtz_count for zone in state.totals if zone.mtz_count})
            if told != mtz:
                raise Broken(f"R6: {treatment_id} was told {dict(told)}, stored are {dict(mtz)}")
        if isinstance(state, Ended) and _is_whole(laser, state):
            raise Broken(f"R6: {treatment_id} has ended, nothing is missing, and it is not settled")


def _is_whole(laser: "Laser", state: Ended) -> bool:
    """Where it ended is known of every boot, and everything up to there has been acknowledged."""
    named = {final.boot_id for final in state.ended.finals}
    known = all(boot.last_told or boot.id in named for boot in laser.boots)
    return known and not any(boot.emitted.keys() - boot.acknowledged for boot in laser.boots)


def _stored(world: "World", laser: "Laser") -> Counter[str]:
    """MTZ by zone, by what is stored frame by frame; the sums must say the same."""
    store, mtz = world.frame_store, Counter[str]()
    for boot in laser.boots:
        place = Boot(laser.binding.ids.device_id, boot.id)
        for seq, frame in boot.emitted.items():
            if (CHAIN, place, seq) in store.frames:
                mtz[frame.zone] += frame.mtz_count
            elif seq in boot.acknowledged:
                raise Broken(f"R6: frame {seq} of {laser.treatment_id} was acknowledged and is not stored")
    kept = run_through(store.kept(CHAIN, laser.treatment_id, ()))
    summed = Counter({zone: one.mtz_count for zone, one in kept.zones.items() if one.mtz_count})
    if summed != mtz:
        raise Broken(f"R6: {laser.treatment_id}: the sums say {dict(summed)}, the frames {dict(mtz)}")
    return mtz
