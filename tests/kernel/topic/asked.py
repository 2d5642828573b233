"""What a test of the relay asks the memory broker, and how it makes it fail."""

import json

from erbium_kernel.errors import Unavailable
from erbium_kernel.message import HEARTBEAT_KEY, ordering_key
from erbium_kernel.topic.memory import MemoryBroker
from erbium_kernel.topic_port import Received
from tests.kernel.topic import post
from tests.kernel.topic.post import CHAIN, TOPIC, patient


def numbers(broker: MemoryBroker, name: str) -> list[int]:
    """What the topic says about a patient, in order."""
    return [json.loads(r.value or b"")["number"] for r in broker.records(TOPIC) if r.key == ordering_key(CHAIN, patient(name))]


def first_seen(values: list[int]) -> list[int]:
    """Without repetitions, as a receiver that knows every id sees them."""
    return list(dict.fromkeys(values))


def beats(broker: MemoryBroker) -> list[Received]:
    """The heartbeats in the topic."""
    return [record for record in broker.records(TOPIC) if record.key == HEARTBEAT_KEY]


def keys_of(broker: MemoryBroker, name: str) -> list[bytes | None]:
    """What the key topic has said about a patient."""
    return [record.value for record in broker.records(post.KEYS) if record.key == ordering_key(CHAIN, patient(name))]


def fail_at(broker: MemoryBroker, place: str, topic: str, times: int = 1) -> None:
    """The broker fails at this place, so many times."""
    left = [times]

    async def hook(where: str, which: str) -> None:
        if (where, which) == (place, topic) and left[0] > 0:
            left[0] -= 1
            raise Unavailable("the broker is away")

    broker.hook = hook
