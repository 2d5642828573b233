"""The declared topics on a real broker: created once, verified ever after, refused where they differ."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from erbium_kernel.errors import Unavailable
from erbium_kernel.message import KEYS_TOPIC, topic_of
from erbium_kernel.topic.declared import TopicsDiffer, TopicsRefused, declared, ensure
from tests.kernel.topic.brokers import OnKafka

TOPICS = Path(__file__).parents[3] / "deploy" / "kafka" / "topics.toml"
SERVICES = ("screening", "scheduling", "device-telemetry", "aftercare")

ONE = """
[topics."{name}"]
partitions = {partitions}
config = {{ "cleanup.policy" = "delete", "retention.ms" = "{retention}" }}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test writes its own declaration."""
    return tmp_path / "topics.toml"


async def ensured(broker: OnKafka, file: Path, text: str, replication: int = 1) -> list[str]:
    """The declaration is written and ensured; its topics are deleted with the broker's others."""
    await asyncio.to_thread(file.write_text, text)
    for topic in declared(file):
        broker.forget_later(topic.name)
    return await ensure(broker.bootstrap, file, replication=replication)


def test_the_file_declares_what_the_services_use() -> None:
    """Each service's topic is kept for ever with 12 partitions, the keys are compacted within a minute, frames are bounded in time."""
    topics = {topic.name: topic for topic in declared(TOPICS)}
    for service in SERVICES:
        topic = topics.pop(topic_of(service))
        assert (topic.partitions, topic.config["cleanup.policy"], topic.config["retention.ms"]) == (12, "delete", "-1")
    keys, frames = topics.pop(KEYS_TOPIC), topics.pop("erbium.device-telemetry.frames.v1")
    assert (keys.partitions, keys.config["cleanup.policy"], keys.config["max.compaction.lag.ms"]) == (12, "compact", "5000")
    assert (frames.partitions, frames.config["compression.type"], int(frames.config["retention.ms"]) > 0) == (24, "zstd", True)
    assert not topics


async def test_all_topics_are_created_once(kafka_broker: OnKafka) -> None:
    """The whole file is created on an empty cluster and found as declared the second time, by two at once as well."""
    prefix = f"t{uuid4().hex[:8]}."
    for topic in declared(TOPICS):
        kafka_broker.forget_later(prefix + topic.name)
    both = await asyncio.gather(*(ensure(kafka_broker.bootstrap, TOPICS, prefix=prefix) for _ in range(2)))
    assert sorted(both[0] + both[1]) == sorted(prefix + topic.name for topic in declared(TOPICS))
    assert await ensure(kafka_broker.bootstrap, TOPICS, prefix=prefix) == []


async def test_other_partitions_are_refused(kafka_broker: OnKafka, file: Path) -> None:
    """A topic with another number of partitions is named, with both numbers, and left as it is."""
    name = f"erbium.t{uuid4().hex[:8]}.v1"
    assert await ensured(kafka_broker, file, ONE.format(name=name, partitions=2, retention=-1)) == [name]
    with pytest.raises(TopicsDiffer, match=f"topic {name} has 2 partitions, declared are 3"):
        await ensured(kafka_broker, file, ONE.format(name=name, partitions=3, retention=-1))


async def test_another_retention_is_refused(kafka_broker: OnKafka, file: Path) -> None:
    """A topic whose configuration differs is named, with both values."""
    name = f"erbium.t{uuid4().hex[:8]}.v1"
    await ensured(kafka_broker, file, ONE.format(name=name, partitions=1, retention=86_400_000))
    with pytest.raises(TopicsDiffer, match=r"has retention\.ms=86400000, declared is -1"):
        await ensured(kafka_broker, file, ONE.format(name=name, partitions=1, retention=-1))


async def test_what_the_broker_refuses_is_told(kafka_broker: OnKafka, file: Path) -> None:
    """An error code of the broker is a sentence, not a silent success: more replicas than brokers; a word Kafka does not know."""
    name = f"erbium.t{uuid4().hex[:8]}.v1"
    with pytest.raises(TopicsRefused, match=f"topic {name}: InvalidReplicationFactorError"):
        await ensured(kafka_broker, file, ONE.format(name=name, partitions=1, retention=-1), replication=9)
    with pytest.raises(TopicsRefused, match=f"topic {name}: InvalidConfig"):
        await ensured(kafka_broker, file, ONE.format(name=name, partitions=1, retention="for ever"))


async def test_fewer_replicas_than_asked_for_are_refused(kafka_broker: OnKafka, file: Path) -> None:
    """A production that asks for three copies does not run on topics with one."""
    name = f"erbium.t{uuid4().hex[:8]}.v1"
    await ensured(kafka_broker, file, ONE.format(name=name, partitions=1, retention=-1))
    with pytest.raises(TopicsDiffer, match=f"topic {name} has 1 replicas of a partition, asked for are 3"):
        await ensured(kafka_broker, file, ONE.format(name=name, partitions=1, retention=-1), replication=3)


async def test_no_broker_is_told_in_time(file: Path) -> None:
    """Where nothing listens, it is said so, and nothing waits for ever."""
    await asyncio.to_thread(file.write_text, ONE.format(name="erbium.t.v1", partitions=1, retention=-1))
    with pytest.raises(Unavailable, match="Kafka: KafkaConnectionError"):
        await ensure("127.0.0.1:1", file)
