"""Living keys are wrapped anew on a real database: in batches, beside erasures and new keys, cut off anywhere."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from erbium import provision
from erbium_kernel import rotating
from erbium_kernel.destroying import check_unused
from erbium_kernel.errors import Rejected
from erbium_kernel.event import Cursor
from erbium_kernel.log_records import Key
from erbium_kernel.rotating import Wrapped, rotate, standing
from erbium_kernel.wrapping import NONCE_BYTES, bound_to, master_of, unwrap, wrap
from tests.kernel.log.conftest import make_database
from tests.kernel.log.grounds import PostgresGround
from tests.kernel.log.reading import eventually

OLD, NEW, GONE = "00000001", "00000002", "0000000f"
MASTERS = {OLD: b"o" * 32, NEW: b"n" * 32}
CHAINS = (uuid4(), uuid4())


@pytest.fixture
async def ground(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresGround]:
    """A database of one test's own: a rotation goes over all chains."""
    suffix = f"rot{secrets.token_hex(4)}"
    try:
        async with PostgresGround.on(await make_database(postgres_url, tmp_path_factory, suffix)) as opened:
            yield opened
    finally:
        await provision.drop(postgres_url, suffix=suffix)


@pytest.fixture
async def connection(ground: PostgresGround) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """As the role `work`."""
    opened = await asyncpg.connect(ground.work_url)
    yield opened
    await opened.close()


def a_key(chain: UUID, *, shared: bool = True, master: str = OLD) -> tuple[Key, bytes]:
    """A person's key, wrapped and bare."""
    subject, bare = uuid4(), secrets.token_bytes(32)
    key = MASTERS.get(master, b"g" * 32)
    wrapped = wrap(master, key, secrets.token_bytes(NONCE_BYTES), bare, bound_to(chain, subject))
    return Key(chain_id=chain, subject_id=subject, wrapped=wrapped, erased=False, shared=shared), bare


async def with_keys(ground: PostgresGround, count: int, *, shared: bool = True) -> dict[UUID, tuple[Key, bytes]]:
    """That many persons in two chains."""
    made = [a_key(CHAINS[n % 2], shared=shared) for n in range(count)]
    for key, _ in made:
        await ground.store.ensure_key(key)
    return {key.subject_id: (key, bare) for key, bare in made}


async def rotated(connection: "asyncpg.Connection[Any]", *, owns_keys: bool = True) -> list[Wrapped]:
    """A whole rotation, what it told."""
    return [each async for each in rotate(connection, MASTERS, NEW, owns_keys=owns_keys)]


async def stored(ground: PostgresGround, key: Key) -> Key:
    """The key as it stands."""
    return (await ground.store.keys(key.chain_id, [key.subject_id]))[key.subject_id]


async def test_all_living_keys_are_the_same_under_another_master(
    ground: PostgresGround, connection: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches; every key is the one it was, travels again, once; a second rotation finds nothing to do."""
    monkeypatch.setattr(rotating, "BATCH_KEYS_MAX", 3)
    made = await with_keys(ground, 8)
    assert [each.done for each in await rotated(connection)] == [3, 6, 8]
    for key, bare in made.values():
        now = await stored(ground, key)
        assert now.wrapped is not None
        assert master_of(now.wrapped) == NEW
        assert unwrap(MASTERS, now.wrapped, bound_to(key.chain_id, key.subject_id)) == bare
    again = await eventually(lambda: ground.store.changed_keys(Cursor(), 100), lambda keys: len(keys) == len(made))
    assert {key.subject_id for key in again} == made.keys()
    end = max(key.cursor for key in again)
    assert await rotated(connection) == []
    assert await ground.store.changed_keys(end, 100) == []
    assert await standing(connection, owns_keys=True) == [(NEW, 8, 0)]


async def test_cut_off_anywhere_it_goes_on(
    ground: PostgresGround, connection: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of a batch, what was committed stands, the rest is as it was, and the next call does just that."""
    monkeypatch.setattr(rotating, "BATCH_KEYS_MAX", 2)
    made = await with_keys(ground, 7)
    other = await asyncpg.connect(ground.work_url)
    rotation = rotate(other, MASTERS, NEW, owns_keys=True)
    assert (await anext(rotation)).done == 2
    last = sorted(made, key=lambda person: (made[person][0].chain_id, person))[3]
    async with ground.admin.transaction():  # somebody holds a row of the second batch, and in that moment the rotation is killed
        await ground.admin.execute("SELECT FROM keys WHERE subject_id = $1 FOR UPDATE", last)
        waiting = asyncio.ensure_future(anext(rotation))
        await asyncio.sleep(0.3)
        other.terminate()
        await asyncio.wait({waiting})
        assert waiting.exception() is not None
    assert {each.master: each.own for each in await standing(connection, owns_keys=True)}[NEW] in range(2, 4)
    assert sum(each.own for each in await standing(connection, owns_keys=True)) == 7
    await rotated(connection)
    assert await standing(connection, owns_keys=True) == [(NEW, 7, 0)]


async def test_an_erasure_wins(ground: PostgresGround, connection: "asyncpg.Connection[Any]") -> None:
    """Of a person who is erased before, or while the rotation holds the page, nothing is wrapped anew."""
    made = list((await with_keys(ground, 4)).values())
    before, during = made[0][0], made[1][0]
    await ground.store.erase_key(before.chain_id, before.subject_id)
    transaction = ground.admin.transaction()
    await transaction.start()
    await ground.admin.execute("UPDATE keys SET wrapped = NULL, erased = true WHERE subject_id = $1", during.subject_id)
    rotation = asyncio.ensure_future(rotated(connection))
    await asyncio.sleep(0.3)
    assert not rotation.done(), "it waits for the row"
    await transaction.commit()
    assert (await rotation)[-1].done == 2
    for key in (before, during):
        now = await stored(ground, key)
        assert (now.erased, now.wrapped) == (True, None)


async def test_only_what_a_service_makes(ground: PostgresGround, connection: "asyncpg.Connection[Any]") -> None:
    """Where keys of patients arrive over the topic, only the staff's are wrapped anew; a master that the copies need may not go."""
    await with_keys(ground, 3)
    await with_keys(ground, 2, shared=False)
    assert [each.done for each in await rotated(connection, owns_keys=False)] == [2]
    stands = await standing(connection, owns_keys=False)
    assert sorted(stands) == [(OLD, 0, 3), (NEW, 2, 0)]
    with pytest.raises(Rejected, match=r"3 living keys in aftercare.*over the key topic"):
        check_unused(OLD, "aftercare", stands)
    with pytest.raises(Rejected, match=r"2 living keys in aftercare.*wraps them anew"):
        check_unused(NEW, "aftercare", stands)
    check_unused(GONE, "aftercare", stands)


async def test_a_key_that_nobody_can_open_is_told(ground: PostgresGround, connection: "asyncpg.Connection[Any]") -> None:
    """It stays as it is, and stops nobody else's."""
    await with_keys(ground, 2)
    lost, _ = a_key(CHAINS[0], master=GONE)
    await ground.store.ensure_key(lost)
    assert (await rotated(connection))[-1] == Wrapped(done=2, lost=1)
    assert (await stored(ground, lost)).wrapped == lost.wrapped
