"""The one suite, sixth part: what is heard from other services is in the log once, with the position it came from."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from erbium_kernel.errors import LostLease
from erbium_kernel.log_records import EARLIER_HEARTBEATS_MAX, TakenIn, Unreadable
from erbium_kernel.ports import Store
from tests.kernel.log.grounds import Ground
from tests.kernel.log.making import START, a_command, a_message, a_persons_key, a_slice, a_stream
from tests.kernel.log.racing import outcomes
from tests.kernel.log.reading import ids, rows_of

RACERS = 4


async def test_a_message_is_kept_as_it_came(ground: Ground, chain_id: UUID, subscriber: str, topic: str) -> None:
    """Raw bytes, repeated headers and the sender's envelope; no stream, version or data of its own; recorded at our clock."""
    message = a_message(chain_id)
    assert await ground.store.take_in(a_slice(topic, (message,))) == TakenIn(new=1, repeated=0)
    async with ground.store.lease(subscriber) as lease:
        assert lease is not None
        (row,) = await rows_of(lease, chain_id, 1)
    envelope = row.envelope
    for name in ("ordering_id", "event_id", "type", "schema_version", "origin", "clinic_id", "subject_id", "occurred_at"):
        assert getattr(envelope, name) == getattr(message, name)
    assert (envelope.correlation_id, envelope.causation_id, envelope.actor) == (message.correlation_id, message.causation_id, message.actor)
    assert (envelope.stream, envelope.version, envelope.command_id, row.data) == (None, None, None, None)
    assert (row.raw, row.headers) == (message.raw, message.headers)
    assert envelope.recorded_at == ground.clock.now()
    assert await ground.store.place_of(chain_id, message.event_id) == (row.cursor, message.type, message.ordering_id)


async def test_what_a_message_lacks_stays_empty(store: Store, chain_id: UUID, subscriber: str, topic: str) -> None:
    """No clinic, person, cause, headers or content at all: an empty message is still a message."""
    bare = a_message(chain_id, clinic_id=None, subject_id=None, causation_id=None, headers=(), raw=b"")
    await store.take_in(a_slice(topic, (bare,)))
    async with store.lease(subscriber) as lease:
        assert lease is not None
        (row,) = await rows_of(lease, chain_id, 1)
    assert (row.envelope.clinic_id, row.envelope.subject_id, row.envelope.causation_id) == (None, None, None)
    assert (row.raw, row.headers) == (b"", ())


async def test_a_slice_keeps_its_order(store: Store, chain_id: UUID, subscriber: str, topic: str) -> None:
    """Messages of several chains in one slice stand in the log in the order of the partition, slice after slice."""
    elsewhere = uuid4()
    messages = tuple(a_message((chain_id, elsewhere)[n % 2]) for n in range(6))
    await store.take_in(a_slice(topic, messages[:4]))
    await store.take_in(a_slice(topic, messages[4:], start=4))
    async with store.lease(subscriber) as lease:
        assert lease is not None
        mine, theirs = await rows_of(lease, chain_id, 3), await rows_of(lease, elsewhere, 3)
    assert ids(mine) == [message.event_id for message in messages[::2]]
    assert ids(theirs) == [message.event_id for message in messages[1::2]]
    assert ids(sorted([*mine, *theirs], key=lambda row: row.cursor)) == [message.event_id for message in messages]


async def test_a_long_slice_of_one_chain_keeps_its_order(store: Store, chain_id: UUID, subscriber: str, topic: str) -> None:
    """Hundreds of messages at once, some of them heard before: the new ones stand in the order of the partition."""
    messages = [a_message(chain_id, type=f"erbium.aftercare.fact-{n % 7}") for n in range(300)]
    await store.take_in(a_slice(topic, tuple(messages[10:20])))
    assert await store.take_in(a_slice(topic, (*messages, *messages[:5]), start=10)) == TakenIn(new=290, repeated=15)
    async with store.lease(subscriber) as lease:
        assert lease is not None
        rows = await rows_of(lease, chain_id, 300)
    assert ids(rows) == [message.event_id for message in (*messages[10:20], *messages[:10], *messages[20:])]
    assert [row.envelope.type for row in rows[10:20]] == [message.type for message in messages[:10]]


