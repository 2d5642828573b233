"""The one suite of the topic adapters: whatever passes it, the relay and the intake can rely on."""

import asyncio

import pytest

from erbium_kernel.topic_port import OffsetGone, Outgoing
from tests.kernel.topic.brokers import Broker, letter, nothing_comes, place, read, send_all, texts


async def test_records_come_back_as_sent(broker: Broker, group: str) -> None:
    """A record keeps its key, body and headers; a tombstone has no body."""
    topic = await broker.topic()
    records = [letter("anna", "hello"), Outgoing(key=b"anna", value=None)]
    assert await broker.outlet().publish(topic, records) == 2
    inlet = broker.inlet(group, topic)
    first, second = await read(inlet, lambda found: len(found) == 2)
    assert (first.topic, first.offset, first.key, first.value, first.headers) == (topic, 0, b"anna", b"hello", (("ce_id", b"hello"),))
    assert (second.offset, second.partition, second.value) == (1, first.partition, None)


async def test_a_key_stays_in_order_over_many_prefixes(broker: Broker, group: str) -> None:
    """More records than one batch holds go out prefix by prefix, and each key's records arrive in their order, all of them."""
    topic = await broker.topic()
    records = [letter(f"patient-{n % 7}", f"{n:05}{'x' * 4_000}") for n in range(1_500)]
    assert await send_all(broker.outlet(), topic, records) > 1
    found = await read(broker.inlet(group, topic), lambda found: len(found) >= len(records))
    assert len(found) == len(records)
    for n in range(7):
        assert texts(found, f"patient-{n}") == [
            (record.value or b"").decode() for record in records if record.key == f"patient-{n}".encode()
        ]


async def test_a_record_for_each_partition(broker: Broker, group: str) -> None:
    """A heartbeat reaches every partition once, and none where an excepted key lives."""
    topic, outlet = await broker.topic(), broker.outlet()
    await outlet.publish(topic, [letter("anna", "hello")])
    await outlet.publish_to_each_partition(topic, letter("heartbeat", "first"))
    await outlet.publish_to_each_partition(topic, letter("heartbeat", "second"), [b"anna"])
    found = await read(broker.inlet(group, topic), lambda found: len(found) >= 8)
    annas = next(record.partition for record in found if record.value == b"hello")
    assert sorted(record.partition for record in found if record.value == b"first") == [0, 1, 2, 3]
    assert sorted(record.partition for record in found if record.value == b"second") == sorted({0, 1, 2, 3} - {annas})


async def test_a_partition_is_announced_until_it_has_a_position(broker: Broker, group: str) -> None:
    """What became ours is named until its position is set, and then no more."""
    topic = await broker.topic(2)
    inlet = broker.inlet(group, topic)
    async with asyncio.timeout(20):
        while await inlet.assigned() != {(topic, 0), (topic, 1)}:
            await inlet.poll(1, 0.05)
    await inlet.seek(topic, 1, 0)
    assert await inlet.assigned() == {(topic, 0)}


async def test_reading_starts_where_the_caller_says(broker: Broker, group: str) -> None:
    """The position is the caller's: what the group has committed as a hint moves nobody."""
    topic = await broker.topic(1)
    await broker.outlet().publish(topic, [letter("anna", str(n)) for n in range(6)])
    first = broker.inlet(group, topic)
    await place(first, count=1)
    await read(first, lambda found: len(found) == 6)
    await first.hint({(topic, 0): 4})
    await first.close()
    second = broker.inlet(group, topic)
    await place(second, {0: 1}, count=1)
    assert texts(await read(second, lambda found: len(found) >= 5)) == ["1", "2", "3", "4", "5"]


async def test_nothing_is_read_of_a_partition_without_position(broker: Broker, group: str) -> None:
    """As long as nobody says where to begin, nothing is read, hint or not; what was missed comes once the position is set."""
    topic = await broker.topic(1)
    await broker.outlet().publish(topic, [letter("anna", str(n)) for n in range(3)])
    first = broker.inlet(group, topic)
    await place(first, count=1)
    await read(first, lambda found: len(found) == 3)
    await first.hint({(topic, 0): 1})
    await first.close()
    second = broker.inlet(group, topic)
    async with asyncio.timeout(20):
        while not await second.assigned():
            await second.poll(1, 0.05)
    assert await nothing_comes(second)
    await second.seek(topic, 0, 2)
    assert texts(await read(second, lambda found: len(found) == 1)) == ["2"]


