"""What only the memory store can do, for the simulation: stop between a write and its commit, crash there, restore there."""

import asyncio
from uuid import UUID, uuid4

import pytest

from erbium_kernel.decider import Claim, SetTimer, TakeName
from erbium_kernel.errors import Unavailable, VersionConflict
from erbium_kernel.event import Cursor
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log_records import Append, MoveCheckpoint
from tests.kernel.log.grounds import Gate, MemoryGround, MemoryHeld
from tests.kernel.log.making import START, HandClock, a_command, a_key, a_persons_key, a_slice, a_stream, an_answer


class Crash(Exception):
    """The process dies here."""


class CrashAt:
    """A pause that writes down where it was, and crashes at one place."""

    def __init__(self, where: str = "") -> None:
        """Nowhere, if nothing is named."""
        self.where, self.passed = where, list[str]()

    async def __call__(self, where: str) -> None:
        """The pause point."""
        self.passed.append(where)
        if where == self.where:
            raise Crash


def everything(chain_id: UUID, stream: str) -> Append:
    """A command with an event, a claim, a name, a timer, a checkpoint and an answer."""
    clock = HandClock()
    claim = Claim(resource=UUID(int=7), starts_at=clock.at, ends_at=clock.at.replace(year=clock.at.year + 1), holder=uuid4())
    timer = SetTimer(key="hold", type="hold-expires", due_at=clock.at, ref=uuid4())
    return a_command(
        chain_id,
        stream,
        guards=(claim, TakeName(name="patient-number", value="17")),
        timers=((uuid4(), timer),),
        after=(MoveCheckpoint("reaction", START, Cursor(1, 1, 1)),),
        answer=an_answer(a_key(chain_id)._replace(key="k"), stream),
    )


def tables_of(store: MemoryStore) -> tuple[object, ...]:
    """How much there is of everything."""
    t = store.tables
    return t.log.newest(), len(t.streams), len(t.claims), len(t.names), len(t.timers), len(t.answers), len(t.checkpoints)


@pytest.mark.parametrize("where", ["append: begin", "append: written"])
async def test_a_crash_before_the_commit_leaves_nothing(chain_id: UUID, where: str) -> None:
    """No event, guard, timer, checkpoint or answer; nobody is held up, and the command can be sent again."""
    crash = CrashAt(where)
    store = MemoryStore(clock=HandClock(), pause=crash)
    empty = tables_of(store)
    with pytest.raises(Crash):
        await store.append(everything(chain_id, a_stream()))
    assert tables_of(store) == empty
    crash.where = ""
    await store.append(everything(chain_id, a_stream()))
    assert await store.end() > START


async def test_a_crash_behind_the_commit_leaves_everything(chain_id: UUID) -> None:
    """The caller does not know, but the command stands, with its answer."""
    store = MemoryStore(clock=HandClock(), pause=CrashAt("append: committed"))
    work = everything(chain_id, a_stream())
    with pytest.raises(Crash):
        await store.append(work)
    assert work.answer is not None
    loaded = await store.load(chain_id, work.stream, work.answer.key)
    assert (len(loaded.rows), loaded.answer) == (1, work.answer)
    assert tables_of(store)[1:] == (1, 1, 1, 1, 1, 1)


async def test_every_write_can_be_stopped_at_its_three_places(chain_id: UUID, topic: str) -> None:
    """Before it begins, before it commits, and before its caller knows."""
    crash = CrashAt()
    store = MemoryStore(clock=HandClock(), pause=crash)
    key = a_persons_key(chain_id)
    for what, call in (
        ("append", store.append(a_command(chain_id, a_stream()))),
        ("take in", store.take_in(a_slice(topic))),
        ("ensure key", store.ensure_key(key)),
        ("erase key", store.erase_key(chain_id, key.subject_id)),
    ):
        crash.passed.clear()
        await call
        assert crash.passed == [f"{what}: begin", f"{what}: written", f"{what}: committed"]


async def test_of_two_open_transactions_the_first_to_commit_wins(memory_ground: MemoryGround, chain_id: UUID) -> None:
    """Both have written version 1; the one that commits second is told that it lost."""
    stream = a_stream()
    held = MemoryHeld(a_command(chain_id, stream))
    memory_ground.gate.arm(held)
    await held.start(memory_ground.store)
    assert await memory_ground.store.append(a_command(chain_id, stream)) == 1
    with pytest.raises(VersionConflict):
        await held.commit()
    assert len((await memory_ground.store.load(chain_id, stream)).rows) == 1


async def test_a_restore_ends_what_is_open(memory_ground: MemoryGround, chain_id: UUID, subscriber: str) -> None:
    """An open append is Unavailable to its caller and leaves nothing; leases are over; transaction ids start at 1 again."""
    held = MemoryHeld(a_command(chain_id, a_stream()))
    memory_ground.gate.arm(held)
    async with memory_ground.store.lease(subscriber) as lease:
        assert lease is not None
        await held.start(memory_ground.store)
        await memory_ground.new_epoch()
        with pytest.raises(Unavailable):
            await lease.checkpoint()
    with pytest.raises(Unavailable):
        await held.commit()
    assert await memory_ground.store.end() == START
    stream = a_stream()
    await memory_ground.store.append(a_command(chain_id, stream))
    cursor = (await memory_ground.store.load(chain_id, stream)).rows[0].cursor
    assert (cursor.epoch, cursor.tx) == (2, 1)
    assert cursor.position > 1


async def test_the_same_calls_make_the_same_log(chain_id: UUID) -> None:
    """No clock, randomness or order of its own: two stores that are told the same hold the same."""
    clock, calls = HandClock(), [a_command(chain_id, a_stream()) for _ in range(5)]
    stores = [MemoryStore(clock=clock, pause=Gate()) for _ in range(2)]
    for store in stores:
        await asyncio.gather(*(store.append(work) for work in calls))
    first, second = (list(store.tables.log.after(START)) for store in stores)
    assert len(first) == len(calls)
    assert first == second
