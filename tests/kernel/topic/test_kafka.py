"""What only the real adapters have to do: end in time without a broker, and keep aiokafka's own lines short."""

import asyncio
import logging
import time
from typing import Any
from uuid import uuid4

import pytest
import uvloop
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaConnectionError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.protocol.metadata import MetadataRequest
from prometheus_client import REGISTRY

from erbium_kernel.errors import Unavailable
from erbium_kernel.topic import closing, kafka_inlet, kafka_outlet
from erbium_kernel.topic.calm import LINES_KEPT_MAX, QUIET_SECONDS, OncePerWhile
from erbium_kernel.topic.kafka import KafkaInlet, KafkaOutlet, StuckConsumer, calm_aiokafka
from erbium_kernel.topic_port import Outgoing
from tests.kernel.topic.brokers import OnKafka, letter, place, read

NOBODY = "127.0.0.1:1"
SOON_SECONDS = 10.0


async def never(*_: object, **__: object) -> None:
    """Has no end."""
    await asyncio.Event().wait()


async def test_without_a_broker_sending_ends() -> None:
    """Sending and closing come to an end where nothing listens; nothing was sent."""
    outlet, start = KafkaOutlet(NOBODY), time.monotonic()
    with pytest.raises(Unavailable, match=r"Kafka, topic t: KafkaConnectionError"):
        await outlet.publish("t", [letter("anna", "hello")])
    await outlet.close()
    assert time.monotonic() - start < SOON_SECONDS


async def test_without_a_broker_reading_ends() -> None:
    """Every question of the inlet comes to an end where nothing listens."""
    inlet, start = KafkaInlet(NOBODY, "g", ["t"]), time.monotonic()
    with pytest.raises(Unavailable):
        await inlet.poll(1, 0.1)
    with pytest.raises(Unavailable):
        await inlet.assigned()
    with pytest.raises(Unavailable):
        await inlet.cluster_id()
    with pytest.raises(Unavailable):
        await inlet.end_offsets()
    await inlet.hint({("t", 0): 1})
    await inlet.close()
    assert time.monotonic() - start < SOON_SECONDS


async def test_a_cancelled_round_is_not_sent_beside_the_next(kafka_broker: OnKafka) -> None:
    """A producer whose batches have an unknown fate is given up; the outlet goes on with a new one."""
    topic, outlet = await kafka_broker.topic(1), kafka_broker.outlet()
    assert isinstance(outlet, KafkaOutlet)
    await outlet.publish(topic, [letter("anna", "one")])
    producer = outlet._producer
    sending = asyncio.create_task(outlet.publish(topic, [letter("anna", "two")]))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await outlet.publish(topic, [letter("anna", "two")])
    assert outlet._producer is not producer


async def test_a_closed_producer_is_replaced(kafka_broker: OnKafka) -> None:
    """After a fatal error of the producer one round fails, and the next one goes through a new producer."""
    topic, outlet = await kafka_broker.topic(1), kafka_broker.outlet()
    assert isinstance(outlet, KafkaOutlet)
    await outlet.publish(topic, [letter("anna", "one")])
    assert outlet._producer is not None
    await outlet._producer.stop()
    with pytest.raises(Unavailable, match="ProducerClosed"):
        await outlet.publish(topic, [letter("anna", "two")])
    assert await outlet.publish(topic, [letter("anna", "two")]) == 1


@pytest.mark.parametrize("n", range(50))
def test_keys_go_where_the_default_partitioner_puts_them(n: int) -> None:
    """Any client with Kafka's default partitioner finds a patient in the same partition."""
    key = f"{uuid4()}/{n}".encode()
    assert kafka_outlet._partition(key, 12) == DefaultPartitioner()(key, list(range(12)), [])


