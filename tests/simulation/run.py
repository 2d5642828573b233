"""One seed from its beginning to its rest, and what came of it."""

import logging
import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from tests.simulation.clients import Ask
from tests.simulation.faults import FAULTS
from tests.simulation.journeys import NOISE, next_step
from tests.simulation.plan import Item, plan_of
from tests.simulation.planted import NOTHING, Planted
from tests.simulation.rest import come_to_rest
from tests.simulation.turns import Broken, Taken
from tests.simulation.world import World

LATER: Final = (timedelta(hours=3), timedelta(days=2), timedelta(days=12))  # holds have expired, visits begun, freezes ended
LATER_SHARE: Final = 0.3  # how often it is looked then too
PATIENT: Final = 0.85  # how often the next thing waits for the answer to the one before,
PATIENT_TURNS_MAX: Final = 400  # at most so long
NEWS_TURNS: Final = 60  # what others have to hear first takes about so long
THE_END: Final = timedelta(days=60)  # check-ins, clearances: every clock has run down


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of a seed. `broken`: the promise that did not hold, None if all did."""

    seed: int
    trace: int
    turns: int
    events: int
    broken: str | None
    last: tuple[Taken, ...]


def run(seed: int, *, planted: Planted = NOTHING, keep: Collection[int] | None = None) -> Run:
    """The same seed (and the same items kept) gives the same trace, in every process."""
    with _quiet(), planted.in_place():
        world = World(random.Random(f"world {seed}"), planted)
        broken = None
        try:
            plan = plan_of(seed)
            patients = max((item.who for item in plan), default=0) + 1
            _play(world, [item for item in plan if keep is None or item.number in keep], patients)
        except Broken as failure:
            broken = str(failure)
            world.turns.note(f"broken: {broken}")
        finally:
            world.end()
        events = sum(len(seen.own) + len(seen.heard) for seen in world.watch.seen.values())
        return Run(seed=seed, trace=world.turns.trace, turns=world.turns.number, events=events, broken=broken, last=tuple(world.turns.last))


def _play(world: World, items: list[Item], patients: int) -> None:
    world.open(patients)
    for item in items:
        world.run(item.gap)
        _do(world, item)
    come_to_rest(world)
    world.checkers.at_rest()
    between = [world.chance.choice(LATER)] if world.chance.random() < LATER_SHARE else []
    for step in (*between, THE_END):
        world.move_domain_time(step)
        come_to_rest(world)
        world.checkers.at_rest()
    world.checkers.at_the_end()


def _do(world: World, item: Item) -> None:
    chance = random.Random(item.seed)
    if item.kind == "next" and chance.random() < PATIENT:
        world.run_while(lambda: bool(world.busy[item.who]), PATIENT_TURNS_MAX)
    world.turns.note(str(item))
    if item.kind in FAULTS:
        FAULTS[item.kind](world, chance)
        return
    wish = next_step(world, chance, item.who) if item.kind == "next" else NOISE[item.kind](world, chance, item.who)
    if isinstance(wish, Ask):
        world.ask(wish, item.who)
    elif isinstance(wish, datetime):
        world.move_domain_time_to(wish)
    elif item.kind == "next":
        world.run(NEWS_TURNS)


@contextmanager
def _quiet() -> Iterator[None]:
    """Parked rows and refusals are what a run is full of: nobody reads its log lines."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
