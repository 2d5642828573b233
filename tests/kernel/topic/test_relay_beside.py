"""What the relay says besides events: shared keys before the events that need them, tombstones twice, signs of life."""

from datetime import timedelta

import pytest

from erbium_kernel.message import heartbeat_at, ordering_key
from erbium_kernel.relay import HEARTBEAT_SECONDS, KEYS, TOMBSTONE_AGAIN_SECONDS
from erbium_kernel.topic.memory import MemoryBroker
from tests.kernel.topic import post
from tests.kernel.topic.asked import beats, fail_at, keys_of, numbers
from tests.kernel.topic.post import CHAIN, TOPIC, Ward, patient

PARTITIONS = 4


@pytest.fixture
def broker() -> MemoryBroker:
    """The ward's two topics."""
    return MemoryBroker({TOPIC: PARTITIONS, post.KEYS: PARTITIONS})


@pytest.fixture
def ward(broker: MemoryBroker) -> Ward:
    """A service with nothing in its log."""
    return Ward(broker.outlet())


async def test_a_key_goes_out_before_the_event_that_needs_it(ward: Ward, broker: MemoryBroker) -> None:
    """In one step the changed keys are published first; with the broker failing there, no event overtakes them."""
    await ward.key("anna")
    await ward.says("anna", 1)
    fail_at(broker, "before-publish", post.KEYS)
    assert (await ward.step()).kind == "blocked"
    assert broker.records(TOPIC) == []
    assert (await ward.relayed()).kind == "idle"
    assert keys_of(broker, "anna") == [b"wrapped"]
    assert numbers(broker, "anna") == [1]


async def test_a_tombstone_follows_the_erasure_and_is_repeated(ward: Ward, broker: MemoryBroker) -> None:
    """An erased key is told at once as a tombstone, once more after 20 s, and never again."""
    await ward.key("anna")
    await ward.key("berta")
    await ward.relayed()
    await ward.store.erase_key(CHAIN, patient("anna"))
    ward.clock.go_on(1)
    await ward.relayed()
    assert keys_of(broker, "anna") == [b"wrapped", None]
    ward.clock.go_on(TOMBSTONE_AGAIN_SECONDS - 2)
    await ward.relayed()
    assert keys_of(broker, "anna") == [b"wrapped", None]
    for _ in range(3):
        ward.clock.go_on(TOMBSTONE_AGAIN_SECONDS)
        await ward.relayed()
    assert keys_of(broker, "anna") == [b"wrapped", None, None]
    assert keys_of(broker, "berta") == [b"wrapped"]


async def test_a_service_without_shared_keys_sends_none(broker: MemoryBroker) -> None:
    """Only the service that makes patients' keys has a key topic."""
    ward = Ward(broker.outlet(), keys_topic=None)
    await ward.key("anna")
    await ward.relayed()
    assert broker.records(post.KEYS) == []


async def test_keys_wait_for_who_still_sends_them(ward: Ward, broker: MemoryBroker) -> None:
    """As long as another worker holds the keys' place, nothing is sent, events included; then all of it is."""
    await ward.key("anna")
    await ward.says("anna", 1)
    async with ward.store.lease(KEYS):
        assert (await ward.step()).kind == "blocked"
    assert broker.records(TOPIC) == broker.records(post.KEYS) == []
    await ward.relayed()
    assert numbers(broker, "anna") == [1]


async def test_signs_of_life(broker: MemoryBroker) -> None:
    """Caught up, the relay writes to every partition every 10 s of machine time when it looked, and not more often."""
    ward = Ward(broker.outlet(), heartbeat=True)
    await ward.says("anna", 1)
    await ward.relayed()
    assert [heartbeat_at(beat) for beat in beats(broker)] == [ward.clock.machine()] * PARTITIONS
    assert dict(beats(broker)[0].headers)["ce_type"] == b"erbium.ward.ward-heartbeat.v1"
    ward.clock.go_on(HEARTBEAT_SECONDS - 1)
    await ward.relayed()
    assert len(beats(broker)) == PARTITIONS
    ward.clock.go_on(1)
    await ward.relayed()
    assert len(beats(broker)) == 2 * PARTITIONS
    assert max(at for beat in beats(broker) if (at := heartbeat_at(beat))) == ward.clock.machine()


