"""The way of frames onto their topic: one record per batch of one laser, acknowledged by the broker before anybody is answered."""

from typing import Final, Protocol
from uuid import UUID

from device_telemetry.frames.consumer import FRAMES_TOPIC
from device_telemetry.frames.rounds import Rounds
from erbium_kernel.errors import Unavailable
from erbium_kernel.settings import Settings
from erbium_kernel.topic.kafka import KafkaOutlet
from erbium_kernel.topic_port import Outgoing, Outlet

CONTENT_TYPE: Final = (("content-type", b"application/x-ndjson"),)


class Sends(Protocol):
    """Where the endpoint hands a batch over."""

    async def send(self, chain_id: UUID, device_id: UUID, record: bytes) -> None:
        """Returns when all in-sync replicas have it. Raises: Unavailable: nothing may be assumed sent."""
        ...


class FramesTopic:
    """The raw topic, for one caller at a time."""

    def __init__(self, outlet: Outlet, *, topic: str = FRAMES_TOPIC) -> None:
        """`outlet` is the caller's to close."""
        self._outlet, self._topic = outlet, topic

    async def send(self, chain_id: UUID, device_id: UUID, record: bytes) -> None:
        """See `Sends`."""
        await self._outlet.publish(self._topic, [_outgoing(chain_id, device_id, record)])


class SharedFramesTopic:
    """The raw topic on Kafka, for many lasers at once. Its producer is made at the first batch: a process that serves none needs none."""

    def __init__(self) -> None:
        """Nothing is connected."""
        self._rounds: Rounds | None = None

    async def send(self, chain_id: UUID, device_id: UUID, record: bytes) -> None:
        """See `Sends`."""
        if self._rounds is None:
            self._rounds = Rounds(_outlet(), FRAMES_TOPIC)
        await self._rounds.send(_outgoing(chain_id, device_id, record))


def _outgoing(chain_id: UUID, device_id: UUID, record: bytes) -> Outgoing:
    """The key is chain and laser, so one laser's batches stay in order."""
    return Outgoing(key=f"{chain_id}/{device_id}".encode(), value=record, headers=CONTENT_TYPE)


def _outlet() -> Outlet:
    settings = Settings()
    if not settings.kafka:
        raise Unavailable("ERBIUM_KAFKA is not set, so frames have nowhere to go")
    return KafkaOutlet(settings.kafka, compression="zstd", security=settings.kafka_security)
