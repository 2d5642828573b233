"""When the intake must not read: another cluster answers, or a position is not in the topic."""

from collections.abc import Callable

import pytest

from erbium_kernel.intake import Intake
from erbium_kernel.topic.memory import MemoryBroker
from tests.kernel.topic import post
from tests.kernel.topic.post import TOPIC, Kitchen, Ward

PARTITIONS = 4
GROUP = "kitchen.intake"
make_intake = Callable[[], Intake]


@pytest.fixture
def broker() -> MemoryBroker:
    """The ward's two topics."""
    return MemoryBroker({TOPIC: PARTITIONS, post.KEYS: PARTITIONS})


@pytest.fixture
def ward(broker: MemoryBroker) -> Ward:
    """Who tells."""
    return Ward(broker.outlet(), heartbeat=True)


@pytest.fixture
def kitchen() -> Kitchen:
    """Who hears."""
    return Kitchen()


@pytest.fixture
def new_intake(broker: MemoryBroker, kitchen: Kitchen) -> make_intake:
    """Another member of the kitchen's group, with nothing in memory."""
    topics = [TOPIC, post.KEYS]
    return lambda: Intake(kitchen.runtime, broker.inlet(GROUP, topics), topics, keys_topic=post.KEYS)


async def test_another_cluster_is_refused(ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake) -> None:
    """Positions of one cluster are never used in another: nothing is read, and the sentence names both."""
    await ward.says("anna", 0)
    await ward.relayed()
    intake = new_intake()
    await kitchen.taken_in(intake)
    broker.wipe("another-cluster")
    ward.relay = ward.new_relay()
    await ward.says("anna", 1)
    await ward.relayed()
    progress = await intake.step()
    assert (progress.kind, progress.operator) == ("blocked", True)
    assert "another-cluster" in progress.reason
    assert "memory-cluster" in progress.reason
    assert await kitchen.numbers("anna") == [0]


async def test_a_topic_made_again_is_refused(ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake) -> None:
    """A position that the topic no longer holds stops the reading, naming topic and partition, and for good: the topic may grow again."""
    await ward.says("anna", 0)
    await ward.relayed()
    intake = new_intake()
    await kitchen.taken_in(intake)
    broker.recreate(TOPIC)
    for stuck in (intake, intake, new_intake()):
        progress = await stuck.step()
        assert (progress.kind, progress.operator) == ("blocked", True)
        assert f"topic {TOPIC}, partition" in progress.reason
    await ward.store.reset_checkpoint("relay")
    ward.relay = ward.new_relay()
    await ward.relayed()
    assert (await intake.step()).kind == "blocked"


@pytest.mark.parametrize("lost", range(PARTITIONS))
async def test_one_lost_position_stops_all_reading(
    ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake, lost: int
) -> None:
    """An intake that finds one position past the end of its partition reads nothing of the others either."""
    intake = new_intake()
    await kitchen.taken_in(intake)
    for n in range(4 * PARTITIONS):
        await ward.says(f"patient-{n}", n)
    await ward.relayed()
    assert {record.partition for record in broker.records(TOPIC)} == set(range(PARTITIONS))
    kitchen.store.tables.positions[TOPIC, lost] = 99
    broker.rebalance()
    for _ in range(8):
        assert (await intake.step()).operator
    assert not await kitchen.rows()


async def test_after_the_operator_decided_reading_goes_on(
    ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake
) -> None:
    """With the positions forgotten and the relay sent again from its start, all is heard once, without a restart."""
    for n in range(3):
        await ward.says("anna", n)
    await ward.relayed()
    intake = new_intake()
    await kitchen.taken_in(intake)
    broker.recreate(TOPIC)
    assert (await intake.step()).kind == "blocked"
    kitchen.store.tables.positions.clear()
    await ward.store.reset_checkpoint("relay")
    ward.relay = ward.new_relay()
    await ward.says("anna", 3)
    await ward.relayed()
    assert (await kitchen.taken_in(intake)).kind == "idle"
    assert await kitchen.numbers("anna") == [0, 1, 2, 3]
    asked: list[str] = []

    async def hook(where: str, _: str) -> None:
        asked.append(where)

    broker.hook = hook
    await kitchen.taken_in(intake)
    assert "metadata" not in asked
