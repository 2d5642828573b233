"""What cannot be worked off is parked with everything later of its key: one patient waits, everybody else goes on."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from erbium_kernel.errors import NotFound
from erbium_kernel.follow import ATTEMPTS_MAX, Follower
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log_records import ParkedKey
from erbium_kernel.reacting import Reacting
from erbium_kernel.runtime import Runtime
from tests.kernel.follow.kitchen import CHAIN, OTHER_CHAIN, Kitchen, announce, follow, follow_patiently, meals_of, take_bed
from tests.kernel.log.making import a_message, a_slice
from tests.kernel.ward import WardClock


async def the_parked_key(runtime: Runtime) -> ParkedKey:
    """The only one."""
    (key,) = await runtime.store.parked()
    return key


async def skip(runtime: Runtime, key: ParkedKey) -> UUID:
    """An operator looks at the key and skips its first row; returns the event's id."""
    first, *_ = await runtime.store.parked_detail(key.subscriber, key.chain_id, key.ordering_id)
    event_id = first.envelope.event_id
    await runtime.store.skip_parked(key.subscriber, key.chain_id, key.ordering_id, event_id, "ops-1", "known")
    return event_id


def says(patient_id: UUID) -> bytes:
    """What the reception announces."""
    return f'{{"patient_id":"{patient_id}"}}'.encode()


async def test_poison_parks_one_patient(runtime: Runtime, kitchen: Kitchen) -> None:
    """An event that our own bug meets is tried within its budget, then parked; everybody else is served at once."""
    anna, bert = uuid4(), uuid4()
    kitchen.burns.add(anna)
    await take_bed(runtime, anna)
    bed = await take_bed(runtime, bert)
    await follow(runtime, kitchen)
    key = await the_parked_key(runtime)
    assert (key.subscriber, key.chain_id, key.ordering_id) == (kitchen.reaction.name, CHAIN, anna)
    assert (key.rows, key.released, key.attempts) == (1, False, ATTEMPTS_MAX)
    assert kitchen.tried.count(anna) == 1 + ATTEMPTS_MAX, "once with the others, then alone"
    assert await meals_of(runtime, kitchen, bert) == (bed,)


async def test_the_reason_holds_no_data(runtime: Runtime, kitchen: Kitchen) -> None:
    """The reason names the class and the place of the error, and nothing of its text."""
    anna = uuid4()
    kitchen.burns.add(anna)
    await take_bed(runtime, anna)
    await follow(runtime, kitchen)
    reason = (await the_parked_key(runtime)).reason
    assert reason.startswith("KitchenOnFire at kernel/follow/kitchen.py:")
    assert "secret" not in reason


async def test_later_rows_of_the_key_wait(runtime: Runtime, kitchen: Kitchen) -> None:
    """While a key is parked nothing later of it has an effect, even if it would succeed."""
    anna = uuid4()
    kitchen.burns.add(anna)
    await take_bed(runtime, anna)
    await follow(runtime, kitchen)
    kitchen.burns.clear()
    await take_bed(runtime, anna)
    await announce(runtime, anna, offset=0)
    await follow(runtime, kitchen)
    assert (await the_parked_key(runtime)).rows == 3
    assert await meals_of(runtime, kitchen, anna) == ()


async def test_skip_releases_in_order(runtime: Runtime, kitchen: Kitchen) -> None:
    """After a skip the rest of the key is worked off, oldest first and before anything newer of it."""
    anna = uuid4()
    kitchen.burns.add(anna)
    beds = [await take_bed(runtime, anna) for _ in range(4)]
    await follow(runtime, kitchen)
    kitchen.burns.clear()
    assert await skip(runtime, await the_parked_key(runtime)) == beds[0]
    beds.append(await take_bed(runtime, anna))
    await follow(runtime, kitchen)
    beds.append(await take_bed(runtime, anna))
    await follow(runtime, kitchen)
    assert await meals_of(runtime, kitchen, anna) == tuple(beds[1:])
    assert await runtime.store.parked() == ()


async def test_the_only_row_skipped(runtime: Runtime, kitchen: Kitchen) -> None:
    """Skipping the only parked row frees the key."""
    anna = uuid4()
    kitchen.burns.add(anna)
    await take_bed(runtime, anna)
    await follow(runtime, kitchen)
    kitchen.burns.clear()
    key = await the_parked_key(runtime)
    skipped = await skip(runtime, key)
    with pytest.raises(NotFound):
        await runtime.store.skip_parked(key.subscriber, key.chain_id, key.ordering_id, skipped, "ops-1", "known")
    bed = await take_bed(runtime, anna)
    await follow(runtime, kitchen)
    assert await meals_of(runtime, kitchen, anna) == (bed,)


