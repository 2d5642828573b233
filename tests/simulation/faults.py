"""What goes wrong, one function a fault. Each says what it did in the trace; whatever it breaks mends itself, or is mended at the end."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from uuid import UUID

from device_telemetry.frames.consumer import FRAMES_TOPIC
from erbium_kernel.errors import NotFound, Rejected
from erbium_kernel.message import HEARTBEAT_KEY, KEYS_TOPIC, ordering_key, topic_of
from erbium_kernel.topic_port import Outgoing
from tests.simulation.clocks import SECOND
from tests.simulation.desks import screening_desk, telemetry_desk
from tests.simulation.people import CHAIN, PATIENTS
from tests.simulation.sites import SERVICES, Site

if TYPE_CHECKING:
    from tests.simulation.world import World

Fault = Callable[["World", random.Random], None]
RELAYS: Final = ("relay", "relay.keys", "relay.keys-again")
FUTURE_VERSION: Final = 99
STALE_S: Final = 400  # a copy of screening is too old after 300 s
DOUBT_TURNS: Final = 150  # until screening has recorded it
TOPICS: Final = tuple(topic_of(service.name) for service in SERVICES)


def _site(world: "World", chance: random.Random) -> Site:
    return chance.choice(list(world.sites.values()))


def crash(world: "World", chance: random.Random) -> None:
    """A process dies where it stands and comes back after a while."""
    site = _site(world, chance)
    if site.processes:
        process = chance.choice(site.processes)
        process.crash()
        world.turns.note(f"{process.name} is killed")
        world.later(chance.choice((0.0, 0.1, 2.0)), lambda: world.come_back(site))


def crash_at_commit(world: "World", chance: random.Random) -> None:
    """The next process of this service that commits something dies in that moment: it stands, and nobody has been told."""
    site = _site(world, chance)
    site.dies_at_commit = True
    world.turns.note(f"{site.name}: dies at its next commit")


def power_failure(world: "World", chance: random.Random) -> None:
    """Every process dies."""
    for site in world.sites.values():
        for process in list(site.processes):
            process.crash()
        world.later(chance.choice((0.0, 0.5)), lambda site=site: world.come_back(site))  # type: ignore[misc]
    world.turns.note("the power fails")


def cut_lease(world: "World", chance: random.Random) -> None:
    """The connection of one subscriber dies; whoever held it learns it at the next call."""
    site = _site(world, chance)
    name = chance.choice(["relay", "timers", *world.checkers.following[site.name].subscribers])
    site.store.cut_lease(name)
    world.turns.note(f"{site.name}: the connection of {name} is cut")


def database_away(world: "World", chance: random.Random) -> None:
    """Calls of one service's database fail, all or some, before or after they have done what they were asked."""
    site, fails = _site(world, chance), chance.choice((0.2, 0.6, 1.0))
    site.database_fails = fails
    world.turns.note(f"{site.name}: the database fails {fails:.0%} of its calls")
    world.later(chance.choice((0.05, 0.5, 3.0)), lambda: setattr(site, "database_fails", 0.0))


def broker_away(world: "World", chance: random.Random) -> None:
    """One service cannot reach the broker, always or now and then; what it sent may have arrived all the same."""
    site, fails = _site(world, chance), chance.choice((0.2, 0.6, 1.0))
    site.broker_fails = fails
    world.turns.note(f"{site.name}: the broker fails {fails:.0%} of its calls")
    world.later(chance.choice((0.05, 0.5, 3.0)), lambda: setattr(site, "broker_fails", 0.0))


def hold_back(world: "World", chance: random.Random) -> None:
    """One topic comes to one service only later; most often the keys."""
    site = _site(world, chance)
    topics = [topic_of(name) for name in site.service.listens_to] + ([] if site.service.owns_keys else [KEYS_TOPIC] * 3)
    held = site.name, chance.choice(topics)
    world.held_back.add(held)
    world.turns.note(f"{site.name}: {held[1]} does not come for a while")
    world.later(chance.choice((0.3, 3.0, 12.0)), lambda: world.held_back.discard(held))


