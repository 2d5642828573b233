"""What frames add up to, per zone and per cell of the grid: whole numbers, so that the sum does not depend on the order."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from device_telemetry.binding import Binding
from device_telemetry.dose import UJ_PER_MJ, LesionTable, ZoneTotals, lesion_area_um2, within_table, zone_totals
from device_telemetry.frames.codec import Frame


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

    def add_frame(self, mtz_count: int, energy_uj: int, lesion_um2: int, outside_table: int) -> None:
        """One frame more."""
        self.frames += 1
        self.mtz_count += mtz_count
        self.energy_uj += energy_uj
        self.lesion_um2 += lesion_um2
        self.outside_table += outside_table

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


def summed(frames: Iterable[Frame], lesions: LesionTable) -> Sums:
    """Each frame once: the caller has dropped the duplicates."""
    zones: defaultdict[str, Sum] = defaultdict(Sum)
    cells: defaultdict[CellKey, Sum] = defaultdict(Sum)
    per_mtz: dict[float, tuple[int, int, int]] = {}  # energy -> microjoules, square micrometres, outside the table
    for frame in frames:
        energy_mj, count = frame.energy_mj, frame.mtz_count
        if energy_mj not in per_mtz:
            per_mtz[energy_mj] = _per_mtz(energy_mj, lesions)
        uj, um2, outside = per_mtz[energy_mj]
        zones[frame.zone].add_frame(count, count * uj, count * um2, count * outside)
        if count:
            cells[frame.zone, frame.grid_row, frame.grid_col].add_frame(count, count * uj, count * um2, count * outside)
    return Sums(dict(zones), dict(cells))


def _per_mtz(energy_mj: float, lesions: LesionTable) -> tuple[int, int, int]:
    return round(energy_mj * UJ_PER_MJ), lesion_area_um2(lesions, energy_mj), 0 if within_table(lesions, energy_mj) else 1


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
