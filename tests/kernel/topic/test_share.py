"""Does a consumer get to read? Told from what the group gives it, on a real broker; how long is too long, on a clock of our own."""

import asyncio
from uuid import uuid4

import pytest

from erbium_kernel.topic import kafka_inlet, share
from erbium_kernel.topic.kafka import KafkaInlet
from erbium_kernel.topic.share import NONE_SECONDS_MAX, Share
from tests.kernel.topic.brokers import OnKafka, place

SECONDS_MAX = 20.0


async def until(inlet: KafkaInlet, wanted: str | None) -> None:
    """Polls until the reason is the wanted one (or has it inside)."""
    async with asyncio.timeout(SECONDS_MAX):
        while (trouble := inlet.trouble()) != wanted and (not wanted or wanted not in (trouble or "")):
            await inlet.poll(1, 0.05)


async def test_not_well_before_the_first_position(kafka_broker: OnKafka, group: str) -> None:
    """Until it is connected, has partitions and a position in one of them, an inlet says what it waits for; then it is well."""
    topic = await kafka_broker.topic(2)
    inlet = kafka_broker.inlet(group, topic)
    assert isinstance(inlet, KafkaInlet)
    assert inlet.trouble() == "it has no connection to Kafka yet"
    await inlet.assigned()
    assert "has not shared out" in (inlet.trouble() or "")
    await until(inlet, "its partitions have no position yet")
    await place(inlet, count=2)
    assert inlet.trouble() is None


async def test_alone_without_topics(kafka_broker: OnKafka, group: str) -> None:
    """The only member of a group whose topics are missing is not well, and becomes so as soon as one is there."""
    name = f"erbium.t{uuid4().hex[:12]}.v1"
    inlet = kafka_broker.inlet(group, name)
    assert isinstance(inlet, KafkaInlet)
    await until(inlet, "its topics are missing")
    await kafka_broker.create(name, 1)
    await place(inlet, count=1)
    assert inlet.trouble() is None


async def test_a_standby_is_well(kafka_broker: OnKafka, group: str) -> None:
    """Of two members that share one partition one has none; both are well."""
    topic = await kafka_broker.topic(1)
    first, second = kafka_broker.inlet(group, topic), kafka_broker.inlet(group, topic)
    assert isinstance(first, KafkaInlet)
    assert isinstance(second, KafkaInlet)
    await place(first, count=1)
    async with asyncio.timeout(SECONDS_MAX):
        while second.trouble() is not None or first.trouble() is not None:
            for inlet in (first, second):
                for topic_, n in await inlet.assigned():
                    await inlet.seek(topic_, n, 0)
                await inlet.poll(1, 0.05)
    assert sorted(len(inlet._placed) for inlet in (first, second)) == [0, 1]


async def test_topics_that_go_away(kafka_broker: OnKafka, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader whose topics are deleted under it says so after a while, and no earlier."""
    topic = await kafka_broker.topic(1)
    inlet = kafka_broker.inlet(group, topic)
    assert isinstance(inlet, KafkaInlet)
    await place(inlet, count=1)
    monkeypatch.setattr(kafka_inlet, "SILENT_SECONDS", 600.0)
    await kafka_broker.delete(topic)
    monkeypatch.setattr(share, "NONE_SECONDS_MAX", 0.2)
    await until(inlet, "its topics are missing")
    monkeypatch.setattr(share, "NONE_SECONDS_MAX", 600.0)
    assert inlet.trouble() is None


def test_how_long_is_too_long() -> None:
    """A sharing out that does not end is a trouble at once before anything was read, and later only after a while; reading ends it."""
    now = 0.0
    told = Share(lambda: now)
    now = 1.0
    assert told.trouble() == "its group has not shared out the partitions for 1 s"
    told.on_partitions_assigned({"a"})
    told.has_read = True
    now = 1_000.0
    assert told.trouble() is None
    told.on_partitions_revoked({"a"})
    now += NONE_SECONDS_MAX - 1
    assert told.trouble() is None
    now += 2
    assert told.trouble() == f"its group has not shared out the partitions for {NONE_SECONDS_MAX + 1:.0f} s"
    told.on_partitions_revoked(set())
    assert told.trouble() is not None, "asking once more starts no new patience"
    told.on_partitions_assigned({"b"})
    assert told.trouble() is None


async def test_a_broker_that_serves_nothing(kafka_broker: OnKafka, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that the broker has served nothing for long says so, although no step of it fails."""
    topic = await kafka_broker.topic(1)
    inlet = kafka_broker.inlet(group, topic)
    assert isinstance(inlet, KafkaInlet)
    await place(inlet, count=1)
    monkeypatch.setattr(kafka_inlet, "TROUBLE_SECONDS", 0.05)
    await asyncio.sleep(0.2)
    assert (inlet.trouble() or "").startswith("Kafka has served it nothing for")