async def test_a_message_is_heard_once_for_ever(store: Store, chain_id: UUID, subscriber: str, topic: str) -> None:
    """Sent again, in the same slice, a later one or through another topic, it is counted as repeated; another chain's is another."""
    message, news = a_message(chain_id), a_message(chain_id)
    assert await store.take_in(a_slice(topic, (message, message))) == TakenIn(new=1, repeated=1)
    assert await store.take_in(a_slice(topic, (message, news, message), start=2)) == TakenIn(new=1, repeated=2)
    assert await store.take_in(a_slice(f"{topic}.v2", (replace(message, raw=b"other"),))) == TakenIn(new=0, repeated=1)
    assert await store.take_in(a_slice(topic, (replace(message, chain_id=uuid4()),), start=5)) == TakenIn(new=1, repeated=0)
    async with store.lease(subscriber) as lease:
        assert lease is not None
        assert ids(await rows_of(lease, chain_id, 2)) == [message.event_id, news.event_id]


async def test_a_message_does_not_touch_our_heads(store: Store, chain_id: UUID, topic: str) -> None:
    """A heard fact about a patient who has a stream here changes no version."""
    stream = a_stream()
    await store.append(a_command(chain_id, stream))
    await store.take_in(a_slice(topic, (a_message(chain_id, ordering_id=UUID(stream[-36:])),)))
    assert await store.append(a_command(chain_id, stream, 1)) == 2


async def test_a_position_moves_with_what_was_read(store: Store, topic: str) -> None:
    """A partition never read is absent and begins at 0; each slice moves its own partition, also one in which nothing was of use."""
    assert dict(await store.positions(topic)) == {}
    await store.take_in(a_slice(topic, next=40))
    await store.take_in(a_slice(topic, partition=5, next=7))
    await store.take_in(a_slice(topic, start=40, next=41))
    assert dict(await store.positions(topic)) == {3: 41, 5: 7}
    with pytest.raises(LostLease):
        await store.take_in(a_slice(topic, partition=6, start=2, next=4))
    assert dict(await store.positions(f"{topic}.v2")) == {}


async def test_a_slice_from_a_lost_position_leaves_nothing(ground: Ground, chain_id: UUID, topic: str) -> None:
    """Another worker was faster: no row, no unreadable record, no key, no heartbeat, no move."""
    await ground.store.take_in(a_slice(topic, next=10))
    message, key = a_message(chain_id), a_persons_key(chain_id)
    record = Unreadable(offset=0, reason="no ce_id", key=None, raw=b"x", headers=())
    lost = a_slice(topic, (message,), unreadable=(record,), keys=(key,), heartbeat_at=ground.clock.machine())
    for part in (lost, replace(lost, expected=9), replace(lost, expected=11)):
        with pytest.raises(LostLease):
            await ground.store.take_in(part)
    assert await ground.store.place_of(chain_id, message.event_id) is None
    assert dict(await ground.store.keys(chain_id, [key.subject_id])) == {}
    assert await ground.store.heartbeats(topic) == []
    assert await ground.unreadable(topic) == []
    assert dict(await ground.store.positions(topic)) == {3: 10}


async def test_of_racing_slices_exactly_one_is_taken_in(ground: Ground, chain_id: UUID, topic: str) -> None:
    """Two workers read the same partition for a moment: the messages are there once, in order, and the position moved once."""
    messages = tuple(a_message(chain_id) for _ in range(3))
    part = a_slice(topic, messages)
    won, lost = await outcomes(*((ground.store, ground.other)[n % 2].take_in(part) for n in range(RACERS)))
    assert (won, [type(error) for error in lost]) == ([TakenIn(new=3, repeated=0)], [LostLease] * (RACERS - 1))
    places = [await ground.store.place_of(chain_id, message.event_id) for message in messages]
    assert places == sorted(place for place in places if place is not None)
    assert dict(await ground.store.positions(topic)) == {3: 3}


async def test_unreadable_records_are_kept_as_they_came(ground: Ground, chain_id: UUID, topic: str) -> None:
    """Any bytes, a missing key, a tombstone: kept beside the log with offset and reason, and the rest of the slice goes on."""
    message = a_message(chain_id)
    records = (
        Unreadable(offset=0, reason="no ce_id", key=b"\xff\x00", raw=b"\x00not json", headers=(("ce_type", b"\xfe\x00"),)),
        Unreadable(offset=2, reason="no chain", key=None, raw=None, headers=()),
    )
    await ground.store.take_in(a_slice(topic, (message,), unreadable=records, next=3))
    found = sorted(await ground.unreadable(topic), key=lambda record: int(record["offset"]))
    assert [(record["partition"], record["offset"], record["reason"], record["key"], record["raw"]) for record in found] == [
        (3, record.offset, record.reason, record.key, record.raw) for record in records
    ]
    assert await ground.store.place_of(chain_id, message.event_id) is not None


