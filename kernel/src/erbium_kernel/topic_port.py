"""What the kernel's roles need from a topic: the memory and the real adapter pass one suite."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A record to publish. `value` None is a tombstone."""

    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A record read back."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Outlet(Protocol):
    """The sending side. Order: per key, what one call sends stays in order and stands after what earlier calls sent."""

    async def publish(self, topic: str, records: Sequence[Outgoing]) -> int:
        """Sends a prefix of `records` (at least one; bounded by one batch per partition) and returns its length.

        Promise: every record of the prefix is acknowledged by all in-sync replicas when it returns; one batch per partition is under way
        at a time. Raises: Unavailable: nothing may be assumed sent, send the same round again.
        """
        ...

    async def publish_to_each_partition(self, topic: str, record: Outgoing, except_of: Collection[bytes] = ()) -> None:
        """The same record (a heartbeat) to every partition, except where records of the keys in `except_of` go. Raises: Unavailable."""
        ...

    async def close(self) -> None:
        """Lets go of the server, within seconds; sends nothing more."""
        ...


class Inlet(Protocol):
    """The reading side of one consumer group; positions are the caller's, Kafka's committed offset is only a hint."""

    async def cluster_id(self) -> str:
        """The id of the cluster. Raises: Unavailable."""
        ...

    async def assigned(self) -> frozenset[tuple[str, int]]:
        """The (topic, partition) pairs that are ours now and have no position set yet since they became ours."""
        ...

    async def seek(self, topic: str, partition: int, offset: int) -> None:
        """Read this partition from `offset` on."""
        ...

    async def poll(self, limit: int, wait_seconds: float) -> Sequence[Received]:
        """Records of positioned partitions, in order inside each. Raises: Unavailable; OffsetGone if a position is outside the topic."""
        ...

    async def end_offsets(self) -> Mapping[tuple[str, int], int]:
        """One past the newest record of each assigned partition, as of now. Raises: Unavailable."""
        ...

    def ends_seen(self) -> Mapping[tuple[str, int], int]:
        """The same of the partitions that are read, as of what was read last: nobody is asked, nobody is waited for."""
        ...

    async def hint(self, positions: Mapping[tuple[str, int], int]) -> None:
        """What the group's committed offsets show to operators' tools: best effort, now and then, never an error."""
        ...

    async def close(self) -> None:
        """Leaves the group, within seconds."""
        ...


class OffsetGone(Exception):
    """The topic no longer holds this position: it was deleted or created again. Nothing is read until an operator decides."""

    def __init__(self, topic: str, partition: int, position: int | None) -> None:
        """`position`: the next offset that was to be read; None if the reader had none."""
        self.topic, self.partition, self.position = topic, partition, position
        super().__init__(f"topic {topic}, partition {partition}: position {position} is not in the topic")
