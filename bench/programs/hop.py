"""The least that a hop can be: insert and commit, send to Kafka, receive, insert and commit. No order kept, nothing resent."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench.asked import answering
from bench.http_load import at_rate
from bench.patience import until

CONNECTIONS = 8
WAIT_SECONDS_MAX = 20.0
TABLES = """
CREATE TABLE IF NOT EXISTS hop_sent (id uuid PRIMARY KEY, data jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS hop_seen (id uuid PRIMARY KEY, data jsonb NOT NULL);
"""
DATA = '{"note":"' + "x" * 280 + '"}'
DELAYS = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(seen.xmin) - pg_xact_commit_timestamp(sent.xmin))::float8 AS delay_s
FROM hop_sent sent JOIN hop_seen seen USING (id) WHERE id = ANY($1)
"""


class Hop:
    """One sender and one receiver, on two ends of a topic."""

    def __init__(self, url: str, kafka: str, topic: str) -> None:
        """Nothing is opened."""
        self._url, self._kafka, self._topic = url, kafka, topic
        self._seen: set[UUID] = set()

    async def open(self) -> None:
        """Connections, producer, consumer at the end of the topic."""
        self._pool = await asyncpg.create_pool(self._url, min_size=CONNECTIONS, max_size=CONNECTIONS)
        async with self._pool.acquire() as connection:
            await connection.execute(TABLES)
        self._producer = AIOKafkaProducer(bootstrap_servers=self._kafka, acks="all")
        self._consumer = AIOKafkaConsumer(self._topic, bootstrap_servers=self._kafka, auto_offset_reset="latest")
        await self._producer.start()
        await self._consumer.start()
        await self._consumer.seek_to_end()
        self._receiving = asyncio.create_task(self._receive())

    async def measure(self, seconds: float, per_second: float) -> dict[str, Any]:
        """The delays from commit to commit, in seconds, read off the rows afterwards."""
        sent: list[UUID] = []

        async def once(_: int) -> None:
            id_ = uuid4()
            sent.append(id_)
            await self._pool.execute("INSERT INTO hop_sent VALUES ($1, $2)", id_, DATA)
            await self._producer.send(self._topic, id_.bytes + DATA.encode(), key=id_.bytes)

        await at_rate(per_second, seconds, once)

        async def all_seen() -> bool:
            return self._seen.issuperset(sent)

        await until(all_seen, seconds_max=WAIT_SECONDS_MAX)
        self._seen.clear()
        rows = await self._pool.fetch(DELAYS, sent)
        return {"delays_s": [row["delay_s"] for row in rows]}

    async def _receive(self) -> None:
        while True:
            found = await self._consumer.getmany(timeout_ms=1000)
            ids = [UUID(bytes=one.value[:16]) for part in found.values() for one in part]
            if ids:
                await self._pool.execute("INSERT INTO hop_seen SELECT id, $2 FROM unnest($1::uuid[]) AS id", ids, DATA)
                self._seen.update(ids)


def begin(url: str, kafka: str, topic: str) -> Any:
    """One loop for the whole life of the program."""
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    hop = Hop(url, kafka, topic)
    runner.run(hop.open())
    return lambda seconds, per_second: runner.run(hop.measure(seconds, per_second))


if __name__ == "__main__":
    answering(begin)
