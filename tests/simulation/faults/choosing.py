"""Whom a fault hits."""

import random
from typing import TYPE_CHECKING

from tests.simulation.sites import Site

if TYPE_CHECKING:
    from tests.simulation.world import World


def some_site(world: "World", chance: random.Random) -> Site:
    """One of the four services."""
    return chance.choice(list(world.sites.values()))
