"""The one suite, seventh part: one key per person and chain, and an erasure that nothing can undo."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from erbium_kernel.event import Cursor
from erbium_kernel.log_records import Key
from erbium_kernel.ports import Store
from tests.kernel.log.grounds import Ground
from tests.kernel.log.making import START, a_persons_key, a_slice
from tests.kernel.log.racing import outcomes
from tests.kernel.log.reading import eventually

RACERS = 6
AN_HOUR = timedelta(hours=1)
PAGE_KEYS = 1_000


def without_place(key: Key) -> Key:
    """The key itself."""
    return replace(key, cursor=START)


async def stored(store: Store, key: Key) -> Key | None:
    """The key that stands for this person."""
    return (await store.keys(key.chain_id, [key.subject_id])).get(key.subject_id)


async def changed(store: Store, chain_id: UUID, count: int, after: Cursor = START) -> list[Key]:
    """The shared keys of a chain that changed behind a place, as soon as there are `count`."""

    async def ask() -> list[Key]:
        found = await store.changed_keys(after, PAGE_KEYS)
        return [key for key in found if key.chain_id == chain_id]

    return await eventually(ask, lambda keys: len(keys) >= count)


async def test_a_new_persons_key_stands(ground: Ground, chain_id: UUID) -> None:
    """It is returned and read back by every process, for this chain only; unknown persons are absent."""
    key, staff = a_persons_key(chain_id), a_persons_key(chain_id, shared=False)
    assert without_place(await ground.store.ensure_key(key)) == key
    assert without_place(await ground.store.ensure_key(staff)) == staff
    found = await ground.other.keys(chain_id, [key.subject_id, staff.subject_id, uuid4()])
    assert {subject: without_place(one) for subject, one in found.items()} == {key.subject_id: key, staff.subject_id: staff}
    assert dict(await ground.store.keys(uuid4(), [key.subject_id])) == {}
    assert dict(await ground.store.keys(chain_id, [])) == {}


async def test_the_first_key_stands(store: Store, chain_id: UUID) -> None:
    """A second key for the same person is refused by returning the first; in another chain it is another person."""
    first = a_persons_key(chain_id)
    second = a_persons_key(chain_id, first.subject_id)
    elsewhere = a_persons_key(uuid4(), first.subject_id)
    place = await store.ensure_key(first)
    assert await store.ensure_key(second) == place
    assert without_place(await store.ensure_key(elsewhere)) == elsewhere


async def test_of_racing_keys_exactly_one_stands(ground: Ground, chain_id: UUID) -> None:
    """Six processes make a key for one person: all are given the same."""
    subject = uuid4()
    keys = [a_persons_key(chain_id, subject) for _ in range(RACERS)]
    given, lost = await outcomes(*((ground.store, ground.other)[n % 2].ensure_key(key) for n, key in enumerate(keys)))
    assert lost == []
    assert len({key.wrapped for key in given}) == 1
    assert (await ground.store.keys(chain_id, [subject]))[subject] == given[0]


async def test_an_erasure_is_final(store: Store, chain_id: UUID, topic: str) -> None:
    """The wrapped key is gone; neither a new one nor one heard late is accepted; erasing again changes nothing."""
    key = a_persons_key(chain_id)
    await store.ensure_key(key)
    await store.erase_key(chain_id, key.subject_id)
    erased = await stored(store, key)
    assert erased is not None
    assert (erased.wrapped, erased.erased, erased.shared) == (None, True, True)
    assert await store.ensure_key(a_persons_key(chain_id, key.subject_id)) == erased
    await store.take_in(a_slice(topic, keys=(a_persons_key(chain_id, key.subject_id), key)))
    await store.erase_key(chain_id, key.subject_id)
    assert await stored(store, key) == erased


async def test_an_erasure_may_come_before_the_key(store: Store, chain_id: UUID, topic: str) -> None:
    """The key of an erased person that arrives late is never accepted."""
    late, later = a_persons_key(chain_id), a_persons_key(chain_id)
    await store.erase_key(chain_id, late.subject_id)
    assert (await store.ensure_key(late)).erased
    await store.erase_key(chain_id, later.subject_id)
    await store.take_in(a_slice(topic, keys=(later,)))
    for key in (late, later):
        found = await stored(store, key)
        assert found is not None
        assert (found.wrapped, found.erased) == (None, True)


async def test_an_erasure_is_of_one_chain(store: Store, chain_id: UUID) -> None:
    """The same person id of another chain keeps its key."""
    key = a_persons_key(chain_id)
    elsewhere = a_persons_key(uuid4(), key.subject_id)
    for one in (key, elsewhere):
        await store.ensure_key(one)
    await store.erase_key(chain_id, key.subject_id)
    found = await stored(store, elsewhere)
    assert found is not None
    assert found.wrapped == elsewhere.wrapped


async def test_an_erased_staff_key_never_travels(store: Store, chain_id: UUID) -> None:
    """What stayed in this service stays in it: its erasure is no change for the key topic either."""
    staff, patient = a_persons_key(chain_id, shared=False), a_persons_key(chain_id)
    await store.ensure_key(staff)
    await store.erase_key(chain_id, staff.subject_id)
    await store.ensure_key(patient)
    assert [key.subject_id for key in await changed(store, chain_id, 1)] == [patient.subject_id]
    found = await stored(store, staff)
    assert found is not None
    assert (found.erased, found.shared) == (True, False)


async def test_an_erasure_wins_every_race(ground: Ground, chain_id: UUID, topic: str) -> None:
    """Keys made and heard while the person is erased: whoever is first, erased is what stands."""
    for n in range(5):
        subject = uuid4()
        racers = [a_persons_key(chain_id, subject) for _ in range(3)]
        await outcomes(
            nothing_told(ground.store.ensure_key(racers[0])),
            ground.other.erase_key(chain_id, subject),
            nothing_told(ground.other.ensure_key(racers[1])),
            nothing_told(ground.store.take_in(a_slice(topic, partition=n, keys=(racers[2],)))),
        )
        found = (await ground.store.keys(chain_id, [subject]))[subject]
        assert (found.wrapped, found.erased) == (None, True)


async def nothing_told(call: object) -> None:
    """Waits, and drops the answer."""
    await call  # type: ignore[misc]


async def test_keys_heard_are_kept_wrapped_anew_and_erased(store: Store, chain_id: UUID, topic: str) -> None:
    """From the key topic: a new person's key, the same one wrapped by a newer master, and its tombstone, in the topic's order."""
    key = a_persons_key(chain_id)
    rotated = replace(key, wrapped=b"wrapped by the next master")
    for offset, heard in enumerate((key, rotated)):
        await store.take_in(a_slice(topic, start=offset, keys=(heard,)))
        found = await stored(store, key)
        assert found is not None
        assert (found.wrapped, found.erased, found.shared) == (heard.wrapped, False, True)
    tombstone = Key(chain_id=chain_id, subject_id=key.subject_id, wrapped=None, erased=True, shared=True)
    await store.take_in(a_slice(topic, start=2, keys=(tombstone, key)))
    found = await stored(store, key)
    assert found is not None
    assert (found.wrapped, found.erased) == (None, True)


async def test_changed_keys_come_in_the_order_of_their_changes(store: Store, chain_id: UUID) -> None:
    """New and erased alike, each person once, where it changed last; staff keys never; `limit` and `after` page through."""
    first, second, third = (a_persons_key(chain_id) for _ in range(3))
    for key in (first, second, a_persons_key(chain_id, shared=False), third):
        await store.ensure_key(key)
    before = await changed(store, chain_id, 3)
    assert [without_place(key) for key in before] == [first, second, third]
    await store.erase_key(chain_id, first.subject_id)
    after = await changed(store, chain_id, 3, before[0].cursor)
    assert [(key.subject_id, key.erased) for key in after] == [
        (second.subject_id, False),
        (third.subject_id, False),
        (first.subject_id, True),
    ]
    assert await changed(store, chain_id, 0, after[2].cursor) == []
    assert list(await store.changed_keys(after[0].cursor, 1)) == [after[1]]
    assert await stored(store, first) == after[2]


async def test_repeated_erasures_and_keys_do_not_count_as_changes(store: Store, chain_id: UUID) -> None:
    """What changes nothing keeps its place, so the relay is not sent round in circles."""
    key = a_persons_key(chain_id)
    await store.ensure_key(key)
    await store.ensure_key(key)
    await store.erase_key(chain_id, key.subject_id)
    (erased,) = await changed(store, chain_id, 1)
    await store.erase_key(chain_id, key.subject_id)
    await store.ensure_key(a_persons_key(chain_id, key.subject_id))
    assert await changed(store, chain_id, 0, erased.cursor) == []


async def test_changed_keys_wait_behind_an_open_transaction(ground: Ground, chain_id: UUID) -> None:
    """Like log rows: a change that an open transaction could still precede is not given yet."""
    key = a_persons_key(chain_id)
    async with ground.hold(chain_id):
        await ground.store.ensure_key(key)
        assert await stored(ground.store, key) is not None
        assert [one for one in await ground.store.changed_keys(START, PAGE_KEYS) if one.chain_id == chain_id] == []
    assert len(await changed(ground.store, chain_id, 1)) == 1


async def test_changed_keys_keep_their_order_through_a_restore(ground: Ground, chain_id: UUID) -> None:
    """Changes of the old epoch come first, those of the new one behind them."""
    old, new = a_persons_key(chain_id), a_persons_key(chain_id)
    await ground.store.ensure_key(old)
    await ground.new_epoch()
    await ground.store.ensure_key(new)
    found = await changed(ground.store, chain_id, 2)
    assert [key.subject_id for key in found] == [old.subject_id, new.subject_id]
    await ground.store.erase_key(chain_id, old.subject_id)
    assert [key.subject_id for key in await changed(ground.store, chain_id, 2)] == [new.subject_id, old.subject_id]


@pytest.mark.parametrize(("shift", "count"), [(AN_HOUR, 1), (-AN_HOUR, 0)])
async def test_changes_of_the_last_moments_can_be_left_out(ground: Ground, chain_id: UUID, shift: timedelta, count: int) -> None:
    """`before`: only what had changed until then, for a tombstone that is repeated after a while."""
    await ground.store.ensure_key(a_persons_key(chain_id))
    assert len(await changed(ground.store, chain_id, 1)) == 1
    found = await ground.store.changed_keys(START, PAGE_KEYS, ground.clock.machine() + shift)
    assert len([key for key in found if key.chain_id == chain_id]) == count
