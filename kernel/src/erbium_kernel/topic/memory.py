"""Kafka as far as the kernel depends on it, in memory: partitions, groups, offsets that can be gone. No clock, no threads.

For the simulation and the quick tests. What a server does by itself (fail, stall, lose a topic) is done from outside, by
`broker.hook` and the methods of `MemoryBroker`.
"""

import zlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from erbium_kernel.errors import Unavailable
from erbium_kernel.topic_port import OffsetGone, Outgoing, Received

BATCH_RECORDS_MAX: Final = 100  # of one partition in one publish; the real outlet is bounded by bytes

Hook = Callable[[str, str], Awaitable[None]]
Place = tuple[str, int]


async def no_hook(_: str, __: str) -> None:
    """Nothing fails and nothing waits."""


class _Partition:
    """Records by offset; trimmed ones are gone from the front, compacted ones from anywhere."""

    def __init__(self) -> None:
        self.start = 0
        self.end = 0
        self.records: dict[int, Outgoing] = {}

    def append(self, record: Outgoing) -> None:
        self.records[self.end] = record
        self.end += 1


class MemoryBroker:
    """One cluster. `hook(place, topic)` is awaited at `before-publish`, `written` (after each partition's batch), `acknowledge`,
    `before-poll`, `polled`, `metadata`: it may wait, or raise `Unavailable`.

    An error at `written` or `acknowledge` leaves a round half or wholly written and unacknowledged, as a broker that dies does.
    """

    def __init__(self, topics: Mapping[str, int], cluster_id: str = "memory-cluster") -> None:
        """`topics`: name -> partitions; nothing is created by itself."""
        self.cluster_id = cluster_id
        self.hook: Hook = no_hook
        self.committed: dict[tuple[str, str, int], int] = {}
        self._topics = {name: [_Partition() for _ in range(count)] for name, count in topics.items()}
        self._groups: dict[str, list[MemoryInlet]] = defaultdict(list)

    def outlet(self) -> "MemoryOutlet":
        """A new sending side."""
        return MemoryOutlet(self)

    def inlet(self, group: str, topics: Collection[str]) -> "MemoryInlet":
        """A new member of a group; all of the group's partitions are shared out again."""
        member = MemoryInlet(self, group, frozenset(topics))
        self._groups[group].append(member)
        self._share_out(group)
        return member

    def partition_of(self, topic: str, key: bytes) -> int:
        """Where records of this key go. Raises: Unavailable if there is no such topic."""
        return zlib.crc32(key) % len(self.partitions(topic))

    def partitions(self, topic: str) -> "list[_Partition]":
        """Raises: Unavailable if there is no such topic."""
        if topic not in self._topics:
            raise Unavailable(f"topic {topic} is not there")
        return self._topics[topic]

    def records(self, topic: str) -> list[Received]:
        """Everything a topic holds, by partition and offset."""
        numbered = enumerate(self.partitions(topic))
        return [_received(topic, n, offset, part.records[offset]) for n, part in numbered for offset in sorted(part.records)]

    def create(self, topic: str, partitions: int) -> None:
        """A new topic; groups that wait for it share it out."""
        self._topics[topic] = [_Partition() for _ in range(partitions)]
        self.rebalance()

    def recreate(self, topic: str) -> None:
        """Deleted and created again: empty, offsets from 0, positions of readers are their own problem."""
        self._topics[topic] = [_Partition() for _ in self.partitions(topic)]

    def wipe(self, cluster_id: str) -> None:
        """Another cluster at the same address: nothing is in it, nobody is remembered."""
        self.cluster_id = cluster_id
        self.committed.clear()
        for topic in self._topics:
            self.recreate(topic)
        self.rebalance()

    def trim(self, topic: str, partition: int, before: int) -> None:
        """Retention: offsets below `before` are gone."""
        part = self.partitions(topic)[partition]
        part.start = max(part.start, before)
        part.records = {offset: record for offset, record in part.records.items() if offset >= before}

    def compact(self, topic: str) -> None:
        """Only the newest record of each key stays, where it was; a tombstone stays as the newest."""
        for part in self.partitions(topic):
            newest = {part.records[offset].key: offset for offset in sorted(part.records)}
            part.records = {offset: part.records[offset] for offset in sorted(newest.values())}

    def rebalance(self) -> None:
        """Every group shares out again, as after a broker's restart: all positions of its members are void."""
        for group in self._groups:
            self._share_out(group)

    def leave(self, group: str, member: "MemoryInlet") -> None:
        """A member is gone; the others get its partitions."""
        if member in self._groups[group]:
            self._groups[group].remove(member)
            self._share_out(group)

    def _share_out(self, group: str) -> None:
        members = self._groups[group]
        shares: list[set[Place]] = [set() for _ in members]
        wanted = {topic for member in members for topic in member.topics if topic in self._topics}
        places = [(topic, n) for topic in sorted(wanted) for n in range(len(self._topics[topic]))]
        for turn, place in enumerate(places):
            takers = [i for i, member in enumerate(members) if place[0] in member.topics]
            shares[takers[turn % len(takers)]].add(place)
        for member, share in zip(members, shares, strict=True):
            member.reassign(frozenset(share))


