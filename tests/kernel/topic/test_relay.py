"""The relay on memory adapters: order per key, nothing lost, parked keys, shared keys, signs of life."""

import json
import random
from datetime import timedelta

import pytest

from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Cursor, message_id
from erbium_kernel.message import HEARTBEAT_KEY, heartbeat_at, ordering_key
from erbium_kernel.ports import Heard, Received, Slice
from erbium_kernel.relay import HEARTBEAT_SECONDS, KEYS, SUBSCRIBER, TOMBSTONE_AGAIN_SECONDS
from erbium_kernel.topic.memory import MemoryBroker
from tests.kernel.topic import post
from tests.kernel.topic.post import CHAIN, TOPIC, Ward, Whispered, patient

PARTITIONS = 4


@pytest.fixture
def broker() -> MemoryBroker:
    """The ward's two topics."""
    return MemoryBroker({TOPIC: PARTITIONS, post.KEYS: PARTITIONS})


@pytest.fixture
def ward(broker: MemoryBroker) -> Ward:
    """A service with nothing in its log."""
    return Ward(broker.outlet())


def numbers(broker: MemoryBroker, name: str) -> list[int]:
    """What the topic says about a patient, in order."""
    return [json.loads(r.value or b"")["number"] for r in broker.records(TOPIC) if r.key == ordering_key(CHAIN, patient(name))]


def first_seen(values: list[int]) -> list[int]:
    """Without repetitions, as a receiver that knows every id sees them."""
    return list(dict.fromkeys(values))


def beats(broker: MemoryBroker) -> list[Received]:
    """The heartbeats in the topic."""
    return [record for record in broker.records(TOPIC) if record.key == HEARTBEAT_KEY]


def keys_of(broker: MemoryBroker, name: str) -> list[bytes | None]:
    """What the key topic has said about a patient."""
    return [record.value for record in broker.records(post.KEYS) if record.key == ordering_key(CHAIN, patient(name))]


def fail_at(broker: MemoryBroker, place: str, topic: str, times: int = 1) -> None:
    """The broker fails at this place, so many times."""
    left = [times]

    async def hook(where: str, which: str) -> None:
        if (where, which) == (place, topic) and left[0] > 0:
            left[0] -= 1
            raise Unavailable("the broker is away")

    broker.hook = hook


async def test_own_events_become_messages(ward: Ward, broker: MemoryBroker) -> None:
    """What the service publishes of an event is in the topic under the patient's key and the id that follows from the event."""
    event_id = await ward.says("anna", 1)
    await ward.says("anna", 2, Whispered)
    assert (await ward.relayed()).kind == "idle"
    (record,) = broker.records(TOPIC)
    assert record.key == ordering_key(CHAIN, patient("anna"))
    assert dict(record.headers)["ce_id"] == str(message_id(event_id, "said")).encode()
    assert dict(record.headers)["ce_type"] == b"erbium.ward.said.v1"


async def test_heard_messages_are_not_told_again(ward: Ward, broker: MemoryBroker) -> None:
    """Only own rows of the log are published."""
    heard = Heard(
        chain_id=CHAIN, ordering_id=patient("anna"), event_id=patient("message"), type="erbium.kitchen.served", schema_version=1,
        origin="kitchen", clinic_id=None, subject_id=None, occurred_at=ward.clock.now(), correlation_id=patient("message"),
        causation_id=None, actor=post.Actor(kind="staff", id="cook"), traceparent=None, raw=b"{}", headers=(),
    )  # fmt: skip
    await ward.store.take_in(Slice(topic="erbium.kitchen.v1", partition=0, expected=0, next=1, heard=(heard,)))
    assert (await ward.step()).kind == "worked"
    assert (await ward.relayed()).kind == "idle"
    assert broker.records(TOPIC) == []


@pytest.mark.parametrize("place", ["before-publish", "written", "acknowledge"])
async def test_a_failed_round_is_sent_again(ward: Ward, broker: MemoryBroker, place: str) -> None:
    """A round that failed, before or after it was written, wholly or half, moves nothing and is sent again whole."""
    for n in range(6):
        await ward.says(f"patient-{n % 3}", n)
    fail_at(broker, place, TOPIC)
    assert (await ward.relayed()) == post.Progress(kind="blocked", reason="the broker is away")
    assert (await ward.store.checkpoints()).get(SUBSCRIBER, Cursor()) == Cursor()
    assert (await ward.relayed()).kind == "idle"
    for n in range(3):
        assert first_seen(numbers(broker, f"patient-{n}")) == [n, n + 3]


