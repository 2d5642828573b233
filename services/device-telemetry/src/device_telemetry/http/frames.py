"""Frames of a laser: read, put onto the topic, answered once the broker has them, with what the laser is to do next."""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from starlette.requests import Request

from device_telemetry.frames.codec import Batch, BatchRefused, read_batch
from device_telemetry.frames.sending import Sends, SharedFramesTopic
from device_telemetry.frames.taking import FramesDoNotFit, Taken, Taking, TooManyGaps
from device_telemetry.frames.unpack import PACKED_BYTES_MAX, EncodingUnknown, TooLarge, Unpackable, unpacked
from device_telemetry.http import treatment_examples as examples
from device_telemetry.projections.looking import PostgresLooks
from erbium_kernel.deadline import within
from erbium_kernel.errors import NotFound
from erbium_kernel.http import Call, Faulty, Routes, View

GAPS_SHOWN_MAX: Final = 100
REJECTED_SHOWN_MAX: Final = 100


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
    taking = Taking(sends, within)

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
        taken = await taking.take(call.runtime, call.principal.chain_id, batch, body, PostgresLooks(call.engine), call.cause)
        return _answer(batch, taken, call.runtime.clock.machine())

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


def _answer(batch: Batch, taken: Taken, now: datetime) -> FramesAnswer:
    return FramesAnswer(
        accepted=taken.accepted,
        duplicate=taken.duplicates,
        rejected=[RejectedFrame(seq=frame.seq, reason="before_first_seq") for frame in taken.refused[:REJECTED_SHOWN_MAX]],
        next_expected=NextExpected(boot_id=batch.header.boot_id, seq=taken.next_seq),
        gaps=[Gap(first_seq=gap.first, last_seq=gap.last) for gap in taken.gaps[:GAPS_SHOWN_MAX]],
        command=taken.command,
        reasons=taken.reasons,
        closed_zones=taken.closed_zones,
        server_time=now,
    )


routes = frames_routes(SharedFramesTopic())
