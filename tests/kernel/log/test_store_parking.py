"""The one suite, fifth part: one patient waits, everybody else goes on, and nothing that waits is ever lost."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from erbium_kernel.errors import LostLease, NotFound, Rejected
from erbium_kernel.log_records import Park, ParkedKey, ParkedRowDone, Row
from erbium_kernel.ports import Lease, Store
from tests.kernel.log.grounds import Ground
from tests.kernel.log.making import START, a_command, a_message, a_slice, a_stream, parked
from tests.kernel.log.racing import outcomes
from tests.kernel.log.reading import ids, rows_of

REASON = "Undecodable at decode"


@pytest.fixture
async def lease(store: Store, subscriber: str) -> AsyncIterator[Lease]:
    """The subscriber at work."""
    async with store.lease(subscriber) as lease:
        assert lease is not None
        yield lease


@pytest.fixture
async def rows(store: Store, lease: Lease, chain_id: UUID, topic: str) -> list[Row]:
    """Five rows of one patient, heard and own, in order."""
    patient = uuid4()
    stream = f"patient-{patient}"
    await store.append(a_command(chain_id, stream, events=2))
    await store.take_in(a_slice(topic, tuple(a_message(chain_id, ordering_id=patient) for _ in range(2))))
    await store.append(a_command(chain_id, stream, 2))
    return await rows_of(lease, chain_id, 5)


def key_of(row: Row) -> tuple[UUID, UUID]:
    """What is parked: the chain and the patient."""
    return row.envelope.chain_id, row.envelope.ordering_id


def done(subscriber: str, row: Row) -> ParkedRowDone:
    """This row has been worked off."""
    return ParkedRowDone(subscriber, *key_of(row), row.envelope.event_id)


async def parked_of(store: Store, subscriber: str) -> list[ParkedKey]:
    """The parked keys of one subscriber."""
    return [key for key in await store.parked() if key.subscriber == subscriber]


async def test_a_row_is_parked_with_the_move_past_it(ground: Ground, lease: Lease, rows: list[Row], subscriber: str) -> None:
    """The checkpoint moves and the rows wait, oldest first, with reason, attempts and time, all of it in one transaction."""
    await lease.move(START, rows[2].cursor, parked(rows[0], rows[1], rows[2]))
    assert await lease.checkpoint() == rows[2].cursor
    assert dict(await lease.parked_keys()) == {key_of(rows[0]): False}
    (key,) = await parked_of(ground.store, subscriber)
    assert (key.chain_id, key.ordering_id, key.reason, key.attempts, key.rows, key.released) == (*key_of(rows[0]), REASON, 5, 3, False)
    assert abs(key.parked_at - ground.clock.machine()) < timedelta(minutes=5)
    assert list(await lease.parked_rows(*key_of(rows[0]), 10)) == rows[:3]
    assert list(await lease.parked_rows(*key_of(rows[0]), 2)) == rows[:2]
    assert list(await ground.store.parked_detail(subscriber, *key_of(rows[0]))) == rows[:3]


async def test_a_move_from_a_lost_place_parks_nothing(store: Store, lease: Lease, rows: list[Row], subscriber: str) -> None:
    """LostLease takes the parking back too."""
    await lease.move(START, rows[0].cursor)
    with pytest.raises(LostLease):
        await lease.move(START, rows[1].cursor, parked(rows[1]))
    assert await parked_of(store, subscriber) == []
    assert list(await lease.parked_rows(*key_of(rows[1]), 10)) == []


async def test_later_rows_wait_behind_the_parked_one(store: Store, lease: Lease, rows: list[Row], subscriber: str) -> None:
    """Rows parked in later moves stand behind, under the first one's reason; another patient's key is another key."""
    stranger = a_stream()
    await store.append(a_command(rows[0].envelope.chain_id, stranger))
    other = (await rows_of(lease, rows[0].envelope.chain_id, 6))[5]
    await lease.move(START, rows[1].cursor, parked(rows[1]))
    await lease.move(rows[1].cursor, rows[3].cursor, (Park(row=rows[2], reason=None), Park(row=rows[3], reason=None)))
    await lease.move(rows[3].cursor, other.cursor, parked(other, reason="KeyError at apply"))
    assert list(await lease.parked_rows(*key_of(rows[0]), 10)) == rows[1:4]
    await lease.move(other.cursor, other.cursor, (Park(row=rows[2], reason=None),))
    assert list(await lease.parked_rows(*key_of(rows[0]), 10)) == rows[1:4]
    assert await store.parked_in(*key_of(rows[0])) == {subscriber}
    found = {key.ordering_id: (key.reason, key.rows) for key in await parked_of(store, subscriber)}
    assert found == {rows[0].envelope.ordering_id: (REASON, 3), other.envelope.ordering_id: ("KeyError at apply", 1)}


async def test_a_parked_key_is_of_one_subscriber_and_one_chain(
    ground: Ground, lease: Lease, rows: list[Row], chain_id: UUID, subscriber: str
) -> None:
    """The same patient id of another chain, or under another subscriber, is not parked, and cannot be skipped."""
    await lease.move(START, rows[0].cursor, parked(rows[0]))
    ordering_id = rows[0].envelope.ordering_id
    async with ground.other.lease(f"{subscriber}.next") as other:
        assert other is not None
        assert dict(await other.parked_keys()) == {}
        assert await ground.store.parked_in(uuid4(), ordering_id) == frozenset()
        assert await other.skips() == frozenset()
    assert list(await lease.parked_rows(uuid4(), ordering_id, 10)) == []
    for name, chain in ((f"{subscriber}.next", chain_id), (subscriber, uuid4())):
        assert list(await ground.store.parked_detail(name, chain, ordering_id)) == []
        with pytest.raises(NotFound):
            await ground.store.skip_parked(name, chain, ordering_id, rows[0].envelope.event_id, "ops-1", "test")
        with pytest.raises(NotFound):
            await ground.store.retry_parked(name, chain, ordering_id)
    assert dict(await lease.parked_keys()) == {key_of(rows[0]): False}


async def test_a_skip_passes_over_the_first_row_and_releases_the_rest(
    ground: Ground, lease: Lease, rows: list[Row], subscriber: str
) -> None:
    """The operator says which event; it is skipped for ever, in this subscriber only; the others go on in order."""
    await lease.move(START, rows[2].cursor, parked(rows[0], rows[1], rows[2]))
    skipped = rows[0].envelope.event_id
    await ground.other.skip_parked(subscriber, *key_of(rows[0]), skipped, "ops-1", "sent by a broken build")
    assert await lease.skips() == {(rows[0].envelope.chain_id, skipped)}
    assert dict(await lease.parked_keys()) == {key_of(rows[0]): True}
    assert list(await lease.parked_rows(*key_of(rows[0]), 10)) == rows[1:3]
    for row in rows[1:3]:
        assert key_of(row) in await lease.parked_keys()
        await lease.parked_row_done(done(subscriber, row))
    assert dict(await lease.parked_keys()) == {}
    assert await parked_of(ground.store, subscriber) == []


async def test_a_skip_is_of_one_chain(store: Store, lease: Lease, chain_id: UUID, subscriber: str, topic: str) -> None:
    """Another chain may have a message of the same id: it is not skipped with it."""
    message = a_message(chain_id)
    namesake = replace(message, chain_id=uuid4())
    await store.take_in(a_slice(topic, (message, namesake)))
    (row,), (other,) = await rows_of(lease, chain_id, 1), await rows_of(lease, namesake.chain_id, 1)
    assert row.envelope.event_id == other.envelope.event_id
    await lease.move(START, other.cursor, (*parked(row), *parked(other)))
    await store.skip_parked(subscriber, *key_of(row), message.event_id, "ops-1", "test")
    assert await lease.skips() == {(chain_id, message.event_id)}
    await store.skip_parked(subscriber, *key_of(other), message.event_id, "ops-1", "test")
    assert await lease.skips() == {(chain_id, message.event_id), (namesake.chain_id, message.event_id)}


async def test_skipping_the_only_row_frees_the_key(store: Store, lease: Lease, rows: list[Row], subscriber: str) -> None:
    """Nothing is left to wait for, so the patient is followed again; skipping once more is NotFound."""
    await lease.move(START, rows[0].cursor, parked(rows[0]))
    await store.skip_parked(subscriber, *key_of(rows[0]), rows[0].envelope.event_id, "ops-1", "test")
    assert dict(await lease.parked_keys()) == {}
    assert await parked_of(store, subscriber) == []
    assert await store.parked_in(*key_of(rows[0])) == frozenset()
    with pytest.raises(NotFound):
        await store.skip_parked(subscriber, *key_of(rows[0]), rows[0].envelope.event_id, "ops-1", "test")
    assert await lease.skips() == {(rows[0].envelope.chain_id, rows[0].envelope.event_id)}


async def test_a_skip_pressed_twice_passes_over_one_row(store: Store, lease: Lease, rows: list[Row], subscriber: str) -> None:
    """Only the first row of a key that waits for an operator is skipped, and only by its name: a healthy event never is, by mistake."""
    await lease.move(START, rows[2].cursor, parked(rows[0], rows[1], rows[2]))
    first, second, _ = ids(rows)[:3]
    for other in (second, uuid4()):
        with pytest.raises(Rejected, match=f"{first} is"):
            await store.skip_parked(subscriber, *key_of(rows[0]), other, "ops-1", "test")
    assert dict(await lease.parked_keys()) == {key_of(rows[0]): False}
    await store.skip_parked(subscriber, *key_of(rows[0]), first, "ops-1", "test")
    for again in (first, second):
        with pytest.raises(Rejected, match="released"):
            await store.skip_parked(subscriber, *key_of(rows[0]), again, "ops-1", "test")
    await lease.park_again(*key_of(rows[0]), "ValueError at apply")
    with pytest.raises(Rejected, match=f"{second} is"):
        await store.skip_parked(subscriber, *key_of(rows[0]), first, "ops-1", "test")
    assert list(await lease.parked_rows(*key_of(rows[0]), 10)) == rows[1:3]
    assert await lease.skips() == {(rows[0].envelope.chain_id, first)}


async def test_a_row_parked_behind_nothing_waits_released(store: Store, lease: Lease, rows: list[Row], subscriber: str) -> None:
    """The key was freed while this row was on its way behind it: it is not lost but waits in a released key, to be worked off at once."""
    await lease.move(START, rows[0].cursor, (Park(row=rows[0], reason=None),))
    assert dict(await lease.parked_keys()) == {key_of(rows[0]): True}
    assert [(key.rows, key.released) for key in await parked_of(store, subscriber)] == [(1, True)]
    assert list(await lease.parked_rows(*key_of(rows[0]), 10)) == rows[:1]
    await lease.parked_row_done(done(subscriber, rows[0]))
    assert dict(await lease.parked_keys()) == {}


async def test_a_retry_releases_the_key_with_its_first_row(store: Store, lease: Lease, rows: list[Row], subscriber: str) -> None:
    """The fault is mended: the same rows, none skipped, may be worked off in order."""
    await lease.move(START, rows[1].cursor, parked(rows[0], rows[1]))
    await store.retry_parked(subscriber, *key_of(rows[0]))
    assert dict(await lease.parked_keys()) == {key_of(rows[0]): True}
    assert list(await lease.parked_rows(*key_of(rows[0]), 10)) == rows[:2]
    assert await lease.skips() == frozenset()


async def test_a_released_key_that_fails_again_waits_again(store: Store, lease: Lease, rows: list[Row], subscriber: str) -> None:
    """With the new reason and one attempt more; the row that failed is still the first."""
    await lease.move(START, rows[1].cursor, parked(rows[0], rows[1]))
    await store.retry_parked(subscriber, *key_of(rows[0]))
    await lease.park_again(*key_of(rows[0]), "ValueError at apply")
    (key,) = await parked_of(store, subscriber)
    assert (key.reason, key.attempts, key.released, key.rows) == ("ValueError at apply", 6, False, 2)
    assert list(await lease.parked_rows(*key_of(rows[0]), 10)) == rows[:2]


async def test_a_parked_row_is_done_once(store: Store, lease: Lease, rows: list[Row], subscriber: str) -> None:
    """Done a second time it is LostLease: an operator skipped it, or another worker was faster."""
    await lease.move(START, rows[1].cursor, parked(rows[0], rows[1]))
    await lease.parked_row_done(done(subscriber, rows[0]))
    assert [key.rows for key in await parked_of(store, subscriber)] == [1]
    with pytest.raises(LostLease):
        await lease.parked_row_done(done(subscriber, rows[0]))
    assert list(await lease.parked_rows(*key_of(rows[0]), 10)) == rows[1:2]


async def test_a_command_and_its_parked_row_stand_or_fall_together(
    store: Store, lease: Lease, rows: list[Row], chain_id: UUID, subscriber: str
) -> None:
    """A reaction's events commit with the row they work off; a row already gone takes the events back."""
    await lease.move(START, rows[0].cursor, parked(rows[0]))
    stream = a_stream()
    await store.append(a_command(chain_id, stream, after=(done(subscriber, rows[0]),)))
    assert dict(await lease.parked_keys()) == {}
    with pytest.raises(LostLease):
        await store.append(a_command(chain_id, stream, 1, after=(done(subscriber, rows[0]),)))
    assert len((await store.load(chain_id, stream)).rows) == 1