@pytest.mark.parametrize("seed", range(20))
async def test_no_failure_loses_or_reorders(broker: MemoryBroker, seed: int) -> None:
    """Whatever fails (broker at any place, database at any move, the process itself), each key's messages first appear in its order."""
    chance, ward, said = random.Random(seed), Ward(broker.outlet()), 0

    async def hook(where: str, _: str) -> None:
        if where in ("before-publish", "written", "acknowledge") and chance.random() < 0.2:
            raise Unavailable("the broker is away")

    broker.hook = hook
    for _ in range(60):
        for _ in range(chance.randrange(4)):
            await ward.says(f"patient-{said % 5}", said)
            said += 1
        if chance.random() < 0.2:
            ward.paused = {chance.choice(["move: begin", "move: committed", "read: begin"]): Unavailable("the database is away")}
        if chance.random() < 0.2:
            ward.relay = ward.new_relay()
        try:
            await ward.step()
        except Unavailable:
            ward.relay = ward.new_relay()
    broker.hook = post_hook
    ward.paused.clear()
    assert (await ward.relayed()).kind == "idle"
    for n in range(5):
        assert first_seen(numbers(broker, f"patient-{n}")) == list(range(n, said, 5))


async def post_hook(_: str, __: str) -> None:
    """All is well again."""


async def test_a_round_larger_than_a_batch_goes_out_whole(ward: Ward, broker: MemoryBroker) -> None:
    """More messages of one key than fit into a batch are sent prefix by prefix in one step."""
    for n in range(250):
        await ward.says("anna", n)
    await ward.step()
    assert numbers(broker, "anna") == list(range(250))


async def test_a_row_that_cannot_be_published_holds_up_its_patient_only(ward: Ward, broker: MemoryBroker) -> None:
    """Our bug parks the key with all its later rows; everybody else's messages go on; the reason names a class and a place, no data."""
    ward.mute = {2}
    for n, name in enumerate(["anna", "berta", "anna", "berta", "anna"]):
        await ward.says(name, n)
    assert (await ward.relayed()).kind == "idle"
    await ward.says("anna", 5)
    await ward.says("berta", 6)
    await ward.relayed()
    assert (numbers(broker, "anna"), numbers(broker, "berta")) == ([0], [1, 3, 6])
    (parked,) = await ward.store.parked()
    assert (parked.subscriber, parked.ordering_id, parked.rows) == (SUBSCRIBER, patient("anna"), 3)
    assert parked.reason.startswith("Mute at ") and "secret" not in parked.reason


async def test_a_skipped_row_is_passed_and_the_rest_follows(ward: Ward, broker: MemoryBroker) -> None:
    """After an operator's skip the key's later rows go out in order, before anything newer, and a relay from the start skips it too."""
    ward.mute = {0}
    for n in range(3):
        await ward.says("anna", n)
    await ward.relayed()
    await ward.store.skip_parked(SUBSCRIBER, CHAIN, patient("anna"), by="ops-1", reason="seen to")
    await ward.says("anna", 3)
    await ward.relayed()
    assert numbers(broker, "anna") == [1, 2, 3]
    assert not await ward.store.parked()
    ward.mute = set()
    await ward.store.reset_checkpoint(SUBSCRIBER)
    await ward.relayed()
    assert first_seen(numbers(broker, "anna")) == [1, 2, 3]


async def test_a_released_key_that_fails_again_waits_again(ward: Ward, broker: MemoryBroker) -> None:
    """A second bug behind the skipped one parks the key again; what came before it is out."""
    ward.mute = {0, 2}
    for n in range(4):
        await ward.says("anna", n)
    await ward.relayed()
    await ward.store.skip_parked(SUBSCRIBER, CHAIN, patient("anna"), by="ops-1", reason="seen to")
    assert (await ward.relayed()).kind == "idle"
    assert numbers(broker, "anna") == [1]
    (parked,) = await ward.store.parked()
    assert (parked.rows, parked.released) == (2, False)


async def test_a_released_key_keeps_its_order_when_the_broker_fails(ward: Ward, broker: MemoryBroker) -> None:
    """A parked row leaves its key only once it is acknowledged."""
    ward.mute = {0}
    for n in range(4):
        await ward.says("anna", n)
    await ward.relayed()
    await ward.store.skip_parked(SUBSCRIBER, CHAIN, patient("anna"), by="ops-1", reason="seen to")
    fail_at(broker, "acknowledge", TOPIC)
    assert (await ward.relayed()).kind == "blocked"
    await ward.relayed()
    assert first_seen(numbers(broker, "anna")) == [1, 2, 3]


async def test_another_relay_moved_on(ward: Ward, broker: MemoryBroker) -> None:
    """A relay whose checkpoint was moved by somebody else begins again from there."""
    await ward.says("anna", 0)
    async with ward.store.lease(SUBSCRIBER) as lease:
        assert lease is not None
        await ward.relay.step(lease)
        await ward.says("anna", 1)
        await ward.new_relay().step(lease)
        await ward.says("anna", 2)
        assert (await ward.relay.step(lease)).kind == "blocked"
        await ward.relay.step(lease)
    assert first_seen(numbers(broker, "anna")) == [0, 1, 2]


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
