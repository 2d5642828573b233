"""The relay on memory adapters: order per key, nothing lost, parked keys, shared keys, signs of life."""

import random

import pytest

from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Actor, Cursor, message_id
from erbium_kernel.log_records import Heard, Slice
from erbium_kernel.message import ordering_key
from erbium_kernel.progress import Progress
from erbium_kernel.relay import SUBSCRIBER
from erbium_kernel.topic.memory import MemoryBroker, no_hook
from tests.kernel.topic import post
from tests.kernel.topic.asked import fail_at, first_seen, numbers
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


async def skip_first(ward: Ward, name: str) -> None:
    """An operator looks at the patient's rows and skips the first."""
    first, *_ = await ward.store.parked_detail(SUBSCRIBER, CHAIN, patient(name))
    await ward.store.skip_parked(SUBSCRIBER, CHAIN, patient(name), first.envelope.event_id, by="ops-1", reason="seen to")


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
        causation_id=None, actor=Actor(kind="staff", id="cook"), traceparent=None, raw=b"{}", headers=(),
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
    assert (await ward.relayed()) == Progress(kind="blocked", reason="the broker is away")
    assert (await ward.store.checkpoints()).get(SUBSCRIBER, Cursor()) == Cursor()
    assert (await ward.relayed()).kind == "idle"
    for n in range(3):
        assert first_seen(numbers(broker, f"patient-{n}")) == [n, n + 3]


@pytest.mark.parametrize("seed", range(10))
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
    broker.hook = no_hook
    ward.paused.clear()
    assert (await ward.relayed()).kind == "idle"
    for n in range(5):
        assert first_seen(numbers(broker, f"patient-{n}")) == list(range(n, said, 5))


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
    assert parked.reason.startswith("Mute at ")
    assert "secret" not in parked.reason


async def test_a_skipped_row_is_passed_and_the_rest_follows(ward: Ward, broker: MemoryBroker) -> None:
    """After an operator's skip the key's later rows go out in order, before anything newer, and a relay from the start skips it too."""
    ward.mute = {0}
    for n in range(3):
        await ward.says("anna", n)
    await ward.relayed()
    await skip_first(ward, "anna")
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
    await skip_first(ward, "anna")
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
    await skip_first(ward, "anna")
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
        assert (await ward.relay.step(lease)).kind == "worked"
    assert first_seen(numbers(broker, "anna")) == [0, 1, 2]