async def test_a_rebuild_forgets_what_is_parked_and_honours_what_was_skipped(
    ground: Ground, store: Store, lease: Lease, rows: list[Row], chain_id: UUID, subscriber: str
) -> None:
    """After a reset the subscriber begins again with nothing parked, in any chain, and still passes over the skipped event."""
    elsewhere = uuid4()
    await store.append(a_command(elsewhere, a_stream()))
    (other,) = await rows_of(lease, elsewhere, 1)
    await lease.move(START, other.cursor, (*parked(rows[0], rows[1]), *parked(other)))
    async with store.lease(f"{subscriber}.next") as unconcerned:
        assert unconcerned is not None
        await unconcerned.move(START, rows[0].cursor, parked(rows[0]))
    await store.skip_parked(subscriber, *key_of(rows[0]), rows[0].envelope.event_id, "ops-1", "test")
    await ground.forget(subscriber)
    assert [key.rows for key in await parked_of(store, f"{subscriber}.next")] == [1]
    assert await lease.checkpoint() == START
    assert dict(await lease.parked_keys()) == {}
    assert await parked_of(store, subscriber) == []
    assert list(await lease.parked_rows(*key_of(rows[1]), 10)) == []
    assert await lease.skips() == {(rows[0].envelope.chain_id, rows[0].envelope.event_id)}
    await lease.move(START, rows[1].cursor, parked(rows[1]))
    assert list(await lease.parked_rows(*key_of(rows[1]), 10)) == rows[1:2]


