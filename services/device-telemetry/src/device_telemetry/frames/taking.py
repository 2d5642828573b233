"""What becomes of a laser's batch, over whatever transport: handed to the topic, and once the broker has it judged and answered.

Why the totals are judged here too: whoever tells the treatments may be in trouble, and the laser goes on.
Why after the broker has it: what was heard or stored meanwhile shall be in this answer.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from device_telemetry.binding import Binding
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.device.decide import DEVICE
from device_telemetry.device.state import Device, Registered
from device_telemetry.frames import guard, ranges
from device_telemetry.frames.absorbing import BootSoFar
from device_telemetry.frames.acknowledged import Acknowledged
from device_telemetry.frames.codec import Batch, Frame, Receipt, write_record
from device_telemetry.frames.guard import Finding, Place
from device_telemetry.frames.looking import Head, Look, Looks, Streams
from device_telemetry.frames.orders import Around, order
from device_telemetry.frames.ranges import Range, Ranges
from device_telemetry.frames.sending import Sends
from device_telemetry.treatment.commands import CloseZone, HoldTreatment
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.events import Command
from device_telemetry.treatment.refusals import TreatmentUnknown
from device_telemetry.treatment.state import Known, Opened, Running, Unopened
from erbium_kernel.errors import Rejected, StreamFull, Unavailable, VersionConflict
from erbium_kernel.execute import Cause, execute
from erbium_kernel.observing import metrics
from erbium_kernel.runtime import Runtime

Within = Callable[[float, Coroutine[Any, Any, Any]], Awaitable[Any]]

DATABASE_SECONDS_MAX: Final = 1.8  # for all that is asked before the batch is handed over, and again after it
RANGES_MAX: Final = 1_000  # of one boot: a laser that leaves more gaps has to close some first


async def as_long_as_it_takes(_: float, work: Coroutine[Any, Any, Any]) -> Any:
    """No bound: where no time passes."""
    return await work


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One batch on its way."""

    runtime: Runtime
    chain_id: UUID
    batch: Batch
    looks: Looks
    cause: Cause

    @property
    def boot(self) -> tuple[UUID, UUID, UUID]:
        header = self.batch.header
        return (self.chain_id, header.device_id, header.boot_id)


class _Sent(NamedTuple):
    """A batch that the broker has. `before`: what had been received of its boot when it came; `accepted`: frames that had not been."""

    binding: Binding
    before: BootSoFar
    accepted: int
    at: datetime


