"""Who waits, and for how long: passed rows for their commit, a patient's rows for his key, and nobody else for either."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest

from erbium_kernel.errors import Unavailable
from erbium_kernel.follow import RELEASED_KEYS_MAX, Follower
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.ports import Lease
from erbium_kernel.progress import IDLE, WORKED, WORKED_OFF
from erbium_kernel.reacting import PATIENCE_SECONDS, Reacting
from erbium_kernel.runtime import Runtime
from erbium_kernel.trying_again import TRY_AGAIN_SECONDS_MAX, TRY_AGAIN_SECONDS_MIN
from tests.kernel.follow.kitchen import CHAIN, STEPS_MAX, Kitchen, announce, meals_of, take_bed, ward_with_kitchen
from tests.kernel.ward import WardClock


class Away:
    """The store's pause: what is named here does not answer."""

    def __init__(self) -> None:
        """All of it answers."""
        self.places: set[str] = set()
        self.asked: Counter[str] = Counter()

    async def __call__(self, where: str) -> None:
        """One place."""
        self.asked[where] += 1
        if where in self.places:
            raise Unavailable("the database is away")


@pytest.fixture
def away() -> Away:
    """Everything answers."""
    return Away()


@pytest.fixture
def store(clock: WardClock, away: Away) -> MemoryStore:
    """Empty; parts of it may be away."""
    return MemoryStore(clock=clock, pause=away)


@pytest.fixture
def guest(store: MemoryStore, clock: WardClock, kitchen: Kitchen) -> Runtime:
    """A service that waits for the patients' keys, and needs one for every meal."""
    kitchen.notes = True
    return ward_with_kitchen(store, clock, owns_keys=False)


@pytest.fixture
async def lease(store: MemoryStore, kitchen: Kitchen) -> AsyncIterator[Lease]:
    """The kitchen's."""
    async with store.lease(kitchen.reaction.name) as lease:
        assert lease is not None
        yield lease


async def key_of(runtime: Runtime, patient_id: UUID) -> None:
    """The patient's key is made by who owns it, and is here."""
    await ward_with_kitchen(runtime.store, runtime.clock, seed=patient_id.int).vault.sealer(CHAIN, patient_id, patient=True)


async def rested(follower: Follower) -> None:
    """Steps until there is nothing to do."""
    for _ in range(STEPS_MAX):
        if (await follower.step()).kind == "idle":
            return
    raise AssertionError("the follower did not come to rest")


async def set_aside(runtime: Runtime, follower: Follower, clock: WardClock, patients: int) -> list[UUID]:
    """A bed each for so many patients without a key; their rows wait aside."""
    waiting = [uuid4() for _ in range(patients)]
    for patient in waiting:
        await take_bed(runtime, patient)
        for _ in range(2):
            await follower.step()
            clock.at += timedelta(seconds=PATIENCE_SECONDS)
    await rested(follower)
    assert {key.ordering_id for key in await runtime.store.parked() if key.released} == set(waiting)
    return waiting


async def test_passed_rows_are_committed_where_nothing_is_heard(runtime: Runtime, lease: Lease, kitchen: Kitchen, clock: WardClock) -> None:
    """However steadily rows of no interest come, the checkpoint is at the end after every look: heartbeats count by it."""
    follower = Follower(Reacting(runtime, kitchen.hearing(frozenset())), lease, clock)
    for _ in range(5):
        before = await runtime.store.end()
        await take_bed(runtime, uuid4())
        assert await follower.step() == WORKED_OFF
        assert await lease.checkpoint() == await runtime.store.end() > before
    assert await follower.step() == IDLE


async def test_rows_passed_between_effects_cost_no_commit(
    runtime: Runtime, lease: Lease, kitchen: Kitchen, clock: WardClock, away: Away
) -> None:
    """What lies between two heard rows is committed with the second one's effect, what lies behind the last one at the next look."""
    follower = Follower(Reacting(runtime, kitchen.reaction), lease, clock)
    for _ in range(5):
        await take_bed(runtime, uuid4())  # its meal is a row of no interest that stands before the next bed
        assert await follower.step() == WORKED_OFF
    assert away.asked["move: begin"] == 0
    assert await lease.checkpoint() < await runtime.store.end()
    await follower.step()
    assert away.asked["move: begin"] == 1
    assert await lease.checkpoint() == await runtime.store.end()


async def test_rows_passed_before_trouble_are_committed(
    runtime: Runtime, lease: Lease, kitchen: Kitchen, clock: WardClock, away: Away
) -> None:
    """While the first row of interest cannot have its effect, what stands before it is behind the checkpoint all the same."""
    await announce(runtime, uuid4(), offset=0)
    passed = await runtime.store.end()
    await take_bed(runtime, uuid4())
    follower = Follower(Reacting(runtime, kitchen.hearing(frozenset({"bed-taken"}))), lease, clock)
    away.places.add("load: begin")
    assert (await follower.step()).kind == "blocked"
    assert passed <= await lease.checkpoint() < await runtime.store.end()