async def test_the_first_cluster_seen_is_remembered(ground: Ground) -> None:
    """Whoever asks later, in any process, is told the first one: the positions belong to it."""
    first = await ground.store.cluster_id(f"cluster-{uuid4()}")
    assert await ground.other.cluster_id("another") == first
    assert await ground.store.cluster_id(first) == first


# --- signs of life


async def test_a_heartbeat_vouches_for_the_rows_before_it(ground: Ground, chain_id: UUID, topic: str) -> None:
    """Its cursor is the last row there was, those of its own slice included; a repeated one is none, and each partition has its own."""
    message, later = a_message(chain_id), a_message(chain_id)
    at = ground.clock.machine()
    await ground.store.take_in(a_slice(topic, (message,), heartbeat_at=at))
    (beat,) = await ground.other.heartbeats(topic)
    assert (beat.topic, beat.partition, beat.sent_at) == (topic, 3, at)
    assert beat.cursor == await cursor_of(ground.store, chain_id, message.event_id)
    await ground.store.take_in(a_slice(topic, (later,), start=1, heartbeat_at=at + timedelta(seconds=10)))
    await ground.store.take_in(a_slice(topic, partition=4, next=9, heartbeat_at=at))
    await ground.store.take_in(a_slice(topic, start=2, next=3))
    await ground.store.take_in(a_slice(topic, start=3, next=4, heartbeat_at=at))
    first, second, other = await ground.store.heartbeats(topic)
    assert [(beat.partition, beat.sent_at) for beat in (first, second, other)] == [(3, at), (3, at + timedelta(seconds=10)), (4, at)]
    assert first == beat
    assert second.cursor == other.cursor == await cursor_of(ground.store, chain_id, later.event_id)


async def test_heartbeats_that_a_reader_has_reached_are_kept(ground: Ground, chain_id: UUID, topic: str) -> None:
    """On a log that goes on and on the newest heartbeat is never reached at once: those before it are there too, the oldest first."""
    at, kept = ground.clock.machine(), EARLIER_HEARTBEATS_MAX + 1
    places = []
    for n in range(kept + 2):
        message = a_message(chain_id)
        await ground.store.take_in(a_slice(topic, (message,), start=n, heartbeat_at=at + timedelta(seconds=10 * n)))
        places.append(await cursor_of(ground.store, chain_id, message.event_id))
    beats = await ground.other.heartbeats(topic)
    assert [(beat.topic, beat.partition, beat.cursor) for beat in beats] == [(topic, 3, place) for place in places[-kept:]]
    assert [beat.sent_at for beat in beats] == [at + timedelta(seconds=10 * n) for n in range(2, kept + 2)]


async def test_a_heartbeat_vouches_for_rows_that_a_reader_may_not_have_yet(ground: Ground, chain_id: UUID, topic: str) -> None:
    """A suspension is committed but waits behind an open transaction: the heartbeat after it points behind it, never before."""
    suspension = a_message(chain_id)
    async with ground.hold(chain_id):
        await ground.store.take_in(a_slice(topic, (suspension,)))
        await ground.store.take_in(a_slice(topic, start=1, next=2, heartbeat_at=ground.clock.machine()))
        (beat,) = await ground.store.heartbeats(topic)
        place = await cursor_of(ground.store, chain_id, suspension.event_id)
        assert await ground.store.end() < place <= beat.cursor


async def test_a_heartbeat_points_at_a_row(ground: Ground, chain_id: UUID, subscriber: str, topic: str) -> None:
    """A subscriber that has followed everything is at the heartbeat's place or behind it: freshness can be reached."""
    await ground.store.append(a_command(chain_id, a_stream()))
    await ground.store.take_in(a_slice(topic, next=5, heartbeat_at=ground.clock.machine()))
    (beat,) = await ground.store.heartbeats(topic)
    async with ground.store.lease(subscriber) as lease:
        assert lease is not None
        last = (await rows_of(lease, chain_id, 1))[-1].cursor
        await lease.move(START, last)
        assert last >= beat.cursor


async def cursor_of(store: Store, chain_id: UUID, event_id: UUID) -> tuple[int, int, int]:
    """Where a message stands."""
    found = await store.place_of(chain_id, event_id)
    assert found is not None
    return found[0]
