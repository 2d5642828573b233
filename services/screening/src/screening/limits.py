"""The hard limits that go with a clearance: downloaded to the laser, enforced by the dose guard. Source: domain.md section 5."""

from dataclasses import dataclass

from screening.rule_rows import Rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Units: in the names. Coverage is compared as whole per cent."""

    energy_mj_per_mtz_min: float
    energy_mj_per_mtz_max: float
    density_mtz_per_cm2_max: int
    coverage_percent_max: int
    passes_max: int


def limits_for(book: Rulebook, modality: str, zones: tuple[str, ...], skin_type: str) -> Limits:
    """The strictest of the modality's hard limits, the skin type's cap and the caps of the zones that the plan names.

    Raises: KeyError for a modality that is not offered.
    """
    row = book.limits[modality]
    energies = [row.zone_energy_mj_per_mtz_max[zone] for zone in zones if zone in row.zone_energy_mj_per_mtz_max]
    densities = [row.zone_density_mtz_per_cm2_max[zone] for zone in zones if zone in row.zone_density_mtz_per_cm2_max]
    return Limits(
        energy_mj_per_mtz_min=row.energy_mj_per_mtz_min,
        energy_mj_per_mtz_max=min([row.energy_mj_per_mtz_max, *energies]),
        density_mtz_per_cm2_max=min([row.density_mtz_per_cm2_max, *densities]),
        coverage_percent_max=min(row.coverage_percent_max, row.coverage_percent_max_by_skin_type[skin_type]),
        passes_max=row.passes_max,
    )
