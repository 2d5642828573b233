"""The intake on memory adapters: each message once, in its partition's order, whatever fails on the way."""

import random
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from erbium_kernel.errors import LostLease, Unavailable
from erbium_kernel.intake import SLICE_BYTES_MAX, Intake
from erbium_kernel.message import ordering_key
from erbium_kernel.topic.memory import MemoryBroker, no_hook
from erbium_kernel.topic_port import Outgoing
from tests.kernel.topic import post
from tests.kernel.topic.post import CHAIN, TOPIC, Kitchen, Ward, patient

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


async def raw(broker: MemoryBroker, record: Outgoing, topic: str = TOPIC) -> None:
    """A record that no relay of ours wrote."""
    await broker.outlet().publish(topic, [record])


async def test_messages_arrive_once_and_in_order(ward: Ward, kitchen: Kitchen, new_intake: make_intake) -> None:
    """Each patient's messages stand in the log in their order, with sender, version and body, and the stored positions are at the end."""
    for n in range(20):
        await ward.says(f"patient-{n % 3}", n)
    await ward.relayed()
    assert (await kitchen.taken_in(new_intake())).kind == "idle"
    for n in range(3):
        assert await kitchen.numbers(f"patient-{n}") == list(range(n, 20, 3))
    row = (await kitchen.rows())[0]
    assert (row.envelope.origin, row.envelope.type, row.envelope.schema_version) == ("ward", "erbium.ward.said", 1)
    assert (row.envelope.clinic_id, row.envelope.actor.id) == (patient("clinic"), "nurse-17")
    assert (row.envelope.stream, row.envelope.version, row.data) == (None, None, None)


async def test_a_resent_round_is_heard_once(ward: Ward, kitchen: Kitchen, new_intake: make_intake) -> None:
    """Repetitions, of the same relay or of one that began anew, change nothing in the log."""
    for n in range(5):
        await ward.says("anna", n)
    await ward.relayed()
    intake = new_intake()
    await kitchen.taken_in(intake)
    await ward.store.reset_checkpoint("relay")
    ward.relay = ward.new_relay()
    await ward.relayed()
    await kitchen.taken_in(intake)
    assert await kitchen.numbers("anna") == list(range(5))
    assert (intake.new_total, intake.repeated_total) == (5, 5)


async def test_a_new_process_reads_on(ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake) -> None:
    """Where to read on is in the database: the process and the group's committed offsets may be lost."""
    await ward.says("anna", 0)
    await ward.relayed()
    intake = new_intake()
    await kitchen.taken_in(intake)
    broker.committed.clear()
    await ward.says("anna", 1)
    await ward.relayed()
    again = new_intake()
    await kitchen.taken_in(again)
    await kitchen.taken_in(intake)
    assert await kitchen.numbers("anna") == [0, 1]
    assert intake.repeated_total + again.repeated_total == 0


@pytest.mark.parametrize("seed", range(10))
async def test_no_failure_loses_or_doubles(broker: MemoryBroker, seed: int) -> None:
    """Whatever fails (database at any place, broker, rebalances, two members, crashes), every message stands once, in order."""
    chance, ward, kitchen = random.Random(seed), Ward(broker.outlet()), Kitchen()
    topics = [TOPIC, post.KEYS]

    def member() -> Intake:
        return Intake(kitchen.runtime, broker.inlet(GROUP, topics), topics, keys_topic=post.KEYS)

    async def hook(where: str, _: str) -> None:
        if where in ("before-poll", "polled", "metadata") and chance.random() < 0.1:
            raise Unavailable("the broker is away")
        if where == "polled" and chance.random() < 0.1:
            broker.rebalance()

    broker.hook = hook
    members, said = [member(), member()], 0
    for _ in range(80):
        for _ in range(chance.randrange(4)):
            await ward.says(f"patient-{said % 6}", said)
            said += 1
        await ward.step()
        if chance.random() < 0.3:
            place = chance.choice(["take in: begin", "take in: written", "take in: committed", "positions: begin", "cluster id: begin"])
            kitchen.paused = {place: [Unavailable("the database is away")]}
        if chance.random() < 0.05:
            members[chance.randrange(2)] = member()
        await chance.choice(members).step()
    broker.hook = no_hook
    kitchen.paused.clear()
    await ward.relayed()
    broker.rebalance()
    for each in members * 3:
        await kitchen.taken_in(each)
    survivor = Intake(kitchen.runtime, broker.inlet("another.group", topics), topics, keys_topic=post.KEYS)
    await kitchen.taken_in(survivor)
    for n in range(6):
        assert await kitchen.numbers(f"patient-{n}") == list(range(n, said, 6))


async def test_a_member_that_lost_its_partition_reads_on_from_the_store(
    ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake
) -> None:
    """Two that both believe a partition is theirs do not disturb each other: the slower one's slice is refused, and it goes on behind."""
    slow, quick = new_intake(), Intake(kitchen.runtime, broker.inlet("zombie", [TOPIC]), [TOPIC], keys_topic=post.KEYS)
    await kitchen.taken_in(slow)
    for n in range(3):
        await ward.says("anna", n)
    await ward.relayed()
    await kitchen.taken_in(quick)
    assert (await slow.step()).kind == "worked"
    await ward.says("anna", 3)
    await ward.relayed()
    await kitchen.taken_in(slow)
    assert await kitchen.numbers("anna") == [0, 1, 2, 3]
    assert slow.new_total == 1


