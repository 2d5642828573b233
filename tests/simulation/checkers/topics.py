"""R4 on the topics: what a service tells of one key stands there in the order of its log, first tellings counted."""

from collections import Counter
from typing import TYPE_CHECKING
from uuid import UUID

from erbium_kernel.event import Cursor
from erbium_kernel.message import HEARTBEAT_KEY, KEYS_TOPIC, topic_of
from erbium_kernel.topic_port import Outgoing
from tests.simulation.turns import Broken

if TYPE_CHECKING:
    from tests.simulation.world import World

Place = tuple[str, int]


class Topics:
    """Reads every topic along. `told`: message id -> its first place; `injected`: what no service of ours wrote."""

    def __init__(self, world: "World", services: tuple[str, ...]) -> None:
        """Everything is empty."""
        self._world = world
        self._topics = {topic_of(name): name for name in services}
        self._read: dict[Place, int] = {}
        self._order: dict[tuple[str, bytes], Cursor] = {}
        self._written_by: dict[UUID, tuple[str, Cursor]] = {}
        self.told: dict[UUID, tuple[str, int, int]] = {}
        self.injected: set[UUID] = set()
        self.tombstones: Counter[bytes] = Counter()  # of each key, those that compaction has removed included

    def written(self, topic: str) -> None:
        """Something was appended to this topic. Raises: Broken."""
        if topic == KEYS_TOPIC:
            self._count_tombstones()
        service = self._topics.get(topic)
        if service is None:
            return
        for n, part in enumerate(self._world.broker.partitions(topic)):
            for offset in range(self._read.get((topic, n), 0), part.end):
                if offset in part.records and part.records[offset].key != HEARTBEAT_KEY:
                    self._look(service, topic, n, offset, part.records[offset])
            self._read[topic, n] = part.end

    def forget(self, topic: str) -> None:
        """It was made again: its offsets begin at 0."""
        self._read = {place: offset for place, offset in self._read.items() if place[0] != topic}

    def _count_tombstones(self) -> None:
        for n, part in enumerate(self._world.broker.partitions(KEYS_TOPIC)):
            for offset in range(self._read.get((KEYS_TOPIC, n), 0), part.end):
                if offset in part.records and part.records[offset].value is None:
                    self.tombstones[part.records[offset].key] += 1
            self._read[KEYS_TOPIC, n] = part.end

    def _look(self, service: str, topic: str, n: int, offset: int, record: Outgoing) -> None:
        headers = dict(record.headers)
        if "ce_id" not in headers or "ce_eventid" not in headers:
            return  # garbage that the seed has put there
        id_ = UUID(headers["ce_id"].decode())
        if id_ in self.told or id_ in self.injected:
            return
        self.told[id_] = topic, n, offset
        event = self._world.watch.seen[service].by_id.get(UUID(headers["ce_eventid"].decode()))
        if event is None:
            raise Broken(f"R1/R4: {service}: told of an event that is not in its log")
        place, key = event.row.cursor, (service, record.key)
        if self._order.get(key, Cursor()) > place:
            raise Broken(f"R4: {service}: {headers['ce_type'].decode()} was first told after a later message of its key")
        self._order[key] = place