async def test_no_sign_of_life_while_behind(broker: MemoryBroker) -> None:
    """What has not been sent is not vouched for."""
    ward = Ward(broker.outlet(), heartbeat=True)
    await ward.says("anna", 1)
    fail_at(broker, "before-publish", TOPIC, times=3)
    for _ in range(3):
        ward.clock.go_on(HEARTBEAT_SECONDS)
        assert (await ward.step()).kind == "blocked"
    assert beats(broker) == []


async def test_a_parked_patient_is_not_vouched_for(broker: MemoryBroker) -> None:
    """The partition of a patient whose messages are held back gets no sign of life, the others do."""
    ward = Ward(broker.outlet(), heartbeat=True)
    ward.mute = {1}
    await ward.says("anna", 1)
    await ward.relayed()
    annas = broker.partition_of(TOPIC, ordering_key(CHAIN, patient("anna")))
    assert {beat.partition for beat in beats(broker)} == set(range(PARTITIONS)) - {annas}


async def test_time_of_a_heartbeat_is_before_the_look(broker: MemoryBroker) -> None:
    """An event that came while the relay was looking is not vouched for by a later time."""
    ward = Ward(broker.outlet(), heartbeat=True)
    before = ward.clock.machine()

    async def hook(where: str, _: str) -> None:
        if where == "before-publish":
            ward.clock.go_on(5)

    broker.hook = hook
    await ward.step()
    assert {heartbeat_at(beat) for beat in beats(broker)} == {before}
    assert ward.clock.machine() == before + timedelta(seconds=5)


async def test_a_busy_service_is_vouched_for_too(broker: MemoryBroker) -> None:
    """Though something is to be sent in every step, and more comes while it is sent, the signs of life go out in time."""
    ward = Ward(broker.outlet(), heartbeat=True)
    said = 0

    async def hook(where: str, _: str) -> None:
        nonlocal said
        if where == "before-publish":
            said += 1
            await ward.says("berta", said)

    broker.hook = hook
    began = ward.clock.machine()
    for _ in range(60):
        await ward.says("anna", said)
        assert (await ward.step()).kind == "worked"
        ward.clock.go_on(1)
    times = sorted({at for beat in beats(broker) if (at := heartbeat_at(beat))})
    assert times == [began + timedelta(seconds=HEARTBEAT_SECONDS * n) for n in range(6)]
    assert len(beats(broker)) == 6 * PARTITIONS


async def test_what_hides_behind_an_open_transaction_is_not_vouched_for(broker: MemoryBroker) -> None:
    """While a committed row waits behind somebody's open transaction there is no sign of life, whether other rows are sent or not."""
    ward = Ward(broker.outlet(), heartbeat=True)
    await ward.says("anna", 1)
    opened = ward.store.transactions.begin()
    await ward.says("berta", 2)
    for kind in ("worked", "idle"):
        assert (await ward.step()).kind == kind
    assert (numbers(broker, "anna"), numbers(broker, "berta"), beats(broker)) == ([1], [], [])
    ward.store.transactions.end(opened)
    assert (await ward.step()).kind == "worked"
    assert numbers(broker, "berta") == [2]
    assert len(beats(broker)) == PARTITIONS


async def test_a_full_round_is_not_vouched_for(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as a round takes as much as it may, there can be more than was seen."""
    monkeypatch.setattr("erbium_kernel.relay.ROUND_ROWS_MAX", 3)
    ward = Ward(broker.outlet(), heartbeat=True)
    for n in range(7):
        await ward.says("anna", n)
    for _ in range(2):
        assert (await ward.step()).kind == "worked"
        assert beats(broker) == []
    await ward.step()
    assert len(beats(broker)) == PARTITIONS
