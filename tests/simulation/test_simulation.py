"""Four services under a seeded scheduler: whatever goes wrong in whatever order, the promises hold, and every run can be had again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.many import runs
from tests.simulation.plan import plan_of
from tests.simulation.run import run
from tests.simulation.shrink import report, shrunken

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 300
JOBS = 2
AGAIN = (3, 17, 42)
TRACES = "from tests.simulation.run import run; print([run(seed).trace for seed in (3, 17, 42)])"


def test_three_hundred_seeds() -> None:
    """In 300 runs, each with faults of its own, no promise is broken."""
    for found in runs(range(1, SEEDS + 1), JOBS):
        if found.broken is not None:
            pytest.fail(report(found, *shrunken(found)))


def test_the_same_seed_is_the_same_run() -> None:
    """Twice in one process, with other runs in between: the same turns, the same commits."""
    first = [run(seed) for seed in AGAIN]
    assert [run(seed) for seed in AGAIN] == first
    assert len({found.trace for found in first}) == len(AGAIN)


def test_the_same_seed_in_another_process() -> None:
    """Neither the process nor its hash seed makes a difference."""
    hash_seed = "4711" if os.environ.get("PYTHONHASHSEED") != "4711" else "4712"
    done = subprocess.run(
        [sys.executable, "-c", TRACES],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == str([run(seed).trace for seed in AGAIN]), done.stderr[-2000:]


def test_a_part_of_a_plan_is_a_run_too() -> None:
    """Any items may be left out: that is how a failing plan is cut down, and how its report is replayed."""
    kept = frozenset(item.number for item in plan_of(5) if item.number % 3)
    assert run(5, keep=kept) == run(5, keep=kept)
    assert run(5, keep=frozenset()).broken is None


def test_the_command_line() -> None:
    """`python -m tests.simulation` tells how many seeds held and how fast, in a sentence or as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seeds", "4", "--first", "7", "--jobs", "1", "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert '"seeds": 4, "first": 7' in done.stdout
