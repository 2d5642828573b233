"""What happens to topics: late, uneven, twice, out of nowhere."""

import random
from typing import TYPE_CHECKING, Final
from uuid import UUID

from device_telemetry.frames.consumer import FRAMES_TOPIC
from erbium_kernel.message import HEARTBEAT_KEY, KEYS_TOPIC, ordering_key, topic_of
from erbium_kernel.topic_port import Outgoing
from tests.simulation.faults.choosing import some_site
from tests.simulation.people import CHAIN, PATIENTS
from tests.simulation.sites import SERVICES

if TYPE_CHECKING:
    from tests.simulation.world import World

TOPICS: Final = tuple(topic_of(service.name) for service in SERVICES)
FUTURE_VERSION: Final = 99


def hold_back(world: "World", chance: random.Random) -> None:
    """One topic comes to one service only later; most often the keys."""
    site = some_site(world, chance)
    topics = [topic_of(name) for name in site.service.listens_to] + ([] if site.service.owns_keys else [KEYS_TOPIC] * 3)
    held = site.name, chance.choice(topics)
    world.held_back.add(held)
    world.turns.note(f"{site.name}: {held[1]} does not come for a while")
    world.later(chance.choice((0.3, 3.0, 12.0)), lambda: world.held_back.discard(held))


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
