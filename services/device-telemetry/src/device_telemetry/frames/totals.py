"""What frames add up to, per zone and per cell of the grid: whole numbers, so that the sum does not depend on the order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_telemetry.binding import Binding
from device_telemetry.dose import UJ_PER_MJ, LesionTable, ZoneTotals, lesion_areas_um2, zone_totals
from device_telemetry.frames.codec import GRID_MAX
from device_telemetry.frames.columns import ZONES, Columns, groups


@dataclass(slots=True)
class Sum:
    """Of one zone or one cell. Units: microjoules, square micrometres.

    `outside_table`: MTZ of an energy that the laser's table does not cover.
    """

    frames: int = 0
    mtz_count: int = 0
    energy_uj: int = 0
    lesion_um2: int = 0
    outside_table: int = 0

    def add(self, other: "Sum") -> None:
        """Both together, in place."""
        self.frames += other.frames
        self.mtz_count += other.mtz_count
        self.energy_uj += other.energy_uj
        self.lesion_um2 += other.lesion_um2
        self.outside_table += other.outside_table


CellKey = tuple[str, int, int]  # zone, row, column


@dataclass(frozen=True, slots=True)
class Sums:
    """Of a number of frames."""

    zones: Mapping[str, Sum]
    cells: Mapping[CellKey, Sum]


def summed(frames: Columns, lesions: LesionTable) -> Sums:
    """Each frame once: the caller has dropped the duplicates."""
    if not len(frames):
        return Sums({}, {})
    energy, count = frames.energy_mj, frames.mtz_count
    outside = (energy < lesions[0].energy_mj) | (energy > lesions[-1].energy_mj)
    uj = np.rint(energy * UJ_PER_MJ).astype(np.int64)
    added = np.stack([np.ones_like(count), count, count * uj, count * lesion_areas_um2(lesions, energy), count * outside])
    zone = frames.zone.astype(np.int64)
    zones = {ZONES[place]: one for place, one in _by_key(zone, added)}
    emitted = count > 0
    if not emitted.any():
        return Sums(zones, {})
    side = GRID_MAX + 1
    keys = ((zone * side + frames.grid_row) * side + frames.grid_col)[emitted]
    cells = {(ZONES[key // side // side], key // side % side, key % side): one for key, one in _by_key(keys, added[:, emitted])}
    return Sums(zones, cells)


def _by_key(keys: NDArray[np.int64], added: NDArray[np.int64]) -> Iterator[tuple[int, Sum]]:
    found, order, starts = groups(keys)
    sums = np.add.reduceat(added[:, order], starts, axis=1)
    return ((key, Sum(*one)) for key, one in zip(found.tolist(), sums.T.tolist(), strict=True))


def fullest(cells: Mapping[CellKey, Sum]) -> dict[CellKey, Sum]:
    """Of each zone the cell with the most microbeams; of several the first, by row and column."""
    found: dict[str, CellKey] = {}
    for cell in sorted(cells):
        zone = cell[0]
        if zone not in found or cells[cell].mtz_count > cells[found[zone]].mtz_count:
            found[zone] = cell
    return {cell: cells[cell] for cell in found.values()}


def told(zones: Mapping[str, Sum], binding: Binding, usual_areas_cm2: Mapping[str, float]) -> tuple[ZoneTotals, ...]:
    """The totals as people read them: every planned zone, and every other one that received something, by name.

    A zone that was not planned has its usual area: something has to be divided by.
    """
    names = sorted({*binding.ids.zones, *(zone for zone, got in zones.items() if got.mtz_count)})
    return tuple(_told(zone, zones.get(zone, Sum()), binding, usual_areas_cm2) for zone in names)


def _told(zone: str, got: Sum, binding: Binding, usual_areas_cm2: Mapping[str, float]) -> ZoneTotals:
    plan = binding.planned(zone)
    area_cm2 = plan.area_cm2 if plan else usual_areas_cm2[zone]
    return zone_totals(zone, got.mtz_count, got.energy_uj, got.lesion_um2, area_cm2, plan.planned_mtz if plan else None)