async def test_a_silent_consumer_is_replaced_and_the_second_time_gives_up(
    kafka_broker: OnKafka, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka answers, but no fetch does: a new consumer is built; if that one is silent too, the process is told to end."""
    topic = await kafka_broker.topic(1)
    monkeypatch.setattr(kafka_inlet, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(kafka_inlet, "STUCK_SECONDS", 0.0)
    monkeypatch.setattr(KafkaInlet, "_silent", lambda *_: True)
    inlet = kafka_broker.inlet(group, topic)
    assert isinstance(inlet, KafkaInlet)
    first = await inlet._ready()
    while inlet.rebuilt == 0:
        await inlet.poll(1, 0.05)
    await inlet.assigned()
    assert inlet._consumer not in (None, first)
    with pytest.raises(StuckConsumer):
        for _ in range(50):
            await inlet.poll(1, 0.05)


async def test_an_idle_consumer_is_not_taken_for_a_silent_one(kafka_broker: OnKafka, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any record for a long time, answered fetches are sign of life enough."""
    topic = await kafka_broker.topic(1)
    inlet = kafka_broker.inlet(group, topic)
    assert isinstance(inlet, KafkaInlet)
    await place(inlet, count=1)
    monkeypatch.setattr(kafka_inlet, "SILENT_SECONDS", 1.0)
    for _ in range(20):
        await inlet.poll(1, 0.1)
    assert inlet.rebuilt == 0
    assert inlet.silent_seconds() < 1.5


async def test_consumers_in_one_process_share_no_memory(kafka_broker: OnKafka, group: str) -> None:
    """Two groups in one process: neither's assignment shows up in the other's (the library keeps it in the class)."""
    one, two = await kafka_broker.topic(1), await kafka_broker.topic(1)
    a, b = kafka_broker.inlet(group, one), kafka_broker.inlet(f"{group}-2", two)
    await place(a, count=1)
    await place(b, count=1)
    assert StickyPartitionAssignor.member_assignment is None
    await kafka_broker.outlet().publish(one, [letter("anna", "hello")])
    assert len(await read(a, lambda found: len(found) == 1)) == 1


async def test_a_reader_that_waits_without_an_end_is_found_out(kafka_broker: OnKafka, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client never gets an answer again: the questions before reading are answered, and the watchdog replaces it."""
    topic = await kafka_broker.topic(1)
    monkeypatch.setattr(kafka_inlet, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(kafka_inlet, "ASK_SECONDS", 0.1)
    monkeypatch.setattr(kafka_inlet, "STUCK_SECONDS", 0.5)
    inlet = kafka_broker.inlet(group, topic)
    assert isinstance(inlet, KafkaInlet)
    await place(inlet, count=1)
    sick = await inlet._ready()
    monkeypatch.setattr(sick._client, "send", never)
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.2)
    assert await inlet.end_offsets() == {(topic, 0): 0}
    async with asyncio.timeout(SOON_SECONDS):
        while inlet.rebuilt == 0:
            await inlet.poll(1, 0.05)
    await kafka_broker.outlet().publish(topic, [letter("anna", "hello")])
    assert len(await read(inlet, lambda found: len(found) == 1)) == 1


async def test_a_consumer_whose_end_is_cut_short_leaves_nothing_running(
    kafka_broker: OnKafka, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the heartbeat, which would hold its partitions for a reader that is no more; and its sockets are closed."""
    topic = await kafka_broker.topic(1)
    before = asyncio.all_tasks()
    inlet = kafka_broker.inlet(group, topic)
    assert isinstance(inlet, KafkaInlet)
    await place(inlet, count=1)
    await inlet.end_offsets()
    consumer, asker = await inlet._ready(), inlet._asking._asker
    assert asker is not None
    connections = [connection for client in (consumer._client, asker._client) for connection in client._conns.values()]
    assert len(asyncio.all_tasks() - before) > 3
    assert any(connection.connected() for connection in connections)
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.2)
    for one in (consumer, asker):
        monkeypatch.setattr(one._coordinator, "close", never)
    await inlet.close()
    await asyncio.sleep(0.1)
    assert asyncio.all_tasks() - before == set()
    assert not any(connection.connected() for connection in connections)


def test_a_write_to_a_connection_that_was_just_closed(kafka: str) -> None:
    """On uvloop too it is an error that the library's tasks know and live on with, and the connection counts as closed."""

    async def written() -> None:
        inlet = KafkaInlet(kafka, "suite.closed", ["erbium.nowhere.v1"])
        client = (await inlet._ready())._client
        connection = await client._get_conn(client.get_random_node())
        connection._writer.transport.abort()
        await asyncio.sleep(0)  # closed, and not yet told to the library's reader
        with pytest.raises(KafkaConnectionError):
            await connection.send(MetadataRequest([]))
        assert not connection.connected()
        assert any([await client.force_metadata_update() for _ in range(3)]), "its task for metadata lives"
        await inlet.close()

    uvloop.run(written())


async def test_a_client_that_cancels_itself_does_not_cancel_us() -> None:
    """The library awaits tasks that it has cancelled itself; that ends the closing and not the role that closes."""

    async def cancels_itself() -> None:
        raise asyncio.CancelledError

    assert not await closing.closed(cancels_itself())
    role = asyncio.create_task(closing.closed(never()))
    await asyncio.sleep(0)
    role.cancel()
    with pytest.raises(asyncio.CancelledError):
        await role


async def test_a_hint_that_is_refused_is_counted(kafka_broker: OnKafka, group: str) -> None:
    """Positions of a partition that has gone to another member meanwhile cannot be committed: counted, and no error."""
    topic = await kafka_broker.topic(2)
    first, second = kafka_broker.inlet(group, topic), kafka_broker.inlet(group, topic)
    assert isinstance(first, KafkaInlet)
    await place(first, count=2)
    before = REGISTRY.get_sample_value("offset_commits_failed_total")
    assert before is not None
    while len((await first._ready()).assignment()) == 2:
        await second.poll(1, 0.05)
    await first.hint({(topic, 0): 0, (topic, 1): 0})
    assert REGISTRY.get_sample_value("offset_commits_failed_total") == before + 1


async def test_a_header_without_value_is_an_empty_one(kafka_broker: OnKafka, group: str) -> None:
    """Kafka lets a header's value be null; the reader is not surprised by it."""
    topic = await kafka_broker.topic(1)
    headers: tuple[tuple[str, Any], ...] = (("x", None),)
    await kafka_broker.outlet().publish(topic, [Outgoing(key=b"anna", value=b"hello", headers=headers)])
    (record,) = await read(kafka_broker.inlet(group, topic), lambda found: len(found) == 1)
    assert record.headers == (("x", b""),)


def a_line(text: str, name: str = "aiokafka.conn", level: int = logging.WARNING) -> logging.LogRecord:
    """One line of the library."""
    return logging.LogRecord(name, level, __file__, 1, text, ("host",), None)


def test_a_repeated_line_comes_once_in_a_while() -> None:
    """A thousand equal lines are one, and the next one after the quiet time says how many there were."""
    times = iter([*[0.0] * 1_000, QUIET_SECONDS, QUIET_SECONDS])
    calm = OncePerWhile(lambda: next(times))
    assert [calm.filter(a_line("broken %s")) for _ in range(1_000)].count(True) == 1
    later = a_line("broken %s")
    assert calm.filter(later)
    assert later.getMessage() == "broken host (and 999 times in the seconds before)"
    assert calm.filter(a_line("mended %s"))


def test_lines_with_data_never_come() -> None:
    """The library's debug lines hold keys and values; they are dropped whatever the level says."""
    assert not OncePerWhile().filter(a_line("Sending (key=%s)", level=logging.DEBUG))


def test_the_memory_of_lines_is_bounded() -> None:
    """However many different lines there are, no more than the bound are remembered."""
    calm = OncePerWhile()
    assert all(calm.filter(a_line(f"line {n} %s")) for n in range(3 * LINES_KEPT_MAX))
    assert len(calm._seen) <= LINES_KEPT_MAX


def test_the_library_is_calmed_once() -> None:
    """The filter sits on every logger of the library, once, however often it is asked for."""
    calm_aiokafka()
    calm_aiokafka()
    for name in ("aiokafka", "aiokafka.conn", "aiokafka.consumer.fetcher", "aiokafka.producer.sender"):
        assert sum(isinstance(each, OncePerWhile) for each in logging.getLogger(name).filters) == 1