class Taking:
    """One process's door for batches.

    It remembers what it had acknowledged, and streams as long as their newest event is the same; all else is read anew for each batch.
    """

    def __init__(self, sends: Sends, within: Within = as_long_as_it_takes) -> None:
        """Batches are handed over to `sends`; `within` bounds what is asked of the database. Raises there: Unavailable."""
        self._sends, self._within, self._acknowledged, self._streams = sends, within, Acknowledged(), Streams()
        self._blind = False  # the database did not answer the last time

    async def take(self, runtime: Runtime, chain_id: UUID, batch: Batch, body: bytes, looks: Looks, cause: Cause) -> Taken:
        """`body`: the batch as it came.

        Raises: TreatmentUnknown, FramesDoNotFit, TooManyGaps, Unavailable; only the last one may leave the batch on the topic.
        """
        asked = _Asked(runtime=runtime, chain_id=chain_id, batch=batch, looks=looks, cause=cause)
        binding, before = self._remembered(asked) or await self._bounded(self._looked_up(asked))
        if not batch.header.fits(binding):
            raise FramesDoNotFit(device_id=str(binding.ids.device_id), grid_cell_mm=binding.grid_cell_mm)
        after = ranges.merged(before.received, batch.numbers)
        if len(after) > max(RANGES_MAX, len(before.received)):
            raise TooManyGaps(gaps=len(before.received))
        now = runtime.clock.machine()
        record = write_record(Receipt(v=1, chain_id=chain_id, received_at=runtime.clock.now(), stored_at=now), body)
        await self._sends.send(chain_id, batch.header.device_id, record)
        accepted = self._acknowledge(asked.boot, batch, before, now)
        taken: Taken = await self._bounded(self._judged(asked, _Sent(binding, before, accepted, now)))
        return taken

    def _remembered(self, asked: _Asked) -> tuple[Binding, BootSoFar] | None:
        """Why not once the database was away: its lasers would send the same to the topic again and again."""
        known = self._acknowledged.of(asked.boot)
        kept = self._streams.kept(asked.chain_id, TREATMENT, asked.batch.header.treatment_id)
        return None if known is None or kept is None or isinstance(kept, Unopened) or self._blind else (kept.binding, known)

    async def _looked_up(self, asked: _Asked) -> tuple[Binding, BootSoFar]:
        look = await asked.looks.look(asked.chain_id, asked.batch.header, [TREATMENT.stream(asked.batch.header.treatment_id)])
        state = await self._treatment(asked, look.heads[0])
        return state.binding, self._acknowledged.learn(asked.boot, look.seen.boot)

    async def _bounded(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Raises: Unavailable in time, also when the database says nothing at all."""
        try:
            found = await self._within(DATABASE_SECONDS_MAX, work)
        except Unavailable:
            self._blind = True
            raise
        self._blind = False
        return found

    def _acknowledge(self, boot: tuple[UUID, UUID, UUID], batch: Batch, before: BootSoFar, now: datetime) -> int:
        """The broker has the batch. Returns how many of its frames were not received before."""
        fresh = ranges.added(before.received, batch.numbers)
        count = ranges.count(fresh)
        if count:
            newest_ms = batch.newest_ms if count == len(batch.kept) else max(frame.device_ms for frame in before.fresh(batch))
            self._acknowledged.learn(boot, before.joined(BootSoFar(fresh, newest_ms)))
            self._acknowledged.wait_for(boot, fresh[-1].last, now)
        metrics.frames("accepted", count)
        return count

    async def _treatment(self, asked: _Asked, head: Head) -> Known:
        state = await self._streams.at(asked.runtime, asked.chain_id, TREATMENT, asked.batch.header.treatment_id, head)
        if isinstance(state, Unopened):
            raise TreatmentUnknown
        return state

    async def _judged(self, asked: _Asked, sent: _Sent) -> Taken:
        """Why everything is looked at only now: what was heard while the broker was asked shall be in this answer."""
        runtime, chain_id, batch, header = asked.runtime, asked.chain_id, asked.batch, asked.batch.header
        clearance_id = sent.binding.ids.clearance_id
        streams = [TREATMENT.stream(header.treatment_id), DEVICE.stream(header.device_id), CLEARANCE.stream(clearance_id)]
        look = await asked.looks.look(chain_id, header, streams)
        state = await self._treatment(asked, look.heads[0])
        device = await self._streams.at(runtime, chain_id, DEVICE, header.device_id, look.heads[1])
        clearance = await self._streams.at(runtime, chain_id, CLEARANCE, clearance_id, look.heads[2])
        known = self._acknowledged.learn(asked.boot, look.seen.boot).received
        passed, full = _passed(state, batch, sent, look), _full(state, batch, look)
        for command in _to_tell(state, device, passed, full, runtime.clock.now()):
            # Why trouble is passed over: this answer says STOP all the same, and so does the next one.
            with suppress(Rejected, VersionConflict, StreamFull, Unavailable):
                await execute(runtime, chain_id, TREATMENT, header.treatment_id, command, cause=asked.cause)
        behind_seconds = self._acknowledged.behind_seconds(asked.boot, look.seen.boot.received, sent.at)
        around = Around(device=device, clearance=clearance, findings=[*passed, *full], behind_seconds=behind_seconds)
        told, reasons = order(state, batch, around)
        return Taken(
            accepted=sent.accepted, duplicates=len(batch.kept) - sent.accepted, refused=batch.refused,
            next_seq=ranges.next_expected(known, header.first_seq), gaps=_gaps(known, header.first_seq, header.last_seq),
            command=told, reasons=reasons, closed_zones=sorted({*state.watch.closed, *(str(finding.breach.zone) for finding in full)}),
        )  # fmt: skip


def _gaps(have: Ranges, first: int, last: int | None) -> tuple[Range, ...]:
    known = max(last or 0, have[-1].last if have else 0)
    return ranges.missing(have, first, known)


def _passed(state: Known, batch: Batch, sent: _Sent, look: Look) -> list[Finding]:
    """Limits that the batch's own frames pass, duplicates too: the answer to their first coming may have been lost.

    Why two views of what was received before: the tables may have this very batch by now, and only they know what came elsewhere.
    """
    stored = look.seen.boot
    found = guard.at_once(state.binding, state.watch.closed, batch.header.boot_id, batch.kept)
    reused = guard.reused(*sent.before, batch) or guard.reused(*stored, batch)
    return [finding for finding in found + reused if not state.watch.knows(finding.cause, finding.breach)]


def _full(state: Known, batch: Batch, look: Look) -> list[Finding]:
    """Zones that have had what they may have and are not closed yet."""
    seen = look.seen
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
