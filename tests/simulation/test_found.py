"""What a seed has found, each cut down to a test of its own: schedules change with the code, these stay."""

from erbium_kernel.relay import KEYS as SHARED_KEYS
from erbium_kernel.relay import KEYS_AGAIN, SUBSCRIBER
from erbium_kernel.topic.memory import MemoryBroker
from tests.kernel.topic import post
from tests.kernel.topic.asked import first_seen, numbers
from tests.kernel.topic.post import CHAIN, TOPIC, Ward, patient


async def test_everything_told_again_while_a_key_is_released() -> None:
    """Topics lost, the relay's checkpoints deleted by the runbook, a parked key of it released: the topic still begins with the first.

    Why it matters: a receiver that had not read the lost topic to its end hears the rest in this order.
    """
    broker = MemoryBroker({TOPIC: 1, post.KEYS: 1})
    ward = Ward(broker.outlet())
    for number in (1, 2, 3):
        await ward.says("anna", number)
    ward.mute = {3}
    await ward.relayed()
    assert numbers(broker, "anna") == [1, 2]
    broker.recreate(TOPIC)
    for subscriber in (SUBSCRIBER, SHARED_KEYS, KEYS_AGAIN):
        ward.store.tables.checkpoints.pop(subscriber, None)
    ward.mute.clear()
    await ward.store.retry_parked(SUBSCRIBER, CHAIN, patient("anna"))
    ward.relay = ward.new_relay()
    await ward.relayed()
    assert first_seen(numbers(broker, "anna")) == [1, 2, 3]
    assert await ward.store.parked() == ()