class MemoryOutlet:
    """The sending side; see `Outlet`."""

    def __init__(self, broker: MemoryBroker) -> None:
        """Nothing is connected: it is memory."""
        self._broker = broker

    async def publish(self, topic: str, records: Sequence[Outgoing]) -> int:
        """A prefix of the records, one batch per partition."""
        await self._broker.hook("before-publish", topic)
        batches: dict[int, list[Outgoing]] = defaultdict(list)
        taken = 0
        for record in records:
            batch = batches[self._broker.partition_of(topic, record.key)]
            if len(batch) == BATCH_RECORDS_MAX:
                break
            batch.append(record)
            taken += 1
        await self._write(topic, batches)
        return taken

    async def publish_to_each_partition(self, topic: str, record: Outgoing, except_of: Collection[bytes] = ()) -> None:
        """The same record to every partition but those of the keys in `except_of`."""
        await self._broker.hook("before-publish", topic)
        spared = {self._broker.partition_of(topic, key) for key in except_of}
        count = len(self._broker.partitions(topic))
        await self._write(topic, {n: [record] for n in range(count) if n not in spared})

    async def close(self) -> None:
        """Nothing to release."""

    async def _write(self, topic: str, batches: Mapping[int, Sequence[Outgoing]]) -> None:
        for n, batch in batches.items():
            for record in batch:
                self._broker.partitions(topic)[n].append(record)
            await self._broker.hook("written", topic)
        await self._broker.hook("acknowledge", topic)


class MemoryInlet:
    """The reading side of one member of a group; see `Inlet`."""

    def __init__(self, broker: MemoryBroker, group: str, topics: frozenset[str]) -> None:
        """Made by `MemoryBroker.inlet`."""
        self.topics = topics
        self._broker = broker
        self._group = group
        self._share: frozenset[Place] = frozenset()
        self._next: dict[Place, int] = {}
        self._first = 0

    def reassign(self, share: frozenset[Place]) -> None:
        """The group's decision: these partitions are ours, and none of them has a position."""
        self._share = share
        self._next.clear()

    async def cluster_id(self) -> str:
        """The id of the cluster."""
        await self._broker.hook("metadata", "")
        return self._broker.cluster_id

    async def assigned(self) -> frozenset[Place]:
        """Ours, and without a position since."""
        return self._share - self._next.keys()

    async def seek(self, topic: str, partition: int, offset: int) -> None:
        """Read on from here; a partition that is no longer ours is left alone."""
        if (topic, partition) in self._share:
            self._next[topic, partition] = offset

    async def poll(self, limit: int, wait_seconds: float) -> Sequence[Received]:
        """What there is, at once: nothing waits in memory. Partitions take turns at being first."""
        await self._broker.hook("before-poll", "")
        places = sorted(self._next)
        turn = self._first % len(places) if places else 0
        self._first += 1
        found: list[Received] = []
        for place in places[turn:] + places[:turn]:
            try:
                found.extend(self._read(place, limit - len(found)))
            except OffsetGone:
                if not found:
                    raise
                break  # as on Kafka: first what was found of others, the error with the next poll
        await self._broker.hook("polled", "")
        return [record for record in found if (record.topic, record.partition) in self._next]

    async def end_offsets(self) -> Mapping[Place, int]:
        """One past the newest record of each partition of ours."""
        await self._broker.hook("metadata", "")
        return {(topic, n): self._broker.partitions(topic)[n].end for topic, n in self._share}

    def ends_seen(self) -> Mapping[Place, int]:
        """The same, of those that have a position; nothing is older in memory."""
        return {(topic, n): self._broker.partitions(topic)[n].end for topic, n in self._next}

    async def hint(self, positions: Mapping[Place, int]) -> None:
        """What the group's committed offsets show to operators' tools; never fails."""
        for (topic, n), position in positions.items():
            self._broker.committed[self._group, topic, n] = position

    async def close(self) -> None:
        """Leaves the group."""
        self._broker.leave(self._group, self)

    def _read(self, place: Place, limit: int) -> list[Received]:
        topic, n = place
        part, position = self._broker.partitions(topic)[n], self._next[place]
        if not part.start <= position <= part.end:
            raise OffsetGone(topic, n, position)
        offsets = [offset for offset in range(position, part.end) if offset in part.records][:limit]
        if limit > 0:
            self._next[place] = offsets[-1] + 1 if len(offsets) == limit else part.end
        return [_received(topic, n, offset, part.records[offset]) for offset in offsets]


def _received(topic: str, partition: int, offset: int, record: Outgoing) -> Received:
    return Received(topic=topic, partition=partition, offset=offset, key=record.key, value=record.value, headers=record.headers)
