"""R1, R4, R7 when everything has come to rest: whatever was told has been heard, by everybody who listens, in order, once."""

from collections import defaultdict
from typing import TYPE_CHECKING
from uuid import UUID

from erbium_kernel.event import Cursor
from erbium_kernel.message import KEYS_TOPIC, topic_of
from tests.simulation.turns import Broken
from tests.simulation.watch import Seen

if TYPE_CHECKING:
    from tests.simulation.world import World


def check_everything_heard(world: "World") -> None:
    """Raises: Broken."""
    for seen in world.watch.seen.values():
        _all_told(world, seen)
        _all_followed(world, seen)
        for origin in seen.site.service.listens_to:
            _all_heard(world, seen, origin)
        _all_read(world, seen)


def _all_told(world: "World", seen: Seen) -> None:
    skipped = {event_id for subscriber, _, event_id in seen.site.store.tables.skips if subscriber == "relay"}
    for told in seen.own:
        missing = [id_ for id_ in told.messages if id_ not in world.topics.told]
        if missing and told.row.envelope.event_id not in skipped:
            raise Broken(f"R4: {seen.site.name}: {told.row.envelope.type} was never told")


def _all_followed(world: "World", seen: Seen) -> None:
    tables = seen.site.store.tables
    if tables.parked:
        raise Broken(f"R7: {seen.site.name}: still parked, although nothing is wrong any more: {sorted(tables.parked)[0]}")
    if name := world.checkers.following[seen.site.name].behind():
        raise Broken(f"R4: {seen.site.name}: {name} rests, and the log goes on")


def _all_heard(world: "World", seen: Seen, origin: str) -> None:
    """What was told stands in the log, each message once, in the order of its key."""
    sender = world.watch.seen[origin]
    told: dict[UUID, list[UUID]] = defaultdict(list)
    for event in sender.own:
        told[event.row.envelope.ordering_id] += [id_ for id_ in event.messages if id_ in world.topics.told]
    heard: dict[UUID, list[UUID]] = defaultdict(list)
    for row in seen.log.after(Cursor()):
        if row.envelope.origin == origin:
            id_ = UUID(dict(row.headers)["ce_id"])
            if id_ not in world.topics.injected:
                heard[row.envelope.ordering_id].append(id_)
    for ordering_id, ids in told.items():
        got = heard.pop(ordering_id, [])
        if sorted(got) != sorted(ids):
            twice = len(got) - len(set(got))
            raise Broken(f"R4: {seen.site.name}: of {len(ids)} messages of {origin} about one key it has heard {len(got)}, {twice} twice")
        if got != ids:
            raise Broken(f"R4: {seen.site.name}: heard the messages of {origin} about one key in another order than they were told")
    if heard:
        raise Broken(f"R4: {seen.site.name}: heard of {origin} what it never told")


def _all_read(world: "World", seen: Seen) -> None:
    """One unreadable message never stops a partition."""
    service, positions = seen.site.service, seen.site.store.tables.positions
    topics = [topic_of(name) for name in service.listens_to] + ([] if service.owns_keys else [KEYS_TOPIC])
    for topic in topics:
        for n, part in enumerate(world.broker.partitions(topic)):
            if positions.get((topic, n), 0) != part.end:
                raise Broken(f"R7: {service.name}: reads {topic}[{n}] no further than {positions.get((topic, n), 0)} of {part.end}")
