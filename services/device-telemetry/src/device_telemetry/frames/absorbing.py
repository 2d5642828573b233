"""Batches of one chain, as they come off the topic, turned into what is written: new rows, ranges, sums, recordings, findings. Pure.

Promise: whatever the order and however often batches come, the ranges and the sums are the same in the end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

from device_telemetry.binding import Binding
from device_telemetry.frames import guard, ranges, totals
from device_telemetry.frames.codec import Batch, Frame, Header, Receipt, usable
from device_telemetry.frames.guard import Finding
from device_telemetry.frames.ranges import Ranges
from device_telemetry.frames.totals import CellKey, Sum
from device_telemetry.treatment.events import ZoneClosed

T = TypeVar("T", int, datetime)


class Arrival(NamedTuple):
    """One record of the topic, with what its treatment was bound to."""

    receipt: Receipt
    batch: Batch
    binding: Binding
    closed: Mapping[str, ZoneClosed]


class Boot(NamedTuple):
    """One power-on of one laser: inside it a sequence number means one frame."""

    device_id: UUID
    boot_id: UUID


class FreshFrame(NamedTuple):
    """A frame that was not there before."""

    arrival: Arrival
    frame: Frame


@dataclass(slots=True)
class Part:
    """What one treatment gained in one boot. Units: domain time, UTC."""

    device_id: UUID
    first_seq: int
    last_seq: int | None
    highest_seq: int
    last_received_at: datetime | None = None  # of frames that were new
    first_delivered_at: datetime | None = None


@dataclass(slots=True)
class Gain:
    """What one treatment gained."""

    zones: dict[str, Sum] = field(default_factory=dict)
    cells: dict[CellKey, Sum] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class Absorbed:
    """What is to be written, and what was dropped."""

    fresh: list[FreshFrame] = field(default_factory=list)
    received: dict[Boot, Ranges] = field(default_factory=dict)
    parts: dict[tuple[UUID, UUID], Part] = field(default_factory=dict)  # (treatment, boot)
    gains: dict[UUID, Gain] = field(default_factory=dict)
    duplicates: int = 0
    rejected: int = 0


def absorbed(before: Mapping[Boot, Ranges], arrivals: Iterable[Arrival]) -> Absorbed:
    """`before`: the ranges already received of every boot that these arrivals speak of."""
    result = Absorbed(received=dict(before))
    for arrival in arrivals:
        _absorb(result, arrival)
    return result


def _absorb(result: Absorbed, arrival: Arrival) -> None:
    header = arrival.batch.header
    boot = Boot(header.device_id, header.boot_id)
    kept, refused = usable(arrival.batch)
    known = result.received.get(boot, ())
    fresh = list({frame.seq: frame for frame in reversed(kept) if not ranges.holds(known, frame.seq)}.values())
    fresh.sort(key=lambda frame: frame.seq)
    result.received[boot] = ranges.merged(known, ranges.of(frame.seq for frame in fresh))
    result.fresh.extend(FreshFrame(arrival, frame) for frame in fresh)
    result.rejected += len(refused)
    result.duplicates += len(kept) - len(fresh)
    _note_part(result, arrival, fresh)
    _note_gain(result, arrival, fresh)


def _note_part(result: Absorbed, arrival: Arrival, fresh: list[Frame]) -> None:
    header = arrival.batch.header
    key = (header.treatment_id, header.boot_id)
    part = result.parts.setdefault(key, Part(header.device_id, header.first_seq, header.last_seq, header.first_seq - 1))
    part.first_seq = min(part.first_seq, header.first_seq)
    part.last_seq = greatest(part.last_seq, header.last_seq)
    if fresh:
        part.highest_seq = max(part.highest_seq, fresh[-1].seq)
        part.last_received_at = greatest(part.last_received_at, arrival.receipt.received_at)
        part.first_delivered_at = least(part.first_delivered_at, _first_delivery(header, arrival.receipt, fresh))


def _first_delivery(header: Header, receipt: Receipt, frames: list[Frame]) -> datetime | None:
    """When the first microbeam of these frames fell, by the laser's own count of milliseconds; else when they came."""
    first = min((frame.device_ms for frame in frames if frame.mtz_count), default=None)
    if first is None:
        return None
    ago_ms = max(0, header.sent_device_ms - first) if header.sent_device_ms is not None else 0
    return receipt.received_at - timedelta(milliseconds=ago_ms)


def _note_gain(result: Absorbed, arrival: Arrival, fresh: list[Frame]) -> None:
    header = arrival.batch.header
    gain = result.gains.setdefault(header.treatment_id, Gain())
    sums = totals.summed(fresh, arrival.binding.lesions)
    for zone, one in sums.zones.items():
        gain.zones.setdefault(zone, Sum()).add(one)
    for cell, one in sums.cells.items():
        gain.cells.setdefault(cell, Sum()).add(one)
    gain.findings.extend(guard.at_once(arrival.binding, arrival.closed, header.boot_id, fresh))


def greatest(one: T | None, other: T | None) -> T | None:
    """The greater of what is there."""
    return max((value for value in (one, other) if value is not None), default=None)


def least(one: T | None, other: T | None) -> T | None:
    """The lesser of what is there."""
    return min((value for value in (one, other) if value is not None), default=None)
