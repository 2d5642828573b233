"""Batches of one chain, as they come off the topic, turned into what is written: new rows, ranges, sums, recordings, findings. Pure.

Promise: whatever the order and however often batches come, ranges and sums are the same in the end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple, TypeVar
from uuid import UUID

from device_telemetry.binding import Binding
from device_telemetry.frames import guard, ranges, totals
from device_telemetry.frames.codec import Batch, Frame, Receipt
from device_telemetry.frames.columns import Columns, columns_of
from device_telemetry.frames.guard import Finding
from device_telemetry.frames.ranges import Ranges
from device_telemetry.frames.totals import CellKey, Sum, Sums
from device_telemetry.treatment.events import ZoneClosed

T = TypeVar("T", int, datetime)


@dataclass(frozen=True)
class Arrival:
    """One record of the topic, with what its treatment was bound to."""

    receipt: Receipt
    batch: Batch
    binding: Binding
    closed: Mapping[str, ZoneClosed]

    @cached_property
    def columns(self) -> Columns:
        """Of the frames that are kept; made once, and best before the database is asked for anything."""
        return columns_of(self.batch.kept)


class Boot(NamedTuple):
    """One power-on of one laser: inside it a sequence number means one frame."""

    device_id: UUID
    boot_id: UUID


class BootSoFar(NamedTuple):
    """What has been received in one boot. `newest_ms`: the latest of its frames by the laser's own milliseconds; None = not known."""

    received: Ranges = ()
    newest_ms: int | None = None

    def joined(self, other: "BootSoFar") -> "BootSoFar":
        """What both hold. Why unknown stays unknown: a number judged by half of what came would accuse the other half."""
        known = all(one.newest_ms is not None or not one.received for one in (self, other))
        return BootSoFar(ranges.merged(self.received, other.received), greatest(self.newest_ms, other.newest_ms) if known else None)

    def fresh(self, batch: Batch) -> Sequence[Frame]:
        """The frames of the batch that are not among them, each number once (the first that came), in the order of their numbers."""
        new = ranges.added(self.received, batch.numbers)
        if new == batch.numbers and ranges.count(new) == len(batch.kept) and batch.in_order:
            return batch.kept
        first = {frame.seq: frame for frame in reversed(batch.kept)}
        return [first[seq] for seq in sorted(first) if ranges.holds(new, seq)]


class Fresh(NamedTuple):
    """The frames of one record that were not there before, in the order of their numbers; `columns`: the same."""

    arrival: Arrival
    frames: Sequence[Frame]
    columns: Columns


@dataclass(slots=True)
class Part:
    """What one treatment gained in one boot. Units: domain time, UTC. `duplicates`: frames that came once more.

    `last_seq_at`: when this greatest `last_seq` was said for the first time.
    """

    device_id: UUID
    first_seq: int
    last_seq: int | None
    highest_seq: int
    last_received_at: datetime | None = None  # of frames that were new
    first_delivered_at: datetime | None = None
    duplicates: int = 0
    last_seq_at: datetime | None = None

    def add(self, more: "Part") -> None:
        """Both together, in place, whichever came first."""
        self.first_seq = min(self.first_seq, more.first_seq)
        if self.last_seq == more.last_seq:
            self.last_seq_at = least(self.last_seq_at, more.last_seq_at)
        elif self.last_seq is None or (more.last_seq is not None and more.last_seq > self.last_seq):
            self.last_seq, self.last_seq_at = more.last_seq, more.last_seq_at
        self.highest_seq = max(self.highest_seq, more.highest_seq)
        self.last_received_at = greatest(self.last_received_at, more.last_received_at)
        self.first_delivered_at = least(self.first_delivered_at, more.first_delivered_at)
        self.duplicates += more.duplicates


@dataclass(slots=True)
class Gain:
    """What one treatment gained."""

    zones: dict[str, Sum] = field(default_factory=dict)
    cells: dict[CellKey, Sum] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, sums: Sums) -> None:
        """These frames too, in place."""
        for zone, one in sums.zones.items():
            self.zones.setdefault(zone, Sum()).add(one)
        for cell, one in sums.cells.items():
            self.cells.setdefault(cell, Sum()).add(one)


