"""The simulator looks: every bug put in on purpose is found within 300 seeds, and its report leads back to it."""

import time

import pytest

from tests.simulation.planted import MORE, NAMED, Planted
from tests.simulation.run import Run, run
from tests.simulation.shrink import report, shrunken

SEEDS_MAX = 300
SECONDS_MAX = 120.0  # of one bug, on a busy machine; most take one


def found(planted: Planted) -> Run:
    """The first run that breaks a promise."""
    end = time.monotonic() + SECONDS_MAX
    for seed in range(1, SEEDS_MAX + 1):
        one = run(seed, planted=planted)
        if one.broken is not None:
            return one
        assert time.monotonic() < end, f"{planted.name}: not found in {SECONDS_MAX} s, after {seed} seeds"
    raise AssertionError(f"{planted.name}: not found in {SEEDS_MAX} seeds")


@pytest.mark.parametrize("planted", [*NAMED, *MORE], ids=lambda planted: planted.name)
def test_found(planted: Planted) -> None:
    """Within 300 seeds it breaks a promise; without it the same seed breaks none."""
    one = found(planted)
    assert run(one.seed, planted=planted) == one
    assert run(one.seed).broken is None


def test_the_report_leads_back() -> None:
    """A failure names its seed, its shortest schedule and its last 50 turns; the schedule alone breaks the same promise."""
    planted = next(one for one in NAMED if one.name == "parked key that lets a later message pass")
    one = found(planted)
    best, kept = shrunken(one, planted)
    again = run(one.seed, planted=planted, keep=frozenset(item.number for item in kept))
    assert again == best
    assert 0 < len(kept) < 20
    text = report(one, best, kept)
    assert f"--first {one.seed} --seeds 1" in text
    assert len(best.last) == 50
    assert str(best.broken) in text
