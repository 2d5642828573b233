"""Looks for planted words in everything that Erbium leaves anywhere: tables, topics, logs, metrics."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from erbium.provision import database_of
from erbium.stack import Stack

POLL_MS = 500
T = TypeVar("T")


def everywhere(stack: Stack, words: Iterable[str]) -> list[str]:
    """Where any of these words stands, as `place: word`. Reads every table of every database, every topic, every log file and metric."""
    sought = [word.encode() for word in words]
    found = asyncio.run(_databases(stack, sought)) + asyncio.run(_topics(stack, sought))
    for path in sorted((stack.state / "logs").glob("*")):
        found += [f"{path.name}: {word.decode()}" for word in sought if word in path.read_bytes()]
    for name, endpoint in stack.services.items():
        text = httpx.get(endpoint.metrics, trust_env=False, timeout=10).content
        found += [f"metrics of {name}: {word.decode()}" for word in sought if word in text]
    return found


async def _databases(stack: Stack, sought: list[bytes]) -> list[str]:
    found = []
    for service in stack.services:
        url = stack.servers.postgres_url.rsplit("/", 1)[0] + "/" + database_of(service)
        connection = await asyncpg.connect(url, timeout=10)
        try:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            assert tables, f"{service} has no tables"
            for table in tables:
                dump = bytearray()
                await connection.copy_from_query(f'SELECT * FROM "{table["tablename"]}"', output=lambda data, dump=dump: _keep(dump, data))
                # bytea is dumped as hex
                hits = [word for word in sought if word in dump or word.hex().encode() in dump]
                found += [f"{service}.{table['tablename']}: {word.decode()}" for word in hits]
        finally:
            await connection.close()
    return found


async def _keep(dump: bytearray, data: bytes) -> None:
    dump.extend(data)


async def _topics(stack: Stack, sought: list[bytes]) -> list[str]:
    found, seen = [], 0
    async for record in _records(stack, None):
        seen += 1
        parts = [record.key or b"", record.value or b"", *(value for _, value in record.headers)]
        found += [f"{record.topic}: {word.decode()}" for word in sought if any(word in part for part in parts)]
    assert seen, "the topics are empty: nothing was looked at"
    return found


async def _records(stack: Stack, topics: list[str] | None) -> AsyncIterator[Any]:
    """Every record of these topics, or of all of ours, from the beginning to where they end now."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stack.servers.kafka, group_id=None, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        wanted = topics or [topic for topic in await consumer.topics() if topic.startswith("erbium.")]
        places = [TopicPartition(one["topic"], part["partition"]) for one in await _described(stack, wanted) for part in one["partitions"]]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=2_000)).values():
                for record in records:
                    yield record
    finally:
        await consumer.stop()


async def _described(stack: Stack, topics: list[str]) -> list[dict[str, Any]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.servers.kafka)
    await admin.start()
    try:
        described: list[dict[str, Any]] = await admin.describe_topics(topics)
        return described
    finally:
        await admin.close()


def keys_of(stack: Stack, service: str) -> dict[uuid.UUID, tuple[bool, bytes | None]]:
    """Person -> (erased, wrapped key) in one service."""

    async def read() -> dict[uuid.UUID, tuple[bool, bytes | None]]:
        connection = await asyncpg.connect(stack.servers.postgres_url.rsplit("/", 1)[0] + "/" + database_of(service), timeout=10)
        try:
            rows = await connection.fetch("SELECT subject_id, erased, wrapped FROM keys")
        finally:
            await connection.close()
        return {row["subject_id"]: (row["erased"], row["wrapped"]) for row in rows}

    return run_apart(read)


def run_apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs it on a loop of its own, whether or not one runs here."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result(timeout=60)


async def newest_values(stack: Stack, topic: str) -> dict[bytes, bytes | None]:
    """Key -> the newest value of a compacted topic; None = a tombstone."""
    newest: dict[bytes, bytes | None] = {}
    async for record in _records(stack, [topic]):
        newest[record.key or b""] = record.value
    return newest


def until(seconds: float, look: Callable[[], Any]) -> float:
    """How long it took until `look` was true. Fails after the deadline."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if look():
            return time.monotonic() - started
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def a_name() -> str:
    """A name that stands nowhere by chance."""
    return f"Zyx{uuid.uuid4().hex[:12]}"