@dataclass(slots=True)
class Absorbed:
    """What is to be written, and what was dropped."""

    fresh: list[Fresh] = field(default_factory=list)
    boots: dict[Boot, BootSoFar] = field(default_factory=dict)
    parts: dict[tuple[UUID, UUID], Part] = field(default_factory=dict)  # (treatment, boot)
    gains: dict[UUID, Gain] = field(default_factory=dict)
    duplicates: int = 0
    rejected: int = 0

    @property
    def count(self) -> int:
        """How many frames are new."""
        return sum(len(one.frames) for one in self.fresh)


def absorbed(before: Mapping[Boot, BootSoFar], arrivals: Iterable[Arrival]) -> Absorbed:
    """`before`: what has been received of every boot that these arrivals speak of."""
    result = Absorbed(boots=dict(before))
    for arrival in arrivals:
        _absorb(result, arrival)
    return result


def _absorb(result: Absorbed, arrival: Arrival) -> None:
    batch, header = arrival.batch, arrival.batch.header
    boot = Boot(header.device_id, header.boot_id)
    known = result.boots.get(boot, BootSoFar())
    frames = known.fresh(batch)
    fresh = Fresh(arrival, frames, arrival.columns if frames is batch.kept else columns_of(frames))
    numbers = ranges.added(known.received, batch.numbers)
    result.boots[boot] = known.joined(BootSoFar(numbers, int(fresh.columns.device_ms.max()) if frames else None))
    if frames:
        result.fresh.append(fresh)
    result.rejected += len(batch.refused)
    result.duplicates += len(batch.kept) - len(frames)
    _note_part(result, arrival, fresh, len(batch.kept) - len(frames))
    _note_gain(result, arrival, fresh)
    result.gains[header.treatment_id].findings.extend(guard.reused(*known, batch))


def _note_part(result: Absorbed, arrival: Arrival, fresh: Fresh, duplicates: int) -> None:
    header = arrival.batch.header
    part = Part(header.device_id, header.first_seq, header.last_seq, header.first_seq - 1, duplicates=duplicates)
    if header.last_seq is not None:
        part.last_seq_at = arrival.receipt.received_at
    if fresh.frames:
        part.highest_seq = fresh.frames[-1].seq
        part.last_received_at = arrival.receipt.received_at
        part.first_delivered_at = _first_delivery(arrival, fresh.columns)
    key = (header.treatment_id, header.boot_id)
    if key in result.parts:
        result.parts[key].add(part)
    else:
        result.parts[key] = part


def _first_delivery(arrival: Arrival, frames: Columns) -> datetime | None:
    """When the first microbeam of these frames fell, by the laser's own count of milliseconds; else when they came.

    Why within bounds: the count is the laser's, it may wrap or be nonsense, and nothing fell before the opening.
    """
    delivering = frames.device_ms[frames.mtz_count > 0]
    if not len(delivering):
        return None
    first = int(delivering.min())
    received_at, sent = arrival.receipt.received_at, arrival.batch.header.sent_device_ms
    open_for_ms = (received_at - arrival.binding.bound_at) // timedelta(milliseconds=1)
    ago_ms = min(sent - first if sent is not None else 0, open_for_ms)
    return received_at - timedelta(milliseconds=max(0, ago_ms))


def _note_gain(result: Absorbed, arrival: Arrival, fresh: Fresh) -> None:
    header = arrival.batch.header
    gain = result.gains.setdefault(header.treatment_id, Gain())
    gain.add(totals.summed(fresh.columns, arrival.binding.lesions))
    gain.findings.extend(guard.at_once(arrival.binding, arrival.closed, header.boot_id, fresh.frames))


def greatest(one: T | None, other: T | None) -> T | None:
    """The greater of what is there."""
    return max((value for value in (one, other) if value is not None), default=None)


def least(one: T | None, other: T | None) -> T | None:
    """The lesser of what is there."""
    return min((value for value in (one, other) if value is not None), default=None)
