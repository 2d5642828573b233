"""How much of the skin the microbeams took: lesion diameter by energy, density, coverage. Pure arithmetic, units in the names.

Source: domain reference, section 5, formulas: nominal coverage N*a, overlap-corrected 1 - exp(-N*a), a = pi/4 * d^2.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UM2_PER_CM2 = 100_000_000
UJ_PER_MJ = 1_000
UJ_PER_J = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionPoint:
    """At this energy one microbeam leaves a lesion of this effective diameter."""

    energy_mj: float
    diameter_um: float


LesionTable = tuple[LesionPoint, ...]  # rising in energy, never empty


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneTotals:
    """What one zone has received. `planned_mtz` is None for a zone that was not planned.

    Units: `energy_j` joule emitted, `coverage_percent` overlap-corrected.
    """

    zone: str
    mtz_count: int
    energy_j: float
    area_cm2: float
    density_mtz_per_cm2: float
    coverage_percent: float
    planned_mtz: int | None


def within_table(table: LesionTable, energy_mj: float) -> bool:
    """Whether the table speaks about this energy at all."""
    return table[0].energy_mj <= energy_mj <= table[-1].energy_mj


def lesion_diameter_um(table: LesionTable, energy_mj: float) -> float:
    """The effective diameter, interpolated between entries. Raises: ValueError outside the table: nothing is extrapolated."""
    if not within_table(table, energy_mj):
        raise ValueError(f"{energy_mj} mJ is outside the lesion table ({table[0].energy_mj} to {table[-1].energy_mj} mJ)")
    for low, high in itertools.pairwise(table):
        if energy_mj <= high.energy_mj:
            share = (energy_mj - low.energy_mj) / (high.energy_mj - low.energy_mj)
            return low.diameter_um + share * (high.diameter_um - low.diameter_um)
    return table[-1].diameter_um


def lesion_areas_um2(table: LesionTable, energies_mj: NDArray[np.float64]) -> NDArray[np.int64]:
    """The area of one lesion of each energy in whole square micrometres, so that sums do not depend on their order.

    Outside the table the nearest entry speaks: what was delivered is counted, never refused (the guard stops it by its energy).
    """
    energy = np.array([point.energy_mj for point in table])
    diameter = np.array([point.diameter_um for point in table])
    inside = np.clip(energies_mj, energy[0], energy[-1])
    at = np.searchsorted(energy[1:], inside)  # the entry below, as in `lesion_diameter_um`
    share = (inside - energy[at]) / (energy[at + 1] - energy[at])
    found = diameter[at] + share * (diameter[at + 1] - diameter[at])
    areas: NDArray[np.int64] = np.rint(math.pi / 4 * found**2).astype(np.int64)
    return areas


def lesion_area_um2(table: LesionTable, energy_mj: float) -> int:
    """The same for one energy."""
    return int(lesion_areas_um2(table, np.array([energy_mj]))[0])


def coverage_percent(lesion_um2: int, area_cm2: float) -> float:
    """Share of the surface inside lesions, overlap at random: 100 * (1 - exp(-N*a))."""
    return 100 * -math.expm1(-lesion_um2 / UM2_PER_CM2 / area_cm2)


def planned_coverage_percent(table: LesionTable, density_mtz_per_cm2: float, energy_mj: float) -> float:
    """The coverage that a plan comes to. Raises: ValueError outside the table."""
    diameter_cm = lesion_diameter_um(table, energy_mj) / 10_000
    return 100 * -math.expm1(-density_mtz_per_cm2 * math.pi / 4 * diameter_cm**2)


def whole_percent(percent: float) -> int:
    """Whole per cent, halves up: how caps and limits are compared (23.1 passes a cap of 23)."""
    return math.floor(percent + 0.5)


def zone_totals(zone: str, mtz_count: int, energy_uj: int, lesion_um2: int, area_cm2: float, planned_mtz: int | None) -> ZoneTotals:
    """The sums of a zone as people read them."""
    return ZoneTotals(
        zone=zone,
        mtz_count=mtz_count,
        energy_j=round(energy_uj / UJ_PER_J, 3),
        area_cm2=area_cm2,
        density_mtz_per_cm2=round(mtz_count / area_cm2, 1),
        coverage_percent=round(coverage_percent(lesion_um2, area_cm2), 2),
        planned_mtz=planned_mtz,
    )


def is_rising(table: Sequence[LesionPoint]) -> bool:
    """A usable table: at least two entries, each above the one before in energy, all diameters positive."""
    energies = [point.energy_mj for point in table]
    return len(table) > 1 and energies == sorted(set(energies)) and all(point.diameter_um > 0 for point in table)
