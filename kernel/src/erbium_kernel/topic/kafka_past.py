"""A topic read once from some place to where it ends now, outside every consumer group."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from erbium_kernel.errors import Unavailable
from erbium_kernel.topic.calm import calm_aiokafka
from erbium_kernel.topic.closing import consumer_closed
from erbium_kernel.topic_port import Received

START_SECONDS: Final = 15.0
ANSWER_SECONDS: Final = 10.0
SILENT_SECONDS_MAX: Final = 15.0  # nothing although the end is not reached: the broker has gone
FETCH_MS: Final = 500
RECORDS_AT_ONCE_MAX: Final = 2_000


class Past:
    """What stands in a topic up to its end as it was when this was opened. `ends`: partition -> one past the newest record."""

    def __init__(self, consumer: AIOKafkaConsumer, places: Mapping[int, TopicPartition], ends: Mapping[int, int]) -> None:
        """Use `past_of`."""
        self._consumer, self._places, self.ends = consumer, places, ends

    async def records(self) -> AsyncIterator[Sequence[Received]]:
        """In order inside each partition, some at a time. Raises: Unavailable when nothing comes although there is more."""
        heard_at = _now()
        while await self._more():
            async with _told():
                found = await self._consumer.getmany(timeout_ms=FETCH_MS, max_records=RECORDS_AT_ONCE_MAX)
            piece = [_received(record) for part in found.values() for record in part if record.offset < self.ends[record.partition]]
            if piece:
                heard_at = _now()
                yield piece
            elif _now() - heard_at > SILENT_SECONDS_MAX:
                raise Unavailable("Kafka: the topic does not come to its end")

    async def _more(self) -> bool:
        async with _told():
            at = [(await self._consumer.position(place), self.ends[n]) for n, place in self._places.items()]
        return any(position < end for position, end in at)


@asynccontextmanager
async def past_of(
    bootstrap: str, topic: str, *, start: Mapping[int, int] | None = None, security: Mapping[str, Any] | None = None
) -> AsyncIterator[Past]:
    """`start`: partition -> first offset; a place that is not in the topic counts as its beginning. Raises: Unavailable."""
    calm_aiokafka()
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, **(security or {}))
    try:
        async with _told(START_SECONDS):
            await consumer.start()
        yield await _opened(consumer, start or {})
    finally:
        await consumer_closed(consumer)


async def _opened(consumer: AIOKafkaConsumer, start: Mapping[int, int]) -> Past:
    async with _told():
        places = {place.partition: place for place in consumer.assignment()}  # without a group: all of them, once it has started
        ends = await consumer.end_offsets(list(places.values()))
        begins = await consumer.beginning_offsets(list(places.values()))
        for n, place in places.items():
            wanted = start.get(n, 0)
            consumer.seek(place, wanted if begins[place] <= wanted <= ends[place] else begins[place])
    return Past(consumer, places, {n: ends[place] for n, place in places.items()})


def _received(record: Any) -> Received:
    headers = tuple((name, bytes(value or b"")) for name, value in record.headers)
    return Received(
        topic=record.topic, partition=record.partition, offset=record.offset, key=record.key, value=record.value, headers=headers
    )


@asynccontextmanager
async def _told(seconds: float = ANSWER_SECONDS) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except (KafkaError, TimeoutError, OSError) as error:
        raise Unavailable(f"Kafka: {type(error).__name__}") from error


def _now() -> float:
    return asyncio.get_running_loop().time()
