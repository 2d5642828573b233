"""The wire form of frames: NDJSON, a header that names treatment, device and boot once, then one compact row per frame.

A row: [seq, device_ms, zone, pass_no, energy_set_mj, energy_mj, mtz_count, grid_row, grid_col, emission, temp_tip_c, fault_bits].
The record on the topic is one line more in front: who received it and when. The device's own lines stay as they came.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from device_telemetry.binding import Binding
from device_telemetry.frames import ranges
from device_telemetry.frames.ranges import Ranges
from device_telemetry.rules import Zone

FRAMES_MAX = 5_000  # per batch
HEADER_BYTES_MAX = 2_000
SEQ_MAX = 2**53
DEVICE_MS_MAX = 2**53
MTZ_PER_FRAME_MAX = 100_000
ENERGY_MJ_MAX = 1_000.0
GRID_MAX = 4_095
ERRORS_MAX = 20  # told of one batch

Seq = Annotated[int, Meta(ge=0, le=SEQ_MAX)]
Energy = Annotated[float, Meta(ge=0, le=ENERGY_MJ_MAX)]
Cell = Annotated[int, Meta(ge=0, le=GRID_MAX)]


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The first line. `first_seq`: where this treatment begins in this boot; `last_seq`: where it ended, once the laser knows.

    Units: `sent_device_ms` the laser's milliseconds since its boot at sending, `grid_cell_mm` edge of a cell of its grid.
    """

    v: Literal[1]
    treatment_id: UUID
    device_id: UUID
    boot_id: UUID
    first_seq: Seq
    last_seq: Seq | None = None
    sent_device_ms: Annotated[int, Meta(ge=0, le=DEVICE_MS_MAX)] | None = None
    grid_cell_mm: Annotated[float, Meta(gt=0, le=100)]

    def fits(self, binding: Binding) -> bool:
        """Whether the treatment was opened on this laser and with this grid: on another one, cells would be of another size."""
        return (self.device_id, self.grid_cell_mm) == (binding.ids.device_id, binding.grid_cell_mm)


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """100 ms of a scanner, one stamp, or one scan pattern. Units: `device_ms` since boot, energies per MTZ."""

    seq: Seq
    device_ms: Annotated[int, Meta(ge=0, le=DEVICE_MS_MAX)]
    zone: Zone
    pass_no: Annotated[int, Meta(ge=1, le=100)]
    energy_set_mj: Energy
    energy_mj: Energy
    mtz_count: Annotated[int, Meta(ge=0, le=MTZ_PER_FRAME_MAX)]
    grid_row: Cell
    grid_col: Cell
    emission: bool
    temp_tip_c: Annotated[float, Meta(ge=-50, le=200)] | None
    fault_bits: Annotated[int, Meta(ge=0, lt=2**31)]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The line that the service puts in front: whose frames, received when. Units: `received_at` domain, `stored_at` machine time, UTC."""

    v: Literal[1]
    chain_id: UUID
    received_at: Annotated[datetime, Meta(tz=True)]
    stored_at: Annotated[datetime, Meta(tz=True)]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One request of a laser. What is asked of all its frames together is looked up once."""

    header: Header
    frames: tuple[Frame, ...]

    @cached_property
    def kept(self) -> tuple[Frame, ...]:
        """The frames of this treatment."""
        first = self.header.first_seq
        if min(self._seqs, default=first) >= first:
            return self.frames
        return tuple(frame for frame in self.frames if frame.seq >= first)

    @cached_property
    def refused(self) -> tuple[Frame, ...]:
        """Frames before its first number, which belong to something else."""
        first = self.header.first_seq
        return () if self.kept is self.frames else tuple(frame for frame in self.frames if frame.seq < first)

    @cached_property
    def numbers(self) -> Ranges:
        """Of the frames that are kept."""
        return ranges.of(self._seqs if self.kept is self.frames else [frame.seq for frame in self.kept])

    @cached_property
    def newest_ms(self) -> int | None:
        """The latest of the frames that are kept, by the laser's own milliseconds."""
        return max([frame.device_ms for frame in self.kept], default=None)

    @cached_property
    def in_order(self) -> bool:
        """Whether no number is below the one before."""
        return self._seqs == sorted(self._seqs)

    @cached_property
    def highest_seq(self) -> int:
        """Of all frames."""
        return max(self._seqs)

    @cached_property
    def _seqs(self) -> list[int]:
        return [frame.seq for frame in self.frames]


class BatchRefused(Exception):
    """The batch cannot be read; nothing of it is kept. `lines`: (line number from 1, reason), the first 20."""

    def __init__(self, lines: list[tuple[int, str]]) -> None:
        """No reason quotes a value."""
        self.lines = lines
        super().__init__("; ".join(f"line {number}: {reason}" for number, reason in lines))


_header = msgspec.json.Decoder(Header)
_frame = msgspec.json.Decoder(Frame)
_receipt = msgspec.json.Decoder(Receipt)


def read_batch(body: bytes) -> Batch:
    """What a laser sends: all of it or nothing. Raises: BatchRefused."""
    batch = _read_batch(body)
    names = [name for name, _ in json.loads(body.partition(b"\n")[0], object_pairs_hook=list)]
    if len(names) > len(set(names)):
        raise BatchRefused([(1, "a field is named more than once")])
    return batch


def _read_batch(body: bytes) -> Batch:
    first, _, rows = body.partition(b"\n")
    header = _read_header(first)
    frames = _read_frames(rows)
    if not 1 <= len(frames) <= FRAMES_MAX:
        raise BatchRefused([(len(frames) + 1, f"{len(frames)} frames; a batch holds 1 to {FRAMES_MAX}")])
    return Batch(header=header, frames=frames)


def _read_header(line: bytes) -> Header:
    if len(line) > HEADER_BYTES_MAX:
        raise BatchRefused([(1, f"the header is longer than {HEADER_BYTES_MAX} bytes")])
    try:
        header = _header.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BatchRefused([(1, _reason(error))]) from None
    if header.last_seq is not None and header.last_seq < header.first_seq:
        raise BatchRefused([(1, "last_seq is below first_seq")])
    return header


def _read_frames(rows: bytes) -> tuple[Frame, ...]:
    try:
        return tuple(_frame.decode_lines(rows))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BatchRefused(_bad_lines(rows)) from None


def _bad_lines(rows: bytes) -> list[tuple[int, str]]:
    """Line by line, only when the quick way failed."""
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(rows.split(b"\n"), start=2):
        if len(bad) == ERRORS_MAX:
            break
        if not line.strip():
            continue
        try:
            _frame.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            bad.append((number, _reason(error)))
    return bad or [(2, "not NDJSON: one JSON array on each line")]


def _reason(error: Exception) -> str:
    """What was expected where; msgspec names types and places, and quotes only what a closed list does not hold."""
    text = str(error)
    return "not one of the allowed values" if text.startswith("Invalid enum value") else text[:200]


def write_record(receipt: Receipt, body: bytes) -> bytes:
    """The value of the record on the topic."""
    return msgspec.json.encode(receipt) + b"\n" + body


def read_record(value: bytes) -> tuple[Receipt, Batch]:
    """What `write_record` wrote, also under an earlier version. Raises: BatchRefused, its lines those of the device (0: ours)."""
    line, _, body = value.partition(b"\n")
    try:
        receipt = _receipt.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BatchRefused([(0, _reason(error))]) from None
    return receipt, _read_batch(body)
