"""Topics as `deploy/kafka/topics.toml` declares them: created where they are missing, refused where they differ."""

import asyncio
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from erbium_kernel.errors import Unavailable
from erbium_kernel.topic.calm import calm_aiokafka
from erbium_kernel.topic.closing import closed

REQUEST_TIMEOUT_MS: Final = 10_000
ENSURE_SECONDS: Final = 60.0  # for everything
LEADERS_SECONDS: Final = 20.0  # until every partition of a new topic has a leader
LEADERS_LOOK_SECONDS: Final = 0.1
REPLICATION_VARIABLE: Final = "ERBIUM_KAFKA_REPLICATION"
NO_ERROR: Final = 0
ALREADY_EXISTS: Final = 36


class TopicsDiffer(Exception):
    """The cluster's topics are not as declared. Nothing was changed: a partition count or retention is for people to decide."""


class TopicsRefused(Exception):
    """The broker refused to create or describe a topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One declared topic. `config`: Kafka's own names and texts."""

    name: str
    partitions: int
    config: Mapping[str, str]


def declared(path: Path) -> tuple[Topic, ...]:
    """The topics of a `topics.toml`. Raises: KeyError, TypeError, tomllib.TOMLDecodeError on a file of another shape."""
    tables = tomllib.loads(path.read_text("utf-8"))["topics"]
    return tuple(Topic(name=name, partitions=int(table["partitions"]), config=dict(table["config"])) for name, table in tables.items())


async def ensure(
    bootstrap: str, path: Path, *, replication: int | None = None, prefix: str = "", security: Mapping[str, Any] | None = None
) -> list[str]:
    """Creates what is missing, compares what is there, and returns the names it created.

    `replication`: copies of each partition; default $ERBIUM_KAFKA_REPLICATION, else 1 (a laptop's one broker). `prefix`: before
    every name, for tests that share a cluster. Repeating changes nothing; two services may do it at once.
    Raises: TopicsDiffer, TopicsRefused, Unavailable.
    """
    copies = replication or int(os.environ.get(REPLICATION_VARIABLE, "1"))
    topics = [Topic(name=prefix + topic.name, partitions=topic.partitions, config=topic.config) for topic in declared(path)]
    calm_aiokafka()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS, **(security or {}))
    try:
        async with asyncio.timeout(ENSURE_SECONDS):
            await admin.start()
            return await _ensured(admin, topics, copies)
    except (KafkaError, TimeoutError, OSError) as error:
        raise Unavailable(f"Kafka: {type(error).__name__}") from error
    finally:
        await closed(admin.close())


async def _ensured(admin: AIOKafkaAdminClient, topics: Sequence[Topic], copies: int) -> list[str]:
    there = await _described(admin)
    missing = [topic for topic in topics if topic.name not in there]
    created = await _create(admin, missing, copies) if missing else []
    if missing:
        there = await _with_leaders(admin, missing)
    configs = await _configs(admin, topics)
    differences = [sentence for topic in topics for sentence in _differences(topic, there[topic.name], configs[topic.name], copies)]
    if differences:
        raise TopicsDiffer("; ".join(differences))
    return created


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic], copies: int) -> list[str]:
    """Why every code is looked at: the client raises for none of them."""
    in_sync = {"min.insync.replicas": "2" if copies >= 3 else "1"}
    wanted = [NewTopic(topic.name, topic.partitions, copies, topic_configs={**in_sync, **topic.config}) for topic in topics]
    answer = await admin.create_topics(wanted)
    refused = [(name, code, text) for name, code, text in answer.topic_errors if code not in (NO_ERROR, ALREADY_EXISTS)]
    if refused:
        raise TopicsRefused("; ".join(f"topic {name}: {for_code(code).__name__} {text or ''}".strip() for name, code, text in refused))
    return [name for name, code, _ in answer.topic_errors if code == NO_ERROR]


async def _described(admin: AIOKafkaAdminClient) -> dict[str, Any]:
    """All topics. Why all: a question by name may create the topic, where the broker allows that."""
    return {topic["topic"]: topic for topic in await admin.describe_topics()}


async def _with_leaders(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, Any]:
    """Raises: TimeoutError."""
    async with asyncio.timeout(LEADERS_SECONDS):
        while True:
            there = await _described(admin)
            if all(topic.name in there and _led(there[topic.name]) for topic in topics):
                return there
            await asyncio.sleep(LEADERS_LOOK_SECONDS)


def _led(described: Mapping[str, Any]) -> bool:
    partitions = described["partitions"]
    return bool(partitions) and all(partition["leader"] >= 0 and partition["error_code"] == NO_ERROR for partition in partitions)


async def _configs(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name, dict(topic.config)) for topic in topics]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for code, text, _, name, entries in answer.resources:
            if code != NO_ERROR:
                raise TopicsRefused(f"topic {name}: {for_code(code).__name__} {text or ''}".strip())
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _differences(topic: Topic, described: Mapping[str, Any], config: Mapping[str, str], copies: int) -> list[str]:
    found = []
    partitions = described["partitions"]
    if len(partitions) != topic.partitions:
        found.append(f"topic {topic.name} has {len(partitions)} partitions, declared are {topic.partitions}")
    fewest = min((len(partition["replicas"]) for partition in partitions), default=0)
    if fewest < copies:
        found.append(f"topic {topic.name} has {fewest} replicas of a partition, asked for are {copies}")
    for name, value in topic.config.items():
        if config.get(name) != value:
            found.append(f"topic {topic.name} has {name}={config.get(name)}, declared is {value}")
    return found
