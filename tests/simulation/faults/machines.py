"""Machines, processes, connections and clocks that fail. Whatever breaks mends itself, or is mended at the end."""

import random
from typing import TYPE_CHECKING, Final

from tests.simulation.clocks import SECOND
from tests.simulation.faults.choosing import some_site

if TYPE_CHECKING:
    from tests.simulation.world import World

STALE_S: Final = 400  # a copy of screening is too old after 300 s


def crash(world: "World", chance: random.Random) -> None:
    """A process dies where it stands and comes back after a while."""
    site = some_site(world, chance)
    if site.processes:
        process = chance.choice(site.processes)
        process.crash()
        world.turns.note(f"{process.name} is killed")
        world.later(chance.choice((0.0, 0.1, 2.0)), lambda: world.come_back(site))


def crash_at_commit(world: "World", chance: random.Random) -> None:
    """The next process of this service that commits something dies in that moment: it stands, and nobody has been told."""
    site = some_site(world, chance)
    site.dies_at_commit = True
    world.turns.note(f"{site.name}: dies at its next commit")


def power_failure(world: "World", chance: random.Random) -> None:
    """Every process dies."""
    for site in world.sites.values():
        for process in list(site.processes):
            process.crash()
        world.later(chance.choice((0.0, 0.5)), lambda site=site: world.come_back(site))  # type: ignore[misc]
    world.turns.note("the power fails")


def second_process(world: "World", chance: random.Random) -> None:
    """A new process beside the old one, as when a new version is rolled out; the old one ends a little later."""
    site = some_site(world, chance)
    if len(site.processes) != 1:
        return
    old = site.processes[0]
    new = world.start_process(site)
    world.turns.note(f"{new.name} runs beside {old.name}")
    world.later(chance.choice((0.1, 1.0, 5.0)), lambda: old.crash() if old.alive and len(site.processes) > 1 else None)


def slow(world: "World", chance: random.Random) -> None:
    """One task of one process, or all of it, gets hardly any turns for a while."""
    site = some_site(world, chance)
    if not site.processes:
        return
    tasks = [task for task in chance.choice(site.processes).tasks if task.alive]
    chosen = tasks if chance.random() < 0.3 else [chance.choice(tasks)]
    for task in chosen:
        task.pace = 0.02
    world.turns.note(f"{chosen[0].name} and {len(chosen) - 1} more are slow")

    def goes_on() -> None:
        for task in chosen:
            task.pace = 1.0

    world.later(chance.choice((0.2, 1.0, 4.0)), goes_on)


def cut_lease(world: "World", chance: random.Random) -> None:
    """The connection of one subscriber dies; whoever held it learns it at the next call."""
    site = some_site(world, chance)
    name = chance.choice(["relay", "timers", *world.checkers.following[site.name].subscribers])
    site.store.cut_lease(name)
    world.turns.note(f"{site.name}: the connection of {name} is cut")


def database_away(world: "World", chance: random.Random) -> None:
    """Calls of one service's database fail, all or some, before or after they have done what they were asked."""
    site, fails = some_site(world, chance), chance.choice((0.2, 0.6, 1.0))
    site.database_fails = fails
    world.turns.note(f"{site.name}: the database fails {fails:.0%} of its calls")
    world.later(chance.choice((0.05, 0.5, 3.0)), lambda: setattr(site, "database_fails", 0.0))


def broker_away(world: "World", chance: random.Random) -> None:
    """One service cannot reach the broker, always or now and then; what it sent may have arrived all the same."""
    site, fails = some_site(world, chance), chance.choice((0.2, 0.6, 1.0))
    site.broker_fails = fails
    world.turns.note(f"{site.name}: the broker fails {fails:.0%} of its calls")
    world.later(chance.choice((0.05, 0.5, 3.0)), lambda: setattr(site, "broker_fails", 0.0))


def restore(world: "World", chance: random.Random) -> None:
    """A service's database is moved into a fresh cluster: everything is there, transaction ids begin again."""
    site = some_site(world, chance)
    for process in list(site.processes):
        process.crash()
    site.store.new_epoch()
    world.turns.note(f"{site.name}: restored, epoch {site.store.transactions.epoch}")
    world.later(0.1, lambda: world.come_back(site))


def clock_step(world: "World", chance: random.Random) -> None:
    """One machine's clock is set, forward or back."""
    site = some_site(world, chance)
    site.clock.set_skew(int(chance.uniform(-2, 2) * SECOND))
    world.turns.note(f"{site.name}: the machine's clock is set to {site.clock.machine():%H:%M:%S.%f}")


def minutes_pass(world: "World", chance: random.Random) -> None:
    """The whole world stands still for some minutes, as a laptop does whose lid is closed."""
    world.let_pass(chance.choice((7, 40, STALE_S)))


def bug(world: "World", chance: random.Random) -> None:
    """The next row of one subscriber meets a bug of ours."""
    site = some_site(world, chance)
    subscribers = [name for name in world.checkers.following[site.name].subscribers if name != site.service.erasure]
    name = chance.choice(["relay", *subscribers])
    site.burn_next.add(name)
    world.turns.note(f"{site.name}: {name} has a bug")