async def test_a_skip_holds_when_all_begins_again(runtime: Runtime, store: MemoryStore, kitchen: Kitchen, clock: WardClock) -> None:
    """The follower that was at work when a row was skipped passes over it behind a reset, but not over another chain's of that id."""
    anna, bert = uuid4(), uuid4()
    message = a_message(CHAIN, type="erbium.reception.announced", schema_version=1, ordering_id=anna, raw=says(anna))
    namesake = replace(message, chain_id=OTHER_CHAIN, ordering_id=bert, raw=says(bert))
    kitchen.burns.add(anna)
    await store.take_in(a_slice("erbium.reception.v1", (message, namesake)))
    async with store.lease(kitchen.reaction.name) as lease:
        assert lease is not None
        follower = Follower(Reacting(runtime, kitchen.reaction), lease, clock)
        while (await follower.step()).kind != "idle":
            pass
        assert await skip(runtime, await the_parked_key(runtime)) == message.event_id
        kitchen.burns.clear()
        await store.reset_checkpoint(kitchen.reaction.name)
        assert (await follower.step()).kind == "blocked"
        while (await follower.step()).kind != "idle":
            pass
    assert await meals_of(runtime, kitchen, anna) == ()
    assert await meals_of(runtime, kitchen, bert, OTHER_CHAIN) == (message.event_id,) * 2


async def test_released_and_failing_again(runtime: Runtime, kitchen: Kitchen, clock: WardClock) -> None:
    """A released key that fails again waits for the operator as before, and nobody else waits with it."""
    anna, bert = uuid4(), uuid4()
    kitchen.burns.add(anna)
    beds = [await take_bed(runtime, anna) for _ in range(3)]
    await follow(runtime, kitchen)
    await skip(runtime, await the_parked_key(runtime))
    meal = await take_bed(runtime, bert)
    await follow_patiently(runtime, kitchen, clock)
    key = await the_parked_key(runtime)
    assert (key.rows, key.released) == (2, False)
    assert await meals_of(runtime, kitchen, bert) == (meal,)
    kitchen.burns.clear()
    await skip(runtime, key)
    await follow(runtime, kitchen)
    assert await meals_of(runtime, kitchen, anna) == (beds[2],)


async def test_released_rows_keep_their_order(runtime: Runtime, kitchen: Kitchen, clock: WardClock) -> None:
    """A released row that fails again holds back the later ones of its key, even those that would succeed."""
    anna = uuid4()
    kitchen.burns.add(anna)
    beds = [await take_bed(runtime, anna) for _ in range(3)]
    await follow(runtime, kitchen)
    kitchen.burns = {beds[1]}
    await skip(runtime, await the_parked_key(runtime))
    await follow_patiently(runtime, kitchen, clock)
    assert await meals_of(runtime, kitchen, anna) == ()
    assert ((await the_parked_key(runtime)).rows, (await the_parked_key(runtime)).released) == (2, False)


async def test_a_skip_is_for_ever(runtime: Runtime, kitchen: Kitchen) -> None:
    """A skipped row is passed over also when the subscriber begins at the beginning again."""
    anna = uuid4()
    kitchen.burns.add(anna)
    await take_bed(runtime, anna)
    await follow(runtime, kitchen)
    await skip(runtime, await the_parked_key(runtime))
    await runtime.store.reset_checkpoint(kitchen.reaction.name)
    kitchen.tried.clear()
    await follow(runtime, kitchen)
    assert kitchen.tried == []
    assert await runtime.store.parked() == ()


async def test_refused_after_release(runtime: Runtime, kitchen: Kitchen) -> None:
    """A rule that refuses a released row answers it; the key goes on."""
    anna = uuid4()
    kitchen.burns.add(anna)
    for _ in range(3):
        await take_bed(runtime, anna)
    await follow(runtime, kitchen)
    kitchen.burns.clear()
    kitchen.refuses.add(anna)
    await skip(runtime, await the_parked_key(runtime))
    await follow(runtime, kitchen)
    assert await runtime.store.parked() == ()
    assert await meals_of(runtime, kitchen, anna) == ()


@pytest.mark.parametrize(("version", "raw"), [(2, None), (1, b'{"patient_id":7}'), (1, b"not json")])
async def test_undecodable_parks_at_once(runtime: Runtime, kitchen: Kitchen, version: int, raw: bytes | None) -> None:
    """A message of an unknown version, or one that breaks its contract, is parked at the first attempt."""
    anna, bert = uuid4(), uuid4()
    await announce(runtime, anna, offset=0, version=version, raw=raw)
    served = await announce(runtime, bert, offset=1)
    await follow(runtime, kitchen)
    key = await the_parked_key(runtime)
    assert (key.ordering_id, key.attempts) == (anna, 1)
    assert key.reason.startswith("Undecodable at ")
    assert await meals_of(runtime, kitchen, bert) == (served,)


async def test_facts_nobody_hears(runtime: Runtime, kitchen: Kitchen) -> None:
    """A row of no interest is passed even if its key is parked, and even if nobody could decode it."""
    anna = uuid4()
    kitchen.burns.add(anna)
    await take_bed(runtime, anna)
    await follow(runtime, kitchen)
    assert (await the_parked_key(runtime)).rows == 1