async def test_a_position_may_be_set_back(broker: Broker, group: str) -> None:
    """After a seek the records come again from there, without those fetched before."""
    topic = await broker.topic(1)
    await broker.outlet().publish(topic, [letter("anna", str(n)) for n in range(4)])
    inlet = broker.inlet(group, topic)
    await place(inlet, count=1)
    await read(inlet, lambda found: len(found) == 4)
    await inlet.seek(topic, 0, 2)
    assert texts(await read(inlet, lambda found: len(found) == 2)) == ["2", "3"]


async def test_a_poll_is_bounded(broker: Broker, group: str) -> None:
    """No poll returns more than its limit, and nothing gets lost between two of them."""
    topic = await broker.topic(2)
    await broker.outlet().publish(topic, [letter(f"patient-{n % 5}", str(n)) for n in range(50)])
    inlet = broker.inlet(group, topic)
    await place(inlet, count=2)
    found: list[str] = []
    async with asyncio.timeout(20):
        while len(found) < 50:
            piece = await inlet.poll(7, 0.1)
            assert len(piece) <= 7
            found += texts(piece)
    assert sorted(found, key=int) == [str(n) for n in range(50)]


async def test_members_share_the_partitions(broker: Broker, group: str) -> None:
    """Two members have all partitions between them and none twice; who stays gets those of who leaves, to be placed again."""
    topic = await broker.topic(4)
    one, other = broker.inlet(group, topic), broker.inlet(group, topic)
    async with asyncio.timeout(30):
        while not len(await one.assigned()) == len(await other.assigned()) == 2:
            await asyncio.gather(one.poll(1, 0.05), other.poll(1, 0.05))
    assert not await one.assigned() & await other.assigned()
    for topic_, n in await one.assigned():
        await one.seek(topic_, n, 0)
    await other.close()
    async with asyncio.timeout(30):
        while len(await one.assigned()) < 4:
            await one.poll(1, 0.05)


async def test_ends_are_known(broker: Broker, group: str) -> None:
    """The end of a partition is one past its newest record."""
    topic = await broker.topic(1)
    await broker.outlet().publish(topic, [letter("anna", str(n)) for n in range(3)])
    inlet = broker.inlet(group, topic)
    await place(inlet, count=1)
    assert await inlet.end_offsets() == {(topic, 0): 3}


async def test_a_position_past_the_end_is_gone(broker: Broker, group: str) -> None:
    """It is refused with topic and partition named; nothing is read from somewhere else instead."""
    topic = await broker.topic(1)
    await broker.outlet().publish(topic, [letter("anna", "hello")])
    inlet = broker.inlet(group, topic)
    await place(inlet, {0: 17}, count=1)
    with pytest.raises(OffsetGone, match=rf"{topic}, partition 0: position 17"):
        await read(inlet, lambda found: bool(found))


async def test_a_topic_made_again_is_noticed_while_reading(broker: Broker, group: str) -> None:
    """Whoever read the old topic is told that his position is gone, and does not silently start at the new one's beginning."""
    topic = await broker.topic(1)
    outlet = broker.outlet()
    await outlet.publish(topic, [letter("anna", str(n)) for n in range(5)])
    inlet = broker.inlet(group, topic)
    await place(inlet, count=1)
    await read(inlet, lambda found: len(found) == 5)
    await broker.recreate(topic)
    await outlet.publish(topic, [letter("anna", "new")])
    with pytest.raises(OffsetGone, match=rf"{topic}, partition 0"):
        async with asyncio.timeout(20):
            while True:
                for topic_, n in await inlet.assigned():
                    await inlet.seek(topic_, n, 5)
                assert not await inlet.poll(10, 0.1)


async def test_the_cluster_has_one_id(broker: Broker, group: str) -> None:
    """Every member sees the same one."""
    topic = await broker.topic(1)
    one, other = broker.inlet(group, topic), broker.inlet(f"{group}-2", topic)
    assert await one.cluster_id() == await other.cluster_id() != ""