async def test_there_is_more_only_where_a_read_was_full(
    runtime: Runtime, lease: Lease, kitchen: Kitchen, clock: WardClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that has come to the end of what it could read says so: only news is worth another look."""
    monkeypatch.setattr("erbium_kernel.follow.LOOK_ROWS_MAX", 2)
    for _ in range(3):
        await take_bed(runtime, uuid4())
    follower = Follower(Reacting(runtime, kitchen.hearing(frozenset())), lease, clock)
    assert [await follower.step() for _ in range(3)] == [WORKED, WORKED_OFF, IDLE]


async def test_a_waiting_key_is_nobody_else_s(guest: Runtime, lease: Lease, kitchen: Kitchen, clock: WardClock) -> None:
    """While a patient's rows wait for his key no step is in trouble, so news wakes the role and the next patient is served at once."""
    follower = Follower(Reacting(guest, kitchen.reaction), lease, clock)
    (anna,) = await set_aside(guest, follower, clock, 1)
    for _ in range(10):
        clock.at += timedelta(seconds=TRY_AGAIN_SECONDS_MAX)
        assert (await follower.step()).kind != "blocked"
        bert = uuid4()
        await key_of(guest, bert)
        bed = await take_bed(guest, bert)
        assert (await follower.step()).kind == "worked"
        assert await meals_of(guest, kitchen, bert) == (bed,)
    assert await meals_of(guest, kitchen, anna) == ()


async def test_a_waiting_key_is_tried_ever_more_rarely(guest: Runtime, lease: Lease, kitchen: Kitchen, clock: WardClock) -> None:
    """The tries are spaced by machine time, ever wider up to the bound; within it of the key's arrival the rows have had their effect."""
    follower = Follower(Reacting(guest, kitchen.reaction), lease, clock)
    (anna,) = await set_aside(guest, follower, clock, 1)
    began, tries, seen = clock.at, [], len(kitchen.tried)
    while clock.at - began < timedelta(seconds=5 * TRY_AGAIN_SECONDS_MAX):
        await follower.step()
        if len(kitchen.tried) > seen:
            tries.append((clock.at - began).total_seconds())
            seen = len(kitchen.tried)
        clock.at += timedelta(seconds=TRY_AGAIN_SECONDS_MIN)
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[0] < TRY_AGAIN_SECONDS_MAX / 4 < max(gaps) == TRY_AGAIN_SECONDS_MAX
    await key_of(guest, anna)
    clock.at += timedelta(seconds=TRY_AGAIN_SECONDS_MAX)
    assert (await follower.step()).kind == "worked"
    assert len(await meals_of(guest, kitchen, anna)) == 1
    assert await guest.store.parked() == ()


async def test_however_many_wait_the_log_is_followed(guest: Runtime, lease: Lease, kitchen: Kitchen, clock: WardClock) -> None:
    """A step tries a bounded number of waiting keys, each in its turn, and then follows the log all the same."""
    follower = Follower(Reacting(guest, kitchen.reaction), lease, clock)
    waiting = await set_aside(guest, follower, clock, 2 * RELEASED_KEYS_MAX + 20)
    clock.at += timedelta(seconds=TRY_AGAIN_SECONDS_MAX)
    bert = uuid4()
    await key_of(guest, bert)
    bed = await take_bed(guest, bert)
    kitchen.tried.clear()
    assert (await follower.step()).kind == "worked"
    assert kitchen.tried.count(bert) == 1
    assert len(kitchen.tried) == RELEASED_KEYS_MAX + 1
    assert await meals_of(guest, kitchen, bert) == (bed,)
    for _ in range(4):
        assert (await follower.step()).kind != "blocked"
    assert Counter(kitchen.tried) == Counter([*waiting, bert])


async def test_a_database_that_is_away_puts_nobody_aside(
    runtime: Runtime, lease: Lease, kitchen: Kitchen, clock: WardClock, away: Away
) -> None:
    """However long the database is away, the row that met it is waited for in its place: only a missing key is one patient's matter."""
    beds = {patient: await take_bed(runtime, patient) for patient in (uuid4(), uuid4())}
    follower = Follower(Reacting(runtime, kitchen.reaction), lease, clock)
    away.places.add("load: begin")
    for _ in range(5):
        assert (await follower.step()).reason.startswith("Unavailable at ")
        clock.at += timedelta(seconds=2 * PATIENCE_SECONDS)
    assert await runtime.store.parked() == ()
    away.places.clear()
    await rested(follower)
    assert {patient: await meals_of(runtime, kitchen, patient) for patient in beds} == {patient: (bed,) for patient, bed in beds.items()}


async def test_a_database_that_is_away_is_asked_once_a_step(
    guest: Runtime, lease: Lease, kitchen: Kitchen, clock: WardClock, away: Away
) -> None:
    """Where a released row meets a database that is away, the other released keys do not each wait for it too; the log is followed on."""
    follower = Follower(Reacting(guest, kitchen.reaction), lease, clock)
    waiting = await set_aside(guest, follower, clock, 10)
    clock.at += timedelta(seconds=TRY_AGAIN_SECONDS_MAX)
    for patient in waiting:
        await key_of(guest, patient)
    await announce(guest, uuid4(), offset=0, raw=b"nobody can read this")
    away.places.add("load: begin")
    away.asked.clear()
    assert (await follower.step()).kind == "worked"
    assert away.asked["load: begin"] == 1
    assert len([key for key in await guest.store.parked() if not key.released]) == 1
    away.places.clear()
    clock.at += timedelta(seconds=TRY_AGAIN_SECONDS_MAX)
    await rested(follower)
    assert [len(await meals_of(guest, kitchen, patient)) for patient in waiting] == [1] * 10
