"""An erasure destroys the person's key here, whatever else the message looks like."""

from uuid import uuid4

from erbium_kernel.event import Cursor
from erbium_kernel.follow import Follower
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.reacting import Erasing
from erbium_kernel.runtime import Runtime
from tests.kernel.follow.kitchen import CHAIN, announce, take_bed

NAME = "ward.erasure"
HEARS = frozenset({"erbium.reception.announced"})


async def erase(runtime: Runtime) -> None:
    """Follows to the end."""
    async with runtime.store.lease(NAME) as lease:
        assert lease is not None
        follower = Follower(Erasing(runtime, NAME, HEARS), lease, runtime.clock)
        while (await follower.step()).kind != "idle":
            pass


async def test_the_key_is_gone(runtime: Runtime) -> None:
    """After the fact the key is erased for ever; other persons keep theirs; following it all again changes nothing."""
    anna, bert = uuid4(), uuid4()
    for person in (anna, bert):
        await runtime.vault.sealer(CHAIN, person, patient=True)
    await announce(runtime, anna, offset=0)
    await take_bed(runtime, bert)
    for _ in range(2):
        await erase(runtime)
        keys = await runtime.store.keys(CHAIN, [anna, bert])
        assert (keys[anna].erased, keys[bert].erased) == (True, False)
        await runtime.store.reset_checkpoint(NAME)


async def test_unreadable_facts_are_obeyed(runtime: Runtime) -> None:
    """A fact of an unknown version, or without readable data, still erases; nothing is parked."""
    anna, bert = uuid4(), uuid4()
    await announce(runtime, anna, offset=0, version=99)
    await announce(runtime, bert, offset=1, raw=b"\xff")
    await erase(runtime)
    keys = await runtime.store.keys(CHAIN, [anna, bert])
    assert all(keys[person].erased for person in (anna, bert))
    assert await runtime.store.parked() == ()


async def test_a_crash_before_the_checkpoint(runtime: Runtime, store: MemoryStore) -> None:
    """An erasure whose checkpoint did not move is repeated."""
    anna = uuid4()
    await announce(runtime, anna, offset=0)
    async with store.lease(NAME) as lease:
        assert lease is not None
        effect = Erasing(runtime, NAME, HEARS)
        (row,) = await lease.read(Cursor(), 1)
        await effect._erase(row)
    await erase(runtime)
    assert (await runtime.store.keys(CHAIN, [anna]))[anna].erased
    assert (await runtime.store.checkpoints())[NAME] == await runtime.store.end()
