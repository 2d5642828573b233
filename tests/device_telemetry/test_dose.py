"""The worked numbers of coverage, and how caps are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_telemetry import dose
from tests.device_telemetry.making import LESIONS


@pytest.mark.parametrize(("density", "energy", "percent"), [(200, 40, 10.9), (456, 40, 23.1), (2000, 8, 20.2), (600, 40, 29.3)])
def test_worked_numbers(density: float, energy: float, percent: float) -> None:
    """200 and 456 MTZ/cm2 at 40 mJ give 10.9 and 23.1 %, the published 11 and 23; 2000 at 8 mJ about 20 %, not 68."""
    assert dose.planned_coverage_percent(LESIONS, density, energy) == pytest.approx(percent, abs=0.05)
    area_um2 = dose.lesion_area_um2(LESIONS, energy)
    assert dose.coverage_percent(round(density * 300) * area_um2, 300) == pytest.approx(percent, abs=0.05)


@pytest.mark.parametrize(("percent", "whole"), [(23.1, 23), (23.49, 23), (23.5, 24), (22.5, 23), (0.0, 0), (0.5, 1)])
def test_whole_percent_halves_up(percent: float, whole: int) -> None:
    """Caps are compared as whole per cent, halves up: 23.1 passes a cap of 23, 23.5 does not."""
    assert dose.whole_percent(percent) == whole


def test_interpolated_between_refused_outside() -> None:
    """The diameter is interpolated between entries and refused outside; what was delivered outside still counts, by the nearest entry."""
    assert dose.lesion_diameter_um(LESIONS, 40) == 271
    assert dose.lesion_diameter_um(LESIONS, 30) == pytest.approx((185 + 271) / 2)
    for energy in (3.9, 100.1):
        with pytest.raises(ValueError, match="outside the lesion table"):
            dose.lesion_diameter_um(LESIONS, energy)
    assert dose.lesion_area_um2(LESIONS, 3) == dose.lesion_area_um2(LESIONS, 4)
    assert dose.lesion_area_um2(LESIONS, 200) == dose.lesion_area_um2(LESIONS, 100)


@given(st.floats(4, 100), st.floats(4, 100))
def test_more_energy_never_covers_less(one: float, other: float) -> None:
    """The lesion grows with the energy."""
    low, high = sorted((one, other))
    assert dose.lesion_area_um2(LESIONS, low) <= dose.lesion_area_um2(LESIONS, high)


def test_example_of_the_reference() -> None:
    """A face of 300 cm2 at 456/cm2 and 40 mJ: 136 800 MTZ, 5.47 kJ."""
    one = dose.zone_totals("face", 136_800, 136_800 * 40_000, 136_800 * dose.lesion_area_um2(LESIONS, 40), 300, 136_800)
    assert (one.energy_j, one.density_mtz_per_cm2, round(one.coverage_percent, 1)) == (5472.0, 456.0, 23.1)
