"""The brokers under test, the one in memory and the real one, behind the same few methods."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from erbium_kernel.topic.kafka import KafkaInlet, KafkaOutlet
from erbium_kernel.topic.memory import MemoryBroker
from erbium_kernel.topic_port import Inlet, Outgoing, Outlet, Received

READ_SECONDS_MAX = 20.0
POLLS_IN_MEMORY_MAX = 2_000
PATIENCE_SECONDS = 0.3  # to become sure that nothing comes


class Broker(Protocol):
    """One cluster with topics of this test's own."""

    async def topic(self, partitions: int = 4) -> str:
        """A new, empty topic."""
        ...

    async def recreate(self, topic: str) -> None:
        """Deleted, and created again with as many partitions."""
        ...

    def outlet(self) -> Outlet:
        """A sending side, closed at the end of the test."""
        ...

    def inlet(self, group: str, *topics: str) -> Inlet:
        """A new member of the group, closed at the end of the test."""
        ...


class InMemory:
    """The memory adapters."""

    def __init__(self) -> None:
        """An empty cluster."""
        self.broker = MemoryBroker({})

    async def topic(self, partitions: int = 4) -> str:
        """A new, empty topic."""
        name = f"erbium.t{uuid4().hex[:12]}.v1"
        self.broker.create(name, partitions)
        return name

    async def recreate(self, topic: str) -> None:
        """Deleted, and created again."""
        self.broker.recreate(topic)

    def outlet(self) -> Outlet:
        """A sending side."""
        return self.broker.outlet()

    def inlet(self, group: str, *topics: str) -> Inlet:
        """A new member of the group."""
        return self.broker.inlet(group, topics)

    async def close(self) -> None:
        """Nothing is left behind."""


class OnKafka:
    """The real adapters on a real broker."""

    def __init__(self, bootstrap: str) -> None:
        """`bootstrap`: `host:port`."""
        self.bootstrap = bootstrap
        self._topics: dict[str, int] = {}
        self._open: list[Outlet | Inlet] = []

    async def topic(self, partitions: int = 4) -> str:
        """A new, empty topic whose partitions have leaders."""
        name = f"erbium.t{uuid4().hex[:12]}.v1"
        await self.create(name, partitions)
        return name

    async def create(self, name: str, partitions: int) -> None:
        """A new, empty topic of this name."""
        self._topics[name] = partitions
        await self._create(name)

    async def delete(self, topic: str) -> None:
        """Gone, with all that is in it."""
        async with _Admin(self.bootstrap) as admin:
            await admin.delete_topics([topic])

    async def recreate(self, topic: str) -> None:
        """Deleted, and created again, as soon as the broker allows it."""
        await self.delete(topic)
        await self._create(topic)

    def forget_later(self, topic: str) -> None:
        """Deleted with the others, if it is there."""
        self._topics[topic] = 0

    def outlet(self) -> Outlet:
        """A sending side."""
        outlet = KafkaOutlet(self.bootstrap)
        self._open.append(outlet)
        return outlet

    def inlet(self, group: str, *topics: str) -> Inlet:
        """A new member of the group."""
        inlet = KafkaInlet(self.bootstrap, group, topics)
        self._open.append(inlet)
        return inlet

    async def close(self) -> None:
        """Clients closed, topics deleted."""
        for client in self._open:
            await client.close()
        async with _Admin(self.bootstrap) as admin:
            if self._topics:
                await admin.delete_topics(list(self._topics))

    async def _create(self, name: str) -> None:
        async with _Admin(self.bootstrap) as admin, asyncio.timeout(READ_SECONDS_MAX):
            while (await admin.create_topics([NewTopic(name, self._topics[name], 1)])).topic_errors[0][1] != 0:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the broker does not call back
            while not _led(await admin.describe_topics(), name):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


class _Admin:
    def __init__(self, bootstrap: str) -> None:
        self._client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self._client.start()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


def _led(topics: Sequence[dict[str, object]], name: str) -> bool:
    found = [topic["partitions"] for topic in topics if topic["topic"] == name]
    return bool(found) and all(partition["leader"] >= 0 for partition in found[0])  # type: ignore[attr-defined]


def letter(key: str, text: str) -> Outgoing:
    """A record with a header that repeats its text."""
    return Outgoing(key=key.encode(), value=text.encode(), headers=(("ce_id", text.encode()),))


def texts(records: Sequence[Received], key: str | None = None) -> list[str]:
    """The bodies, of one key or of all."""
    return [(record.value or b"").decode() for record in records if key is None or record.key == key.encode()]


async def place(inlet: Inlet, positions: dict[int, int] | None = None, count: int = 4) -> None:
    """Waits until `count` partitions are ours, and gives each its position (default 0)."""
    placed = 0
    start, polls = time.monotonic(), 0
    while placed < count:
        for topic, n in sorted(await inlet.assigned()):
            await inlet.seek(topic, n, (positions or {}).get(n, 0))
            placed += 1
        polls += 1
        _patience(start, polls)
        if placed < count:
            await inlet.poll(1, 0.05)


async def read(inlet: Inlet, enough: Callable[[list[Received]], bool]) -> list[Received]:
    """Polls until it is enough; partitions shared out again meanwhile are placed at what was read of them."""
    found: list[Received] = []
    start, polls = time.monotonic(), 0
    while not enough(found):
        for topic, n in sorted(await inlet.assigned()):
            await inlet.seek(topic, n, max([r.offset + 1 for r in found if (r.topic, r.partition) == (topic, n)], default=0))
        found += await inlet.poll(500, 0.1)
        polls += 1
        _patience(start, polls)
    return found


async def nothing_comes(inlet: Inlet) -> bool:
    """Is it so for a little while?"""
    end = time.monotonic() + PATIENCE_SECONDS
    polls = 0
    while time.monotonic() < end and polls < POLLS_IN_MEMORY_MAX:
        if await inlet.poll(500, 0.1):
            return False
        polls += 1
    return True


def _patience(start: float, polls: int) -> None:
    assert polls < POLLS_IN_MEMORY_MAX, "it did not come in time"
    assert time.monotonic() - start < READ_SECONDS_MAX, "it did not come in time"


async def send_all(outlet: Outlet, topic: str, records: Sequence[Outgoing]) -> int:
    """One prefix after the other; returns how many there were."""
    sent = prefixes = 0
    while sent < len(records):
        sent += await outlet.publish(topic, records[sent:])
        prefixes += 1
    return prefixes
