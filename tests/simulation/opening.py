"""What is there before a run begins: clinics, rooms, staff, lasers. Decided once in a process, then only appended."""

import random
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from erbium_kernel.errors import Rejected
from erbium_kernel.log_records import Append
from tests.simulation.clients import Ask, call_of
from tests.simulation.desks import scheduling_desk, screening_desk, telemetry_desk
from tests.simulation.people import CLINICS, PRACTITIONERS
from tests.simulation.planted import NOTHING
from tests.simulation.sites import Process, WatchedStore

if TYPE_CHECKING:
    from tests.simulation.world import World


def open_clinics(world: "World") -> None:
    """As if it had been done long ago: nothing of it has been told to the other services yet."""
    for name, work in _works():
        site = world.sites[name]
        site.at_once(site.store.append(work))


def known_patients(world: "World", chance: random.Random, patients: int) -> None:
    """Some of so many patients have been here before: registered, maybe examined, asked and cleared."""
    for who in range(patients):
        steps = (screening_desk.register, screening_desk.examine, screening_desk.answer, screening_desk.request_clearance)
        for step in steps[: chance.choice((0, 1, 4, 4))]:
            ask = step(world, chance, who)
            world.clients += 1
            site = world.sites[ask.site]
            with suppress(Rejected):
                site.at_once(ask.handle(call_of(world.clients, ask, Process(site, 0))))


@cache
def _works() -> tuple[tuple[str, Append], ...]:
    """The same for every seed, so that a run begins quickly."""
    from tests.simulation.world import World

    world = World(random.Random("opening"), NOTHING)
    found: list[tuple[str, Append]] = []
    for name, site in world.sites.items():
        site.store.appended = lambda work, name=name: found.append((name, work))
    for number, ask in enumerate(_asks()):
        site = world.sites[ask.site]
        assert isinstance(site.store, WatchedStore)
        site.at_once(ask.handle(call_of(number, ask, Process(site, 0))))
    return tuple(found)


def _asks() -> list[Ask]:
    asks: list[Ask] = []
    for clinic in CLINICS:
        asks += [*scheduling_desk.open_clinic(clinic), telemetry_desk.register_laser(clinic), telemetry_desk.claim_laser(clinic)]
        asks += [scheduling_desk.license_practitioner(practitioner, clinic) for practitioner in PRACTITIONERS]
    return asks
