"""What becomes of a laser's batch, over whatever transport: judged by what is stored, handed to the topic, answered once the broker has it.

Why the totals are judged here too: whoever tells the treatments may be in trouble, and the laser goes on.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.device.decide import DEVICE
from device_telemetry.device.state import Device, Registered
from device_telemetry.frames import guard, ranges
from device_telemetry.frames.acknowledged import Acknowledged
from device_telemetry.frames.codec import Batch, Frame, Receipt, usable, write_record
from device_telemetry.frames.guard import Finding, Place
from device_telemetry.frames.orders import Around, order
from device_telemetry.frames.ranges import Range, Ranges
from device_telemetry.frames.sending import Sends
from device_telemetry.frames.store import Seen
from device_telemetry.treatment.commands import CloseZone, HoldTreatment
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.events import Command
from device_telemetry.treatment.refusals import TreatmentUnknown
from device_telemetry.treatment.state import Known, Opened, Running, Unopened
from erbium_kernel.errors import Rejected, StreamFull, Unavailable, VersionConflict
from erbium_kernel.execute import Cause, execute
from erbium_kernel.folding import state_of
from erbium_kernel.observing import metrics
from erbium_kernel.runtime import Runtime

RANGES_MAX: Final = 1_000  # of one boot: a laser that leaves more gaps has to close some first


class FramesDoNotFit(Rejected):
    """This treatment is bound to another laser, or to another grid than the frames were recorded on."""

    slug = "telemetry.frames-do-not-fit"
    do = "Send each treatment's frames from the laser it was opened on, with the grid that its opening names."


class TooManyGaps(Rejected):
    """Too many gaps of this boot are open."""

    slug = "telemetry.too-many-gaps"
    do = "Send the oldest missing frames first; next_expected of an earlier answer names them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a batch, and what the laser is to do. `refused` frames are not the treatment's; `next_seq` and `gaps` of its boot."""

    accepted: int
    duplicates: int
    refused: Sequence[Frame]
    next_seq: int
    gaps: Ranges
    command: Command | None
    reasons: list[str]
    closed_zones: list[str]


class Taking:
    """One process's door for batches. It remembers what it had acknowledged; all else is read anew for each batch."""

    def __init__(self, sends: Sends) -> None:
        """Batches are handed over to `sends`."""
        self._sends, self._acknowledged = sends, Acknowledged()

    async def take(self, runtime: Runtime, chain_id: UUID, batch: Batch, body: bytes, seen: Seen, cause: Cause) -> Taken:
        """`body`: the batch as it came; `seen`: what was stored a moment ago.

        Raises: TreatmentUnknown, FramesDoNotFit, TooManyGaps, Unavailable; only the last one may leave the batch on the topic.
        """
        header = batch.header
        binding = (await _treatment(runtime, chain_id, header.treatment_id)).binding
        if not header.fits(binding):
            raise FramesDoNotFit(device_id=str(binding.ids.device_id), grid_cell_mm=binding.grid_cell_mm)
        boot = (chain_id, header.device_id, header.boot_id)
        kept, refused = usable(batch)
        before = ranges.merged(seen.boot.received, self._acknowledged.of(boot))
        after = ranges.merged(before, ranges.of(frame.seq for frame in kept))
        if len(after) > max(RANGES_MAX, len(before)):
            raise TooManyGaps(gaps=len(before))
        now = runtime.clock.machine()
        record = write_record(Receipt(v=1, chain_id=chain_id, received_at=runtime.clock.now(), stored_at=now), body)
        await self._sends.send(chain_id, header.device_id, record)
        fresh = sorted({frame.seq for frame in kept if not ranges.holds(before, frame.seq)})
        self._acknowledged.add(boot, after, now, fresh[-1] if fresh else None)
        metrics.frames("accepted", len(fresh))
        behind_seconds = self._acknowledged.behind_seconds(boot, seen.boot.received, now)
        command, reasons, closed = await _judged(runtime, chain_id, batch, seen, behind_seconds, cause)
        return Taken(
            accepted=len(fresh), duplicates=len(kept) - len(fresh), refused=refused,
            next_seq=ranges.next_expected(after, header.first_seq), gaps=_gaps(after, header.first_seq, header.last_seq),
            command=command, reasons=reasons, closed_zones=closed,
        )  # fmt: skip