def doubt_unheard(world: "World", chance: random.Random) -> None:
    """At the laser everything is ready. Screening ends the clearance, telemetry does not hear it, minutes pass, somebody begins."""
    ready = [who for who in range(len(PATIENTS)) if telemetry_desk.open_anyway(world, random.Random(0), who)]
    if not ready:
        return
    who = chance.choice(ready)
    held = telemetry_desk.SITE, topic_of(screening_desk.SITE)
    world.held_back.add(held)
    world.turns.note(f"telemetry does not hear screening any more; patient {who} is about to be treated")
    against = chance.choice((screening_desk.revoke, screening_desk.report_procedure))
    if (ask := against(world, chance, who)) is not None:
        world.ask(ask, who)
    turn_s = world.turns.turn_us / SECOND
    world.later(DOUBT_TURNS * turn_s, lambda: world.let_pass(chance.choice((7, STALE_S))))

    def begins() -> None:
        if (ask := telemetry_desk.open_anyway(world, chance, who)) is not None:
            world.ask(ask, who)

    world.later((DOUBT_TURNS + 30) * turn_s, begins)
    world.later(10 * STALE_S, lambda: world.held_back.discard(held))


def slow(world: "World", chance: random.Random) -> None:
    """One task of one process, or all of it, gets hardly any turns for a while."""
    site = _site(world, chance)
    if not site.processes:
        return
    tasks = [task for task in chance.choice(site.processes).tasks if task.alive]
    chosen = tasks if chance.random() < 0.3 else [chance.choice(tasks)]
    for task in chosen:
        task.pace = 0.02
    world.turns.note(f"{chosen[0].name} and {len(chosen) - 1} more are slow")
    world.later(chance.choice((0.2, 1.0, 4.0)), lambda: [setattr(task, "pace", 1.0) for task in chosen] and None)


def second_process(world: "World", chance: random.Random) -> None:
    """A new process beside the old one, as when a new version is rolled out; the old one ends a little later."""
    site = _site(world, chance)
    if len(site.processes) != 1:
        return
    old = site.processes[0]
    new = world.start_process(site)
    world.turns.note(f"{new.name} runs beside {old.name}")
    world.later(chance.choice((0.1, 1.0, 5.0)), lambda: old.crash() if old.alive and len(site.processes) > 1 else None)


def rebalance(world: "World", _: random.Random) -> None:
    """All groups share out again, and the broker has forgotten every committed offset."""
    world.broker.committed.clear()
    world.broker.rebalance()
    world.turns.note("rebalanced, and all committed offsets are lost")


def duplicate(world: "World", chance: random.Random) -> None:
    """Records that stand in a topic are written once more, as by a relay that was believed dead."""
    topic = chance.choice((*TOPICS, FRAMES_TOPIC))
    partition = chance.choice(world.broker.partitions(topic))
    known = [record for _, record in sorted(partition.records.items()) if record.key != HEARTBEAT_KEY]
    for record in chance.sample(known, min(len(known), chance.randint(1, 4))):
        partition.append(record)
    world.turns.note(f"{topic}: records are written again")
    world.topics.written(topic)
    world.tell_readers(topic)


def late_key(world: "World", chance: random.Random) -> None:
    """A key's value is written once more, maybe after its tombstone: a frozen broker does so."""
    parts = world.broker.partitions(KEYS_TOPIC)
    partition = chance.choice([part for part in parts if any(one.value is None for one in part.records.values())] or parts)
    values = [record for _, record in sorted(partition.records.items()) if record.value is not None]
    if not values:
        return
    record = chance.choice([one for one in values if world.topics.tombstones[one.key]] or values)
    tombstones = world.topics.tombstones[record.key]
    if tombstones <= 1:  # the second one stands 20 s after the first, when nothing older is under way any more
        partition.append(record)
        world.turns.note(f"{KEYS_TOPIC}: a key is written again, after {tombstones} tombstones")
        world.tell_readers(KEYS_TOPIC)


def compact(world: "World", _: random.Random) -> None:
    """Only the newest record of each key stays in the key topic."""
    world.broker.compact(KEYS_TOPIC)
    world.turns.note(f"{KEYS_TOPIC} is compacted")


def restore(world: "World", chance: random.Random) -> None:
    """A service's database is moved into a fresh cluster: everything is there, transaction ids begin again."""
    site = _site(world, chance)
    for process in list(site.processes):
        process.crash()
    site.store.new_epoch()
    world.turns.note(f"{site.name}: restored, epoch {site.store.transactions.epoch}")
    world.later(0.1, lambda: world.come_back(site))


