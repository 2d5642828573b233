"""What retention has taken before it was read is a gap that somebody has to know of: the intake stops, it never reads on behind it."""

from erbium_kernel.intake import Intake
from erbium_kernel.message import ordering_key
from erbium_kernel.progress import Progress
from erbium_kernel.topic.memory import MemoryBroker
from tests.kernel.topic import post
from tests.kernel.topic.post import CHAIN, TOPIC, Kitchen, Ward, patient

TOPICS = [TOPIC, post.KEYS]


class House:
    """A ward that tells, and a kitchen whose process is a new one each time it hears."""

    def __init__(self) -> None:
        """Nothing was said."""
        self.broker = MemoryBroker({TOPIC: 2, post.KEYS: 2})
        self.ward, self.kitchen = Ward(self.broker.outlet()), Kitchen()
        self.partition = self.broker.partition_of(TOPIC, ordering_key(CHAIN, patient("anna")))

    async def say(self, *numbers: int) -> None:
        """Anna's numbers are on the topic."""
        for n in numbers:
            await self.ward.says("anna", n)
        await self.ward.relayed()

    async def hear(self) -> Progress:
        """Until nothing comes any more or something is in the way."""
        inlet = self.broker.inlet("kitchen.intake", TOPICS)
        try:
            return await self.kitchen.taken_in(Intake(self.kitchen.runtime, inlet, TOPICS, keys_topic=post.KEYS))
        finally:
            await inlet.close()


async def test_records_gone_before_they_were_read_stop_the_reading() -> None:
    """However often somebody looks, nothing is heard from behind the gap, and the sentence names topic, partition and position."""
    house = House()
    await house.say(0)
    await house.hear()
    await house.say(1, 2, 3)
    house.broker.trim(TOPIC, house.partition, 3)
    for _ in range(3):
        progress = await house.hear()
        assert (progress.kind, progress.operator) == ("blocked", True)
        assert f"topic {TOPIC}, partition {house.partition}: position 1" in progress.reason
    assert await house.kitchen.numbers("anna") == [0]


async def test_records_gone_after_they_were_read_are_missed_by_nobody() -> None:
    """Retention that stays behind the readers is what it should be: the next record is heard."""
    house = House()
    await house.say(0, 1)
    await house.hear()
    house.broker.trim(TOPIC, house.partition, 2)
    await house.say(2)
    assert (await house.hear()).kind == "idle"
    assert await house.kitchen.numbers("anna") == [0, 1, 2]
