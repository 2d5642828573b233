"""The frames path said plainly, frame by frame and without arrays: what the fast one is compared with."""

import math
from collections.abc import Sequence
from typing import Any

from device_telemetry.binding import Binding
from device_telemetry.dose import LesionTable, lesion_diameter_um, within_table
from device_telemetry.frames.codec import Batch, Frame
from device_telemetry.frames.totals import Sum


def area_um2(table: LesionTable, energy_mj: float) -> int:
    """Of one lesion; outside the table that of the nearest entry."""
    inside = min(max(energy_mj, table[0].energy_mj), table[-1].energy_mj)
    return round(math.pi / 4 * lesion_diameter_um(table, inside) ** 2)


def fresh(received: set[int], batch: Batch) -> list[Frame]:
    """The frames that count, in the order of their numbers: each number once, the first that came."""
    found: dict[int, Frame] = {}
    for one in batch.frames:
        if one.seq >= batch.header.first_seq and one.seq not in received:
            found.setdefault(one.seq, one)
    return [found[seq] for seq in sorted(found)]


def sums(frames: Sequence[Frame], table: LesionTable) -> tuple[dict[Any, Sum], dict[Any, Sum]]:
    """(per zone, per cell)."""
    zones: dict[Any, Sum] = {}
    cells: dict[Any, Sum] = {}
    for one in frames:
        count = one.mtz_count
        uj, um2 = count * round(one.energy_mj * 1000), count * area_um2(table, one.energy_mj)
        added = Sum(1, count, uj, um2, 0 if within_table(table, one.energy_mj) else count)
        zones.setdefault(one.zone, Sum()).add(added)
        if count:
            cells.setdefault((one.zone, one.grid_row, one.grid_col), Sum()).add(added)
    return zones, cells


def passed(binding: Binding, closed: set[str], frames: Sequence[Frame]) -> dict[tuple[str, str], tuple[float, int, int]]:
    """(cause, zone) -> worst value, first and last number, of the limits that single frames pass."""
    found: dict[tuple[str, str], tuple[float, int, int]] = {}
    planned = {plan.zone for plan in binding.plan}
    for one in frames:
        shoots = one.mtz_count > 0 or one.emission
        energy = max(one.energy_mj, one.energy_set_mj)
        for cause, here, measured in (
            ("energy_over_limit", energy > binding.limits.energy_mj_per_mtz_max, energy),
            ("zone_not_planned", shoots and one.zone not in planned, one.mtz_count),
            ("passes_over_limit", shoots and one.pass_no > binding.limits.passes_max, one.pass_no),
            ("zone_closed", shoots and one.zone in closed, one.mtz_count),
        ):
            if here:
                value, first, last = found.get((cause, one.zone), (measured, one.seq, one.seq))
                found[cause, one.zone] = (max(value, measured), min(first, one.seq), max(last, one.seq))
    return found


def numbers_reused(received: set[int], newest_ms: int | None, batch: Batch) -> set[int]:
    """Numbers received before under which something later than all that came is told."""
    kept = [one for one in batch.frames if one.seq >= batch.header.first_seq]
    return {one.seq for one in kept if newest_ms is not None and one.device_ms > newest_ms and one.seq in received}
