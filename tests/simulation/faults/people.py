"""What people do: operators by the runbook, and somebody at a laser who begins while a doubt is under way."""

import random
from typing import TYPE_CHECKING, Final
from uuid import UUID

from erbium_kernel.errors import NotFound, Rejected
from erbium_kernel.message import KEYS_TOPIC, topic_of
from screening.patient.state import Registered
from tests.simulation.desks import screening_desk, telemetry_desk
from tests.simulation.faults.choosing import some_site
from tests.simulation.faults.machines import STALE_S
from tests.simulation.faults.topics import TOPICS
from tests.simulation.people import PATIENTS
from tests.simulation.sites import Site
from tests.simulation.turns import wait

if TYPE_CHECKING:
    from tests.simulation.world import World

RELAYS: Final = ("relay", "relay.keys", "relay.keys-again")
LOOK_TURNS: Final = 20
LOOKS_MAX: Final = 40


def operator(world: "World", chance: random.Random) -> None:
    """Somebody looks at what is parked: what nobody will ever read is skipped, the rest let go."""
    world.operate(chance.choice((True, False)))


def forget_positions(world: "World", chance: random.Random) -> None:
    """An operator lets a service forget how far it has read, as the runbook says: processes stopped, then read again from the start."""
    site = some_site(world, chance)
    for process in list(site.processes):
        process.crash()
    site.store.tables.positions.clear()
    world.turns.note(f"{site.name}: positions are forgotten")
    world.later(0.1, lambda: world.come_back(site))


def tell_again(world: "World", chance: random.Random) -> None:
    """An operator lets a service tell everything once more, as the runbook says: processes stopped, the relay's checkpoints deleted."""
    site = some_site(world, chance)
    for process in list(site.processes):
        process.crash()
    _delete_relay_checkpoints(world, site)
    world.turns.note(f"{site.name}: everything is told again")
    world.later(0.1, lambda: world.come_back(site))


def topics_made_again(world: "World", _: random.Random) -> None:
    """Kafka has lost its topics. As the runbook says: everything stopped, topics made anew, everything told again, read from the start."""
    for topic in (*TOPICS, KEYS_TOPIC):
        world.broker.recreate(topic)
        world.topics.forget(topic)
    for site in world.sites.values():
        for process in list(site.processes):
            process.crash()
        site.store.tables.positions.clear()
        _delete_relay_checkpoints(world, site)
        world.later(0.1, lambda site=site: world.come_back(site))  # type: ignore[misc]
    world.turns.note("all topics are made again")


def _delete_relay_checkpoints(world: "World", site: Site) -> None:
    for subscriber in RELAYS:
        site.store.tables.checkpoints.pop(subscriber, None)
        world.checkers.following[site.name].forget(subscriber)


def doubt_unheard(world: "World", chance: random.Random) -> None:
    """At the laser everything is ready. Screening ends the clearance, telemetry does not hear it, minutes pass, somebody begins."""
    ready = [who for who in range(len(PATIENTS)) if telemetry_desk.ready(world, who)]
    if not ready:
        return
    who = chance.choice(ready)
    held = telemetry_desk.SITE, topic_of(screening_desk.SITE)
    world.held_back.add(held)
    world.turns.note(f"telemetry does not hear screening any more; patient {who} is about to be treated")
    clearance_id = chance.choice(telemetry_desk.ready(world, who))[0]
    world.ask(screening_desk.doubt(world, chance, who, clearance_id), who)
    world.turns.start("doubt", _begins_in_doubt(world, chance, who, clearance_id))
    world.later(10 * STALE_S, lambda: world.held_back.discard(held))


async def _begins_in_doubt(world: "World", chance: random.Random, who: int, clearance_id: UUID) -> None:
    """Once screening has recorded it, time passes, and somebody at the laser begins, twice: the second may be refused otherwise."""
    look_us = LOOK_TURNS * world.turns.turn_us
    for _ in range(LOOKS_MAX):
        patient = world.watch.seen[screening_desk.SITE].state("patient", PATIENTS[who])
        if not isinstance(patient, Registered) or patient.clearances[clearance_id].standing != "valid":
            break
        await wait(None, world.time.us + look_us)
    world.let_pass(chance.choice((7, STALE_S, STALE_S, STALE_S)))
    for _ in range(2):
        if (ask := telemetry_desk.open_anyway(world, chance, who)) is not None:
            world.ask(ask, who)
        await wait(None, world.time.us + look_us)


def parked_may_be_skipped(world: "World", site: Site, release_all: bool) -> bool:
    """Every parked key of one service: its first row is skipped if nobody can ever read it, else the key is released. Was there any?"""
    done = False
    if not site.store.tables.parked:
        return False
    for key in site.at_once(site.store.parked()):
        rows = site.at_once(site.store.parked_detail(key.subscriber, key.chain_id, key.ordering_id))
        if key.released or not rows:
            continue
        first = rows[0].envelope
        try:
            if UUID(dict(rows[0].headers).get("ce_id", str(UUID(int=0)))) in world.topics.injected:
                site.at_once(
                    site.store.skip_parked(key.subscriber, key.chain_id, key.ordering_id, first.event_id, "ops-1", "a later version")
                )
            elif release_all:
                site.at_once(site.store.retry_parked(key.subscriber, key.chain_id, key.ordering_id))
        except (NotFound, Rejected):
            continue
        done = True
    return done
