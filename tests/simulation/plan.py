"""What a seed is made of: a list of items, each by itself, so that a failing list can be cut down to what the failure needs."""

import random
from dataclasses import dataclass
from typing import Final

from tests.simulation.faults import FAULTS
from tests.simulation.journeys import NOISE
from tests.simulation.people import PATIENTS_MAX

ITEMS_MIN: Final = 25
ITEMS_MAX: Final = 50
GAPS: Final = (4, 12, 30)  # turns between two items, on average
TOGETHER: Final = 0.25  # how often an item comes at once with the one before
FAULT_SHARES: Final = (0.0, 0.1, 0.2, 0.35)
NOISE_SHARES: Final = (0.05, 0.15, 0.35)
FORGETFUL: Final = 0.2  # how often a run is about erasures
DEAF: Final = 0.2  # how often it is about a telemetry that does not hear screening
RARE: Final = {"goodbye": 0.5, "fault": 0.4, "abort": 0.4, "revoke": 0.5}


@dataclass(frozen=True, slots=True)
class Item:
    """`number` names it; `gap`: turns before it; `seed`: its own chance."""

    number: int
    gap: int
    kind: str
    who: int
    seed: int

    def __str__(self) -> str:
        """For the report."""
        return f"[{self.number:2}] after {self.gap:3} turns: {self.kind}" + (
            f" (patient {self.who})" if self.kind in ("next", *NOISE) else ""
        )


def plan_of(seed: int) -> tuple[Item, ...]:
    """The same seed, the same items. Each seed has its own temper: which faults there are at all, how dense everything is."""
    chance = random.Random(f"plan {seed}")
    patients = chance.choice((1, 2, 2, PATIENTS_MAX))
    gap = chance.choice(GAPS)
    faults = chance.sample(sorted(FAULTS), chance.randint(0, len(FAULTS)))
    noises = [noise for noise in NOISE if chance.random() < RARE.get(noise, 0.8)] or ["hold"]
    shares = chance.choice(FAULT_SHARES), chance.choice(NOISE_SHARES)
    if chance.random() < FORGETFUL:
        faults, noises, shares = [*faults, "late_key", "late_key", "hold_back"], [*noises, "goodbye", "goodbye"], (0.35, 0.25)
    if chance.random() < DEAF:
        faults, shares, patients = [*faults, *("doubt_unheard" for _ in FAULTS)], (0.4, 0.02), 1
    items = []
    for number in range(chance.randint(ITEMS_MAX if patients == 1 else ITEMS_MIN, ITEMS_MAX + 5)):
        pause = 0 if chance.random() < TOGETHER else int(chance.expovariate(1 / gap))
        items.append(Item(number, pause, _kind(chance, faults, noises, shares), chance.randrange(patients), chance.getrandbits(32)))
    return tuple(items)


def _kind(chance: random.Random, faults: list[str], noises: list[str], shares: tuple[float, float]) -> str:
    dice = chance.random()
    if faults and dice < shares[0]:
        return chance.choice(faults)
    return chance.choice(noises) if dice < sum(shares) else "next"