async def test_parked_rows_keep_their_order_through_a_restore(ground: Ground, subscriber: str, chain_id: UUID) -> None:
    """Rows of the old epoch, whose transaction ids are higher, are worked off before those of the new one."""
    stream = a_stream()
    await ground.store.append(a_command(chain_id, stream, events=2))
    await ground.new_epoch()
    await ground.store.append(a_command(chain_id, stream, 2))
    async with ground.store.lease(subscriber) as lease:
        assert lease is not None
        rows = await rows_of(lease, chain_id, 3)
        await lease.move(START, rows[2].cursor, parked(*rows))
        assert list(await lease.parked_rows(*key_of(rows[0]), 10)) == rows
        await ground.store.skip_parked(subscriber, *key_of(rows[0]), rows[0].envelope.event_id, "ops-1", "test")
        assert list(await lease.parked_rows(*key_of(rows[0]), 10)) == rows[1:]


async def test_of_racing_operators_one_skips_the_row(ground: Ground, lease: Lease, rows: list[Row], subscriber: str) -> None:
    """Two operators skip the same row at the same time: one does, the other is refused, and no other row goes."""
    await lease.move(START, rows[4].cursor, parked(*rows))
    key = key_of(rows[0])
    first = rows[0].envelope.event_id
    _, lost = await outcomes(*(store.skip_parked(subscriber, *key, first, "ops", "test") for store in (ground.store, ground.other)))
    assert [type(error) for error in lost] == [Rejected]
    assert await lease.skips() == {(rows[0].envelope.chain_id, first)}
    assert list(await lease.parked_rows(*key, 10)) == rows[1:]


async def test_a_skip_that_races_with_a_later_row_loses_nothing(ground: Ground, rows: list[Row], lease: Lease, subscriber: str) -> None:
    """While the operator skips the only row, the next one is parked behind it: whichever is first, that one waits and is listed."""
    key = key_of(rows[0])
    for _ in range(10):
        await lease.move(await lease.checkpoint(), rows[0].cursor, parked(rows[0]))
        await outcomes(
            lease.move(rows[0].cursor, rows[1].cursor, (Park(row=rows[1], reason=None),)),
            ground.other.skip_parked(subscriber, *key, rows[0].envelope.event_id, "ops-1", "test"),
        )
        assert dict(await lease.parked_keys()) == {key: True}
        assert list(await lease.parked_rows(*key, 10)) == rows[1:2]
        await lease.parked_row_done(done(subscriber, rows[1]))
