"""What the laser is told in the answer to its frames. Pure.

Why also in the answer: over plain HTTP there is no other way back to the laser.
"""

from collections.abc import Sequence

from device_telemetry.device.state import Device, Registered
from device_telemetry.frames.codec import Batch
from device_telemetry.frames.guard import Finding
from device_telemetry.treatment.events import Command
from device_telemetry.treatment.state import Ended, GivenUp, Known, Opened, Running, Settled

Order = tuple[Command | None, list[str]]  # the order, and why


def order(state: Known, device: Device, batch: Batch, findings: Sequence[Finding]) -> Order:
    """STOP outweighs PAUSE; the reasons are those of all that stands in the way."""
    reasons: list[str] = sorted({finding.cause for finding in findings} | state.watch.holds.keys())
    command: Command | None = "STOP" if findings else state.watch.command
    if not isinstance(device, Registered) or device.locked_out is not None:
        command, reasons = "STOP", [*reasons, "device_locked_out"]
    if _must_not_emit(state, batch):
        command, reasons = "STOP", [*reasons, "treatment_over"]
    return command, reasons


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
            return last is None or any(frame.seq > last for frame in batch.frames)