def forget_positions(world: "World", chance: random.Random) -> None:
    """An operator lets a service forget how far it has read, as the runbook says: processes stopped, then read again from the start."""
    site = _site(world, chance)
    for process in list(site.processes):
        process.crash()
    site.store.tables.positions.clear()
    world.turns.note(f"{site.name}: positions are forgotten")
    world.later(0.1, lambda: world.come_back(site))


def tell_again(world: "World", chance: random.Random) -> None:
    """An operator lets a service tell everything once more, as the runbook says: processes stopped, the relay's checkpoints deleted."""
    site = _site(world, chance)
    for process in list(site.processes):
        process.crash()
    for subscriber in RELAYS:
        site.store.tables.checkpoints.pop(subscriber, None)
        world.checkers.following[site.name].forget(subscriber)
    world.turns.note(f"{site.name}: everything is told again")
    world.later(0.1, lambda: world.come_back(site))


def garbage(world: "World", chance: random.Random) -> None:
    """Somebody else writes what nobody can read."""
    topic = chance.choice((*TOPICS, KEYS_TOPIC))
    key = chance.choice((b"nonsense", b"", ordering_key(CHAIN, PATIENTS[0])))
    if topic == KEYS_TOPIC:
        key = b"nonsense"
    chance.choice(world.broker.partitions(topic)).append(Outgoing(key=key, value=b"\x00{", headers=(("ce_type", b"no"),)))
    world.turns.note(f"{topic}: garbage is written")
    world.tell_readers(topic)


def future(world: "World", chance: random.Random) -> None:
    """A known fact of a version that nobody here knows, about one of the patients."""
    topic = chance.choice(TOPICS)
    known = [record for record in world.broker.records(topic) if record.key != HEARTBEAT_KEY and dict(record.headers).get("ce_id")]
    if not known:
        return
    record = chance.choice(known)
    id_ = UUID(int=chance.getrandbits(128), version=4)
    headers = dict(record.headers)
    if "ce_eventid" not in headers:
        return
    type_ = headers["ce_type"].decode().rpartition(".v")[0]
    changed = headers | {"ce_id": str(id_).encode(), "ce_type": f"{type_}.v{FUTURE_VERSION}".encode(), "ce_eventid": str(id_).encode()}
    world.topics.injected.add(id_)
    assert record.key is not None
    outgoing = Outgoing(key=record.key, value=record.value, headers=tuple(changed.items()))
    world.broker.partitions(topic)[world.broker.partition_of(topic, record.key)].append(outgoing)
    world.turns.note(f"{topic}: {type_} of a later version is written")
    world.tell_readers(topic)


def bug(world: "World", chance: random.Random) -> None:
    """The next row of one subscriber meets a bug of ours."""
    site = _site(world, chance)
    subscribers = [name for name in world.checkers.following[site.name].subscribers if name != site.service.erasure]
    name = chance.choice(["relay", *subscribers])
    site.burn_next.add(name)
    world.turns.note(f"{site.name}: {name} has a bug")


def operator(world: "World", chance: random.Random) -> None:
    """Somebody looks at what is parked: what nobody will ever read is skipped, the rest let go."""
    world.operate(chance.choice((True, False)))


def clock_step(world: "World", chance: random.Random) -> None:
    """One machine's clock is set, forward or back."""
    site = _site(world, chance)
    site.clock.set_skew(int(chance.uniform(-2, 2) * SECOND))
    world.turns.note(f"{site.name}: the machine's clock is set to {site.clock.machine():%H:%M:%S.%f}")


def minutes_pass(world: "World", chance: random.Random) -> None:
    """The whole world stands still for some minutes, as a laptop does whose lid is closed."""
    world.let_pass(chance.choice((7, 40, STALE_S)))


FAULTS: Final[dict[str, Fault]] = {
    fault.__name__: fault
    for fault in (
        crash, power_failure, cut_lease, database_away, broker_away, hold_back, doubt_unheard, slow, second_process, rebalance, duplicate,
        late_key, compact, restore, forget_positions, tell_again, garbage, future, bug, operator, clock_step, minutes_pass,
    )
}  # fmt: skip


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
