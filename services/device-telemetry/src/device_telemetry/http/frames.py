"""Frames of a laser: read, put onto the topic, answered once the broker has them, with what the laser is to do next."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from starlette.requests import Request

from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.device.decide import DEVICE
from device_telemetry.frames import guard, ranges
from device_telemetry.frames.acknowledged import Acknowledged
from device_telemetry.frames.codec import Batch, BatchRefused, Receipt, read_batch, usable, write_record
from device_telemetry.frames.guard import Finding
from device_telemetry.frames.orders import Around, order
from device_telemetry.frames.ranges import Ranges
from device_telemetry.frames.sending import FramesTopic, Sends
from device_telemetry.frames.unpack import PACKED_BYTES_MAX, EncodingUnknown, TooLarge, Unpackable, unpacked
from device_telemetry.http import treatment_examples as examples
from device_telemetry.projections.stored_frames import received
from device_telemetry.treatment.commands import HoldTreatment
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.refusals import TreatmentUnknown
from device_telemetry.treatment.state import Known, Unopened
from erbium_kernel.errors import NotFound, Rejected, Unavailable, VersionConflict
from erbium_kernel.execute import execute
from erbium_kernel.http import Call, Faulty, Routes, View
from erbium_kernel.observing import metrics

GAPS_SHOWN_MAX: Final = 100
REJECTED_SHOWN_MAX: Final = 100
RANGES_MAX: Final = 1_000  # of one boot: a laser that leaves more gaps has to close some first


class FramesDoNotFit(Rejected):
    """This treatment is bound to another laser, or to another grid than the frames were recorded on."""

    slug = "telemetry.frames-do-not-fit"
    do = "Send each treatment's frames from the laser it was opened on, with the grid that its opening names."


class TooManyGaps(Rejected):
    """Too many gaps of this boot are open."""

    slug = "telemetry.too-many-gaps"
    do = "Send the oldest missing frames first; next_expected of an earlier answer names them."


class RejectedFrame(View):
    """A frame that was not taken."""

    seq: int
    reason: Literal["before_first_seq"]


class NextExpected(View):
    """Everything of this boot below `seq`, from the treatment's first number on, has arrived for good and need not be kept."""

    boot_id: UUID
    seq: int


class Gap(View):
    """Missing numbers, both ends included."""

    first_seq: int
    last_seq: int


class FramesAnswer(View):
    """What became of a batch, and what the laser is to do.

    `command` null: go on. PAUSE: stop emitting, an operator may resume. STOP: stop emitting, a doctor decides. It stands until it is gone.
    `gaps`: as known at this moment; a batch that another server took a moment ago may still be shown as one.
    """

    accepted: int
    duplicate: int
    rejected: list[RejectedFrame]
    next_expected: NextExpected
    gaps: list[Gap]
    command: Literal["PAUSE", "STOP"] | None
    reasons: list[str]
    closed_zones: list[str]
    server_time: datetime


def frames_routes(sends: Sends) -> Routes:
    """The endpoint, handing batches over to `sends`."""
    found = Routes(tag="frames")
    acknowledged = Acknowledged()

    @found.raw(
        "POST",
        "/devices/{device_id}/frames",
        name="sendFrames",
        scope="telemetry:ingest",
        status=202,
        request_example=examples.FRAMES,
        response_example=examples.ANSWER,
        response=FramesAnswer,
        refusals=(FramesDoNotFit, TooManyGaps),
        body_bytes_max=PACKED_BYTES_MAX,
    )
    async def send_frames(call: Call, device_id: UUID, request: Request) -> FramesAnswer:
        """Hand over a batch of 1 to 5,000 frames, as NDJSON, plain or in gzip or zstd.

        First line: the header. Then one row per frame: [seq, device_ms, zone, pass_no, energy_set_mj, energy_mj, mtz_count, grid_row,
        grid_col, emission, temp_tip_c, fault_bits]. Frames may be sent again in any order and any number of times: each counts once.
        202 means that the broker has them; anything else means: send the same again.
        """
        if call.principal.actor.id != str(device_id):
            raise NotFound
        body = _body(await request.body(), request.headers.get("content-encoding"))
        batch = _batch(body, device_id)
        await _must_fit(call, batch)
        chain_id, boot_id = call.principal.chain_id, batch.header.boot_id
        async with call.reading() as conn:
            stored = await received(conn, device_id, boot_id)
        boot = (chain_id, device_id, boot_id)
        before = ranges.merged(stored, acknowledged.of(boot))
        after = ranges.merged(before, ranges.of(frame.seq for frame in usable(batch)[0]))
        if len(after) > max(RANGES_MAX, len(before)):
            raise TooManyGaps(gaps=len(before))
        receipt = Receipt(v=1, chain_id=chain_id, received_at=call.now(), stored_at=call.runtime.clock.machine())
        await sends.send(chain_id, device_id, write_record(receipt, body))
        acknowledged.add(boot, after, receipt.stored_at, batch.frames[-1].seq)
        return await _answer(call, batch, before, after, acknowledged.behind_seconds(boot, stored, receipt.stored_at))

    return found


