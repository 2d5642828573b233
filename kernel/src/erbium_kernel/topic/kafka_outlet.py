"""The sending side on Kafka: nothing lost, nothing overtaken, every await with an end."""

import asyncio
import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from erbium_kernel.errors import Unavailable
from erbium_kernel.topic.calm import calm_aiokafka
from erbium_kernel.topic.closing import closed
from erbium_kernel.topic_port import Outgoing

REQUEST_TIMEOUT_MS: Final = 10_000
START_SECONDS: Final = 15.0  # connecting and the first metadata
ROUND_SECONDS: Final = 30.0  # a batch gives up by itself after at most two request timeouts
BATCH_BYTES_MAX: Final = 512 * 1024  # of one partition in one round; a first record is taken whatever its size
ROUND_RECORDS_MAX: Final = 5_000
KEYS_KEPT_MAX: Final = 20_000  # whose hash is remembered: murmur2 in Python costs more than all else here


class KafkaOutlet:
    """One producer, replaced whenever the fate of what it holds is unknown.

    Why explicit batches, one per partition and round: with `send()` a batch that gives up is overtaken by the next one in the
    queue. Why idempotence is off: with it aiokafka never gives up, and what hears us knows every event by its id.
    """

    def __init__(self, bootstrap: str, *, compression: str | None = None, security: Mapping[str, Any] | None = None) -> None:
        """`bootstrap`: `host:port[,host:port]`. `security`: aiokafka's own options (`security_protocol`, `ssl_context`, `sasl_*`)."""
        calm_aiokafka()
        self._options = {"bootstrap_servers": bootstrap, "compression_type": compression, **(security or {})}
        self._producer: AIOKafkaProducer | None = None
        self._one_round = asyncio.Lock()

    async def publish(self, topic: str, records: Sequence[Outgoing]) -> int:
        """A prefix of `records` that fits into one batch per partition, acknowledged by all in-sync replicas. Raises: Unavailable."""
        async with self._one_round:
            producer, count = await self._ready(topic)
            batches: dict[int, Any] = {}
            taken = 0
            for record in records[:ROUND_RECORDS_MAX]:
                n = _partition(record.key, count)
                batch = batches[n] if n in batches else batches.setdefault(n, producer.create_batch())
                if batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers)) is None:
                    break
                taken += 1
            await self._send(producer, topic, batches)
            return taken

    async def publish_to_each_partition(self, topic: str, record: Outgoing, except_of: Collection[bytes] = ()) -> None:
        """The same record to every partition but those of the keys in `except_of`. Raises: Unavailable."""
        async with self._one_round:
            producer, count = await self._ready(topic)
            spared = {_partition(key, count) for key in except_of}
            batches = {n: producer.create_batch() for n in range(count) if n not in spared}
            for batch in batches.values():
                batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
            await self._send(producer, topic, batches)

    async def close(self) -> None:
        """Sends nothing more and lets go, within seconds even if the broker is away."""
        async with self._one_round:
            await self._drop()

    async def _ready(self, topic: str) -> tuple[AIOKafkaProducer, int]:
        """A started producer, and how many partitions the topic has."""
        try:
            async with asyncio.timeout(START_SECONDS):
                if self._producer is None:
                    self._producer = _producer(self._options)
                    await self._producer.start()
                return self._producer, len(await self._producer.partitions_for(topic))
        except (KafkaError, TimeoutError, OSError) as error:
            await self._drop()
            raise Unavailable(f"Kafka, topic {topic}: {type(error).__name__}") from error
        except BaseException:
            await self._drop()
            raise

    async def _send(self, producer: AIOKafkaProducer, topic: str, batches: Mapping[int, Any]) -> None:
        """Returns when all batches are acknowledged, raises when all have an end; in between nothing else is sent."""
        reusable = False
        try:
            async with asyncio.timeout(ROUND_SECONDS):
                errors = await _settle(producer, topic, batches)
            reusable = all(isinstance(error, KafkaError) and error.retriable for error in errors)
        except TimeoutError as error:
            raise Unavailable(f"Kafka, topic {topic}: no end within {ROUND_SECONDS} s") from error
        finally:
            if not reusable:
                await self._drop()
        if errors:
            raise Unavailable(f"Kafka, topic {topic}: {type(errors[0]).__name__}")

    async def _drop(self) -> None:
        """What the producer still holds is given up. Why not only `stop()`: it waits for a broker that may never come back."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        if not await closed(producer.stop()):
            await _cut_off(producer)


def _producer(options: Mapping[str, Any]) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        acks="all",
        enable_idempotence=False,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        max_batch_size=BATCH_BYTES_MAX,
        **options,
    )


@functools.lru_cache(maxsize=KEYS_KEPT_MAX)
def _hash(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


def _partition(key: bytes, count: int) -> int:
    """The partition that every client with Kafka's default partitioner would choose."""
    return _hash(key) % count


async def _settle(producer: AIOKafkaProducer, topic: str, batches: Mapping[int, Any]) -> list[BaseException]:
    """Hands over all batches and waits until each is acknowledged or has given up. Why `wait`: a cancelled future breaks the sender."""
    errors: list[BaseException] = []
    under_way: list[asyncio.Future[Any]] = []
    for n, batch in batches.items():
        try:
            under_way.append(await producer.send_batch(batch, topic, partition=n))
        except KafkaError as error:
            errors.append(error)
            break
    if under_way:
        await asyncio.wait(under_way)
    return errors + [failure for future in under_way if (failure := future.exception()) is not None]


async def _cut_off(producer: AIOKafkaProducer) -> None:
    """The sender task first, so that nothing is sent again, then its sockets."""
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    await closed(producer.client.close())
