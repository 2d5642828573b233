"""Relay, broker, intake together: what one service says another has in its log, over the memory topic and over real Kafka."""

import asyncio
from uuid import uuid4

from erbium_kernel.intake import Intake
from erbium_kernel.relay import TOMBSTONE_AGAIN_SECONDS
from tests.kernel.topic import post
from tests.kernel.topic.brokers import Broker
from tests.kernel.topic.post import CHAIN, Kitchen, Ward, patient

SAYINGS = 300
SPEAKERS = 11
ARRIVAL_SECONDS_MAX = 20.0


async def arrived(kitchen: Kitchen, *intakes: Intake, rows: int) -> None:
    """Takes in until the log holds so many rows and nothing is left."""
    async with asyncio.timeout(ARRIVAL_SECONDS_MAX):
        while len(await kitchen.rows()) < rows or any([(await intake.step()).kind == "worked" for intake in intakes]):
            await asyncio.gather(*(intake.step() for intake in intakes))


async def test_what_is_said_is_heard(broker: Broker, group: str) -> None:
    """Every message once, each patient's in order, resends and all; keys and their erasure; signs of life beside the log."""
    topic, keys_topic = await broker.topic(), await broker.topic()
    ward = Ward(broker.outlet(), heartbeat=True, topic=topic, keys_topic=keys_topic)
    kitchen = Kitchen()
    intake = Intake(kitchen.runtime, broker.inlet(group, topic, keys_topic), [topic, keys_topic], keys_topic=keys_topic)
    for n in range(SAYINGS):
        await ward.says(f"patient-{n % SPEAKERS}", n)
    await ward.key("patient-0")
    await ward.key("patient-1")
    assert (await ward.relayed()).kind == "idle"
    await ward.store.erase_key(CHAIN, patient("patient-1"))
    await ward.store.reset_checkpoint("relay")
    ward.relay = ward.new_relay()
    assert (await ward.relayed()).kind == "idle"
    ward.clock.go_on(TOMBSTONE_AGAIN_SECONDS + 1)
    assert (await ward.relayed()).kind == "idle"
    await arrived(kitchen, intake, rows=SAYINGS)
    async with asyncio.timeout(ARRIVAL_SECONDS_MAX):
        while intake.repeated_total < SAYINGS or len(await kitchen.store.heartbeats(topic)) < 4:
            await intake.step()
    for n in range(SPEAKERS):
        assert await kitchen.numbers(f"patient-{n}") == list(range(n, SAYINGS, SPEAKERS))
    keys = await kitchen.store.keys(CHAIN, [patient("patient-0"), patient("patient-1")])
    assert (keys[patient("patient-0")].wrapped, keys[patient("patient-1")].erased) == (b"wrapped", True)
    assert not kitchen.store.tables.unreadable


async def test_two_replicas_share_the_work(broker: Broker, group: str) -> None:
    """Two members of one service's group, one of which leaves in the middle: every message stands in the log once, in order."""
    topic = await broker.topic()
    ward = Ward(broker.outlet(), topic=topic, keys_topic=None)
    kitchen = Kitchen()
    one, other = (broker.inlet(group, topic) for _ in range(2))
    first, second = (Intake(kitchen.runtime, inlet, [topic], wait_seconds=0.05) for inlet in (one, other))
    for n in range(SAYINGS):
        await ward.says(f"patient-{n % SPEAKERS}", n)
        if n % 100 == 50:
            await ward.relayed()
            await asyncio.gather(first.step(), second.step())
    await ward.relayed()
    await arrived(kitchen, first, second, rows=150)
    await other.close()
    await arrived(kitchen, first, rows=SAYINGS)
    for n in range(SPEAKERS):
        assert await kitchen.numbers(f"patient-{n}") == list(range(n, SAYINGS, SPEAKERS))


async def test_a_topic_of_another_life_is_refused(broker: Broker, group: str) -> None:
    """Positions left from a topic that was deleted and created again stop the reading with a sentence."""
    topic = await broker.topic(1)
    ward, kitchen = Ward(broker.outlet(), topic=topic, keys_topic=None), Kitchen()
    await ward.says("anna", 1)
    await ward.relayed()
    intake = Intake(kitchen.runtime, broker.inlet(group, topic), [topic])
    await arrived(kitchen, intake, rows=1)
    await broker.recreate(topic)
    after = Intake(kitchen.runtime, broker.inlet(f"{group}-{uuid4().hex[:4]}", topic), [topic])
    async with asyncio.timeout(ARRIVAL_SECONDS_MAX):
        while (progress := await after.step()).kind != "blocked":
            assert progress.kind == "idle"
    assert progress.operator
    assert f"topic {topic}, partition 0: position 1 is not in the topic" in progress.reason
    assert post.TOPIC != topic
