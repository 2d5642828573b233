"""The dose guard: what a frame forbids at once, and what the totals forbid from the next answer on. Pure.

Source: domain reference, section 5 (limits; caps on coverage are hard, as whole per cent, halves up) and section 6 (F604).
Why it is strict: the laser's own interlocks are the primary protection; this one is added, and a wrong pause burns nobody.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from device_telemetry.binding import Binding, ZonePlan
from device_telemetry.dose import coverage_percent, whole_percent
from device_telemetry.frames import ranges
from device_telemetry.frames.codec import Batch, Frame
from device_telemetry.frames.ranges import Ranges
from device_telemetry.frames.totals import CellKey, Sum
from device_telemetry.treatment.events import Breach, HoldCause, ZoneClosed


class Place(NamedTuple):
    """The newest frame that totals have counted."""

    boot_id: UUID | None
    seq: int


class Finding(NamedTuple):
    """A limit that was passed."""

    cause: HoldCause
    breach: Breach


class _Seen(NamedTuple):
    cause: HoldCause
    zone: str
    measured: float
    limit: float
    seq: int


def at_once(binding: Binding, closed: Mapping[str, ZoneClosed], boot_id: UUID, frames: Sequence[Frame]) -> list[Finding]:
    """What these frames by themselves forbid: each cause and zone once, with its worst value and the numbers it spans."""
    if _nothing_passed(binding, closed, frames):
        return []
    worst: dict[tuple[HoldCause, str], Breach] = {}
    for frame in frames:
        for seen in _of_frame(frame, binding, closed, boot_id):
            key = (seen.cause, seen.zone)
            worst[key] = _wider(worst.get(key), seen, boot_id)
    return [Finding(cause, breach) for (cause, _), breach in worst.items()]


def _nothing_passed(binding: Binding, closed: Mapping[str, ZoneClosed], frames: Sequence[Frame]) -> bool:
    """By what the batch reaches at most. Why first: it is so nearly always, and frame by frame costs ten times as much."""
    zones = {frame.zone for frame in frames}
    return (
        zones <= {plan.zone for plan in binding.plan}
        and zones.isdisjoint(closed)
        and max([frame.energy_mj for frame in frames], default=0) <= binding.limits.energy_mj_per_mtz_max
        and max([frame.energy_set_mj for frame in frames], default=0) <= binding.limits.energy_mj_per_mtz_max
        and max([frame.pass_no for frame in frames], default=0) <= binding.limits.passes_max
    )


def _of_frame(frame: Frame, binding: Binding, closed: Mapping[str, ZoneClosed], boot_id: UUID) -> Iterator[_Seen]:
    limits, zone = binding.limits, frame.zone
    energy_mj = max(frame.energy_mj, frame.energy_set_mj)
    if energy_mj > limits.energy_mj_per_mtz_max:
        yield _Seen("energy_over_limit", zone, energy_mj, limits.energy_mj_per_mtz_max, frame.seq)
    if not frame.mtz_count and not frame.emission:
        return
    if binding.planned(zone) is None:
        yield _Seen("zone_not_planned", zone, frame.mtz_count, 0, frame.seq)
    if frame.pass_no > limits.passes_max:
        yield _Seen("passes_over_limit", zone, frame.pass_no, limits.passes_max, frame.seq)
    shut = closed.get(zone)
    if shut and (shut.breach.boot_id != boot_id or frame.seq > shut.breach.seq_last):
        yield _Seen("zone_closed", zone, frame.mtz_count, 0, frame.seq)


def _wider(breach: Breach | None, seen: _Seen, boot_id: UUID) -> Breach:
    if breach is None:
        return Breach(zone=seen.zone, measured=seen.measured, limit=seen.limit, boot_id=boot_id, seq_first=seen.seq, seq_last=seen.seq)
    return Breach(
        zone=seen.zone, measured=max(breach.measured, seen.measured), limit=seen.limit, boot_id=boot_id,
        seq_first=min(breach.seq_first, seen.seq), seq_last=max(breach.seq_last, seen.seq),
    )  # fmt: skip


def reused(received: Ranges, newest_ms: int | None, batch: Batch) -> list[Finding]:
    """Numbers that were received before under which the laser now tells of something later: its counter began again in the same boot.

    Why a stop: such frames pass for duplicates, so what they deliver is in no total. A true duplicate is never later than all that came.
    """
    if newest_ms is None or batch.newest_ms is None or batch.newest_ms <= newest_ms:
        return []
    if ranges.added(received, batch.numbers) == batch.numbers:
        return []  # none of them was received before
    worst: dict[str, Breach] = {}
    boot_id = batch.header.boot_id
    for frame in batch.kept:
        if frame.device_ms > newest_ms and ranges.holds(received, frame.seq):
            seen = _Seen("numbers_reused", frame.zone, frame.device_ms, newest_ms, frame.seq)
            worst[frame.zone] = _wider(worst.get(frame.zone), seen, boot_id)
    return [Finding("numbers_reused", breach) for breach in worst.values()]


def from_totals(binding: Binding, zones: Mapping[str, Sum], fullest_cells: Mapping[CellKey, Sum], at: Place) -> list[Finding]:
    """Zones that have had what they may have. `fullest_cells`: at least the fullest cell of each zone."""
    found = []
    for plan in binding.plan:
        cells = [cell for (zone, _, _), cell in fullest_cells.items() if zone == plan.zone]
        finding = next(_full(binding, plan, zones.get(plan.zone, Sum()), cells, at), None)
        if finding is not None:
            found.append(finding)
    return found


def _full(binding: Binding, plan: ZonePlan, got: Sum, cells: Iterable[Sum], at: Place) -> Iterator[Finding]:
    limits, over_percent = binding.limits, binding.guard.over_plan_percent
    if got.mtz_count * 100 > plan.planned_mtz * over_percent:
        yield _finding("density_over_plan", plan, got.mtz_count, plan.planned_mtz * over_percent / 100, at)
    if got.mtz_count > limits.density_mtz_per_cm2_max * plan.area_cm2:
        yield _finding("density_over_limit", plan, got.mtz_count / plan.area_cm2, limits.density_mtz_per_cm2_max, at)
    covered = coverage_percent(got.lesion_um2, plan.area_cm2)
    if whole_percent(covered) > limits.coverage_percent_max:
        yield _finding("coverage_over_limit", plan, covered, limits.coverage_percent_max, at)
    planned_in_cell = plan.density_mtz_per_cm2 * binding.cell_area_cm2
    fullest = max((cell.mtz_count for cell in cells), default=0)
    if fullest * 100 > planned_in_cell * over_percent:  # a zone's mean hides stacked pulses
        yield _finding("density_over_plan", plan, fullest, planned_in_cell * over_percent / 100, at)


def _finding(cause: HoldCause, plan: ZonePlan, measured: float, limit: float, at: Place) -> Finding:
    breach = Breach(zone=plan.zone, measured=measured, limit=limit, boot_id=at.boot_id, seq_first=at.seq, seq_last=at.seq)
    return Finding(cause, breach)
