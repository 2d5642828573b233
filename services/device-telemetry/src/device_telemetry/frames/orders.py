"""What the laser is told in the answer to its frames. Pure.

Why also in the answer: over plain HTTP there is no other way back to the laser.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from device_telemetry.clearance.state import Clearance
from device_telemetry.device.state import Device, Registered
from device_telemetry.frames.codec import Batch
from device_telemetry.frames.guard import Finding
from device_telemetry.treatment.events import Command
from device_telemetry.treatment.state import Ended, GivenUp, Known, Opened, Running, Settled

Order = tuple[Command | None, list[str]]  # the order, and why


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What stands around a batch: laser and clearance as their own streams tell, new findings, and how long totals have not followed.

    Units: `behind_seconds` machine time since the oldest acknowledged batch that is not in the totals yet.
    """

    device: Device
    clearance: Clearance
    findings: Sequence[Finding] = ()
    behind_seconds: float = 0.0


def order(state: Known, batch: Batch, around: Around) -> Order:
    """STOP outweighs PAUSE; the reasons are those of all that stands in the way."""
    stops, pauses = _stops(state, batch, around), _pauses(state, around)
    command: Command | None = "STOP" if stops else "PAUSE" if pauses else None
    return command, sorted(stops | pauses)


def _stops(state: Known, batch: Batch, around: Around) -> set[str]:
    stops: set[str] = {finding.cause for finding in around.findings}
    stops |= {cause for cause, command in state.watch.holds.items() if command == "STOP"}
    if not isinstance(around.device, Registered) or around.device.locked_out is not None:
        stops.add("device_locked_out")
    if around.clearance.ended == "revoked":
        stops.add("clearance_revoked")
    if _must_not_emit(state, batch):
        stops.add("treatment_over")
    return stops


def _pauses(state: Known, around: Around) -> set[str]:
    """Why the clearance is asked too: its suspension holds from the moment it is on its own stream."""
    pauses: set[str] = {cause for cause, command in state.watch.holds.items() if command == "PAUSE"}
    if around.clearance.suspended and isinstance(state, Opened | Running):
        pauses.add("clearance_suspended")
    if around.behind_seconds > state.binding.guard.totals_behind_seconds_max and isinstance(state, Opened | Running):
        pauses.add("totals_behind")
    return pauses


def _must_not_emit(state: Known, batch: Batch) -> bool:
    """After the end, frames up to the last known number are back-fill and welcome; newer ones were emitted by a laser that went on."""
    match state:
        case Opened():
            return False
        case Running():
            return not state.holds_device  # begun after it had been given up: nobody watches over it any more
        case GivenUp():
            return True
        case Ended() | Settled():
            finals = {final.boot_id: final.last_seq for final in state.ended.finals}
            last = finals.get(batch.header.boot_id, batch.header.last_seq)
            return last is None or batch.highest_seq > last
