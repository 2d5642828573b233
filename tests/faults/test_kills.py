"""SIGKILL on every kind of process under load: what was acknowledged is there, once, and everything goes on by itself."""

import random

import pytest

from erbium import provision
from tests.faults.compared import compared
from tests.faults.load import Load
from tests.faults.recovery import recovered
from tests.faults.site import Site
from tests.faults.telling import ROUNDS, WHOLE, Figures, tell

ROUNDS_OF = {"api": 2, "work": 2, "postgres": 1, "kafka": 1} if not WHOLE else dict.fromkeys(("api", "work", "postgres", "kafka"), ROUNDS)


@pytest.mark.parametrize("kind", ROUNDS_OF)
def test_killed(site: Site, figures: Figures, seed: int, kind: str) -> None:
    """Killed at random moments under load: 0 acknowledged commands lost, 0 doubled, every message heard, recovered in time."""
    seeded, took = random.Random(f"{seed}/{kind}"), []
    with Load(site, seed=seeded.getrandbits(32)) as load:
        for round_ in range(ROUNDS_OF[kind]):
            name = kind if kind in ("postgres", "kafka") else f"{seeded.choice(provision.SERVICES)}-{kind}"
            load.go_on(seeded.uniform(0.2, 1.2))
            site.kill(name)
            took.append(recovered(site, site.start(name)))
            tell(f"killed {name}, round {round_ + 1} of {ROUNDS_OF[kind]}: recovered in {took[-1]:.2f} s", load.written)
    found = compared(site, load.written)
    figures[f"killed {kind}"] = {
        "rounds": len(took), **load.written.counts(), "lost": found.lost, "doubled": found.doubled, "not_arrived": found.not_arrived,
        "frames_lost": found.frames_lost, "frames_doubled": found.frames_doubled,
        "recovery_s_median": sorted(took)[len(took) // 2], "recovery_s_max": max(took),
    }  # fmt: skip