async def _treatment(runtime: Runtime, chain_id: UUID, treatment_id: UUID) -> Known:
    state, _ = await state_of(runtime, chain_id, TREATMENT, treatment_id)
    if isinstance(state, Unopened):
        raise TreatmentUnknown
    return state


def _gaps(have: Ranges, first: int, last: int | None) -> tuple[Range, ...]:
    known = max(last or 0, have[-1].last if have else 0)
    return ranges.missing(have, first, known)


async def _judged(
    runtime: Runtime, chain_id: UUID, batch: Batch, seen: Seen, behind_seconds: float, cause: Cause
) -> tuple[Command | None, list[str], list[str]]:
    """(order, reasons, closed zones). Why the state is read again: what was heard while the broker was asked shall be in this answer."""
    header = batch.header
    state = await _treatment(runtime, chain_id, header.treatment_id)
    device, _ = await state_of(runtime, chain_id, DEVICE, header.device_id)
    clearance, _ = await state_of(runtime, chain_id, CLEARANCE, state.binding.ids.clearance_id)
    passed, full = _passed(state, batch, seen), _full(state, batch, seen)
    for command in _to_tell(state, device, passed, full, runtime.clock.now()):
        # Why trouble is passed over: this answer says STOP all the same, and so does the next one.
        with suppress(Rejected, VersionConflict, StreamFull, Unavailable):
            await execute(runtime, chain_id, TREATMENT, header.treatment_id, command, cause=cause)
    around = Around(device=device, clearance=clearance, findings=[*passed, *full], behind_seconds=behind_seconds)
    told, reasons = order(state, batch, around)
    return told, reasons, sorted({*state.watch.closed, *(str(finding.breach.zone) for finding in full)})


def _passed(state: Known, batch: Batch, seen: Seen) -> list[Finding]:
    """Limits that the batch's own frames pass, duplicates too: the answer to their first coming may have been lost."""
    kept, _ = usable(batch)
    boot_id = batch.header.boot_id
    found = guard.at_once(state.binding, state.watch.closed, boot_id, kept)
    found += guard.reused(seen.boot.received, seen.boot.newest_ms, boot_id, kept)
    return [finding for finding in found if not state.watch.knows(finding.cause, finding.breach)]


def _full(state: Known, batch: Batch, seen: Seen) -> list[Finding]:
    """Zones that have had what they may have and are not closed yet."""
    received = seen.boot.received
    counted = Place(batch.header.boot_id, received[-1].last if received else batch.header.first_seq - 1)
    found = guard.from_totals(state.binding, seen.zones, seen.fullest_cells, counted)
    return [finding for finding in found if finding.breach.zone not in state.watch.closed]


def _to_tell(
    state: Known, device: Device, passed: Sequence[Finding], full: Sequence[Finding], at: datetime
) -> Iterator[HoldTreatment | CloseZone]:
    """So that the next answer says it too, until somebody who may has resumed.

    Why a lockout is told: it stops what runs, and that the laser is released later is no doctor's decision about this patient.
    """
    for finding in passed:
        yield HoldTreatment(command="STOP", cause=finding.cause, breach=finding.breach, at=at)
    for finding in full:
        yield CloseZone(zone=str(finding.breach.zone), cause=finding.cause, breach=finding.breach, at=at)
    out = not isinstance(device, Registered) or device.locked_out is not None
    if out and isinstance(state, Opened | Running) and "device_locked_out" not in state.watch.holds:
        yield HoldTreatment(command="STOP", cause="device_locked_out", breach=None, at=at)