async def test_a_steady_intake_asks_nothing(ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake) -> None:
    """Once placed, reading asks the broker for records and for nothing else."""
    intake, asked = new_intake(), []
    await kitchen.taken_in(intake)

    async def hook(where: str, _: str) -> None:
        asked.append(where)

    broker.hook = hook
    for n in range(3):
        await ward.says("anna", n)
        await ward.relayed()
        await kitchen.taken_in(intake)
    assert "metadata" not in asked


async def test_a_lost_slice_is_read_again(ward: Ward, kitchen: Kitchen, new_intake: make_intake) -> None:
    """A slice whose transaction lost its position is not forgotten."""
    await ward.says("anna", 0)
    await ward.relayed()
    kitchen.paused = {"take in: begin": [LostLease("somebody moved it")]}
    await kitchen.taken_in(new_intake())
    assert await kitchen.numbers("anna") == [0]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda r: replace(r, key=b"anna"), "the key is not <chain id>/<ordering id>"),
        (lambda r: replace(r, key=ordering_key(patient("other chain"), patient("anna"))), "ce_chainid and the key name different chains"),
        (lambda r: without(r, "ce_id"), "ce_id is not a UUID"),
        (lambda r: without(r, "ce_chainid"), "ce_chainid is not a UUID"),
        (lambda r: without(r, "ce_type"), "ce_type is not erbium.<service>.<fact>.v<version>"),
    ],
)
async def test_an_unreadable_record_is_kept(
    ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake, spoil: Callable[[Outgoing], Outgoing], reason: str
) -> None:
    """What has no usable chain, key, id or type is kept as it came, with the reason, and reading goes on."""
    good = await sample(ward)
    await raw(broker, spoil(good))
    await raw(broker, good)
    intake = new_intake()
    await kitchen.taken_in(intake)
    (kept,) = kitchen.store.tables.unreadable.values()
    assert (kept.reason, kept.raw, kept.key) == (reason, spoil(good).value, spoil(good).key)
    assert (await kitchen.numbers("anna"), intake.unreadable_total) == ([7], 1)


async def test_an_unknown_version_is_stored(ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake) -> None:
    """A version that nobody here can decode stands in the log, in its place, for the followers to park."""
    good = await sample(ward)
    await raw(broker, with_header(with_header(good, "ce_type", b"erbium.ward.said.v9"), "ce_id", str(uuid4()).encode()))
    await raw(broker, good)
    await kitchen.taken_in(new_intake())
    assert [row.envelope.schema_version for row in await kitchen.rows()] == [9, 1]


async def test_a_body_of_garbage_is_stored(ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake) -> None:
    """A body that is no JSON, or none at all, is for the decoder to refuse, not for the intake to drop."""
    good = await sample(ward)
    for body in (b"\xff\x00", None):
        await raw(broker, with_header(replace(good, value=body), "ce_id", str(uuid4()).encode()))
    await kitchen.taken_in(new_intake())
    assert [row.raw for row in await kitchen.rows()] == [b"\xff\x00", b""]


async def test_a_compacted_topic_is_read_to_its_end(ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake) -> None:
    """Offsets that compaction has emptied are no gap: reading goes on behind them."""
    intake = new_intake()
    await kitchen.taken_in(intake)
    key = ordering_key(CHAIN, patient("anna"))
    for value in (b"one", b"two", b"three"):
        await raw(broker, Outgoing(key=key, value=value), post.KEYS)
    broker.compact(post.KEYS)
    await kitchen.taken_in(intake)
    assert 3 in (await kitchen.store.positions(post.KEYS)).values()
    assert (await kitchen.store.keys(CHAIN, [patient("anna")]))[patient("anna")].wrapped == b"three"


async def test_a_large_slice_is_cut(ward: Ward, broker: MemoryBroker, kitchen: Kitchen, new_intake: make_intake) -> None:
    """More bytes than one transaction takes go in several, none lost."""
    good = await sample(ward)
    for _ in range(12):
        body = b'{"number": 1, "padding": "' + b"x" * (SLICE_BYTES_MAX // 5) + b'"}'
        await raw(broker, with_header(replace(good, value=body), "ce_id", str(uuid4()).encode()))
    places: list[str] = []
    kitchen.store._pause = lambda where: remember(places, where)
    await kitchen.taken_in(new_intake())
    assert places.count("take in: begin") == 3
    assert len(await kitchen.rows()) == 12


async def remember(places: list[str], where: str) -> None:
    """A pause that waits for nothing."""
    places.append(where)


async def sample(ward: Ward) -> Outgoing:
    """A record as our relay writes it."""
    other = MemoryBroker({TOPIC: 1, post.KEYS: 1})
    teller = Ward(other.outlet())
    await teller.says("anna", 7)
    await teller.relayed()
    record = other.records(TOPIC)[0]
    assert record.key is not None
    return Outgoing(key=record.key, value=record.value, headers=record.headers)


def without(record: Outgoing, name: str) -> Outgoing:
    """The record without this header."""
    return replace(record, headers=tuple(header for header in record.headers if header[0] != name))


def with_header(record: Outgoing, name: str, value: bytes) -> Outgoing:
    """The record with another value under this header."""
    return replace(record, headers=(*without(record, name).headers, (name, value)))
