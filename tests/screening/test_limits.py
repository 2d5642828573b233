"""The hard limits that go with a clearance: skin-type caps, and the caps of zones that the plan names."""

import pytest

from screening.limits import limits_for
from tests.screening.story import rulebook


@pytest.mark.parametrize(("skin_type", "coverage"), [("I", 40), ("II", 40), ("III", 35), ("IV", 23), ("V", 20), ("VI", 15)])
def test_coverage_caps(skin_type: str, coverage: int) -> None:
    """The cap of each skin type, inside the hard limit."""
    limits = limits_for(rulebook(), "nafl_1550", ("face",), skin_type)
    assert (limits.coverage_percent_max, limits.energy_mj_per_mtz_min, limits.energy_mj_per_mtz_max) == (coverage, 2, 100)
    assert (limits.density_mtz_per_cm2_max, limits.passes_max) == (4000, 12)


def test_eyelid_limits() -> None:
    """A plan that names the eyelid is capped for all of it; one of the face is not."""
    limits = limits_for(rulebook(), "nafl_1550", ("eyelid", "nose"), "II")
    assert (limits.energy_mj_per_mtz_max, limits.density_mtz_per_cm2_max) == (20, 750)
    assert limits_for(rulebook(), "nafl_1550", ("face",), "II").energy_mj_per_mtz_max == 100
