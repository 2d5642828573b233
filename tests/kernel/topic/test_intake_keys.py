"""What intake takes in besides messages: signs of life and keys."""

# ruff: noqa: F811  # fixtures shared with test_intake are parameters here

from erbium_kernel.event import Cursor
from erbium_kernel.message import ordering_key
from erbium_kernel.topic.memory import MemoryBroker
from erbium_kernel.topic_port import Outgoing
from tests.kernel.topic import post
from tests.kernel.topic.post import CHAIN, TOPIC, Kitchen, Ward, patient
from tests.kernel.topic.test_intake import PARTITIONS, broker, kitchen, make_intake, new_intake, raw, ward  # noqa: F401  # fixtures


async def test_signs_of_life_are_kept_beside_the_log(ward: Ward, kitchen: Kitchen, new_intake: make_intake) -> None:
    """A heartbeat is stored per partition with the place in the log it vouches for, and is no row."""
    await ward.says("anna", 1)
    await ward.relayed()
    await kitchen.taken_in(new_intake())
    found = await kitchen.store.heartbeats(TOPIC)
    assert [(beat.partition, beat.sent_at) for beat in found] == [(n, ward.clock.machine()) for n in range(PARTITIONS)]
    assert len(await kitchen.rows()) == 1
    assert max(beat.cursor for beat in found) == (await kitchen.rows())[0].cursor > Cursor()


async def test_keys_arrive_and_are_erased(ward: Ward, kitchen: Kitchen, new_intake: make_intake) -> None:
    """A key of the key topic is here; after its tombstone it is erased, and an old value that comes late changes nothing."""
    intake = new_intake()
    await ward.key("anna")
    await ward.relayed()
    await kitchen.taken_in(intake)
    assert (await kitchen.store.keys(CHAIN, [patient("anna")]))[patient("anna")].wrapped == b"wrapped"
    await ward.store.erase_key(CHAIN, patient("anna"))
    ward.clock.go_on(1)
    await ward.relayed()
    await kitchen.taken_in(intake)
    erased = (await kitchen.store.keys(CHAIN, [patient("anna")]))[patient("anna")]
    assert (erased.erased, erased.wrapped) == (True, None)


async def test_a_late_key_does_not_bring_a_person_back(ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake) -> None:
    """A value that a frozen broker wrote behind the tombstone is ignored."""
    key = ordering_key(CHAIN, patient("anna"))
    for value in (b"wrapped", None, b"wrapped"):
        await raw(broker, Outgoing(key=key, value=value), post.KEYS)
    await kitchen.taken_in(new_intake())
    assert (await kitchen.store.keys(CHAIN, [patient("anna")]))[patient("anna")].erased