def _body(packed: bytes, encoding: str | None) -> bytes:
    try:
        return unpacked(packed, encoding)
    except EncodingUnknown:
        raise Faulty("content-type-wrong", "This address takes Content-Encoding gzip, zstd, or none.") from None
    except TooLarge as error:
        raise Faulty("body-too-large", f"The batch has {error}.") from None
    except Unpackable as error:
        raise Faulty("request-invalid", f"The body is {error}.") from None


def _batch(body: bytes, device_id: UUID) -> Batch:
    try:
        batch = read_batch(body)
        if batch.header.device_id != device_id:
            raise BatchRefused([(1, "device_id is not the one in the address")])
    except BatchRefused as refused:
        errors = [{"pointer": f"/{number}", "reason": f"line {number}: {reason}"} for number, reason in refused.lines]
        raise Faulty("request-invalid", "The batch cannot be read; nothing of it was taken.", errors=errors) from None
    return batch


async def _must_fit(call: Call, batch: Batch) -> None:
    state = await _treatment(call, batch.header.treatment_id)
    binding = state.binding
    if binding.ids.device_id != batch.header.device_id or binding.grid_cell_mm != batch.header.grid_cell_mm:
        raise FramesDoNotFit(device_id=str(binding.ids.device_id), grid_cell_mm=binding.grid_cell_mm)


async def _treatment(call: Call, treatment_id: UUID) -> Known:
    state, _ = await call.state_of(TREATMENT, treatment_id)
    if isinstance(state, Unopened):
        raise TreatmentUnknown
    return state


async def _answer(call: Call, batch: Batch, before: Ranges, after: Ranges, behind_seconds: float) -> FramesAnswer:
    """Why the state is read again: a suspension heard while the broker was asked shall be in this answer, not in the next."""
    header = batch.header
    kept, refused = usable(batch)
    state = await _treatment(call, header.treatment_id)
    found = guard.at_once(state.binding, state.watch.closed, header.boot_id, kept)
    news = [finding for finding in found if not state.watch.knows(finding.cause, finding.breach)]
    await _hold(call, header.treatment_id, news)
    device, _ = await call.state_of(DEVICE, header.device_id)
    clearance, _ = await call.state_of(CLEARANCE, state.binding.ids.clearance_id)
    around = Around(device=device, clearance=clearance, findings=news, behind_seconds=behind_seconds)
    command, reasons = order(state, batch, around)
    fresh = {frame.seq for frame in kept if not ranges.holds(before, frame.seq)}
    metrics.frames("accepted", len(fresh))
    return FramesAnswer(
        accepted=len(fresh),
        duplicate=len(kept) - len(fresh),
        rejected=[RejectedFrame(seq=frame.seq, reason="before_first_seq") for frame in refused[:REJECTED_SHOWN_MAX]],
        next_expected=NextExpected(boot_id=header.boot_id, seq=ranges.next_expected(after, header.first_seq)),
        gaps=_gaps(after, header.first_seq, header.last_seq),
        command=command,
        reasons=reasons,
        closed_zones=sorted(state.watch.closed),
        server_time=call.runtime.clock.machine(),
    )


def _gaps(have: Ranges, first: int, last: int | None) -> list[Gap]:
    known = max(last or 0, have[-1].last if have else 0)
    return [Gap(first_seq=gap.first, last_seq=gap.last) for gap in ranges.missing(have, first, known)[:GAPS_SHOWN_MAX]]


async def _hold(call: Call, treatment_id: UUID, findings: Sequence[Finding]) -> None:
    """So that the next answer says it too. Why trouble is passed over: this answer says STOP, and the consumer tells the stream as well."""
    for finding in findings:
        stop = HoldTreatment(command="STOP", cause=finding.cause, breach=finding.breach, at=call.now())
        with suppress(Rejected, VersionConflict, Unavailable):
            await execute(call.runtime, call.principal.chain_id, TREATMENT, treatment_id, stop, cause=call.cause)


routes = frames_routes(FramesTopic())
