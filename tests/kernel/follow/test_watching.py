"""The watcher finds what has become readable, whoever wrote it, and wakes those that hear it; readers of anything else rest."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from uuid import uuid4

import pytest

from erbium_kernel.driver import Role, Step, Wake
from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Cursor
from erbium_kernel.follow import Follower
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log_records import News
from erbium_kernel.ports import Store
from erbium_kernel.progress import IDLE, Progress
from erbium_kernel.reacting import Reacting
from erbium_kernel.running import Waking
from erbium_kernel.runtime import Runtime
from erbium_kernel.subscribing import Reaction
from erbium_kernel.watching import NEWS_ROWS_MAX, Watching
from tests.kernel.follow.driving import SECONDS_MAX, driven, until
from tests.kernel.follow.kitchen import Kitchen, meals_of, take_bed, ward_with_kitchen
from tests.kernel.ward import WardClock

NEVER_SECONDS = 60.0
PATIENT_SECONDS = 1.0  # a watcher that does not look by itself while a test lasts


class Steps:
    """A role that counts its steps."""

    def __init__(self, hears: str) -> None:
        """`hears`: one name."""
        self.count = 0
        self.role = Role(name=f"hears-{hears}", opened=self._opened, poll_seconds=NEVER_SECONDS, hears=frozenset({hears}))

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Step]:
        yield self._step

    async def _step(self) -> Progress:
        self.count += 1
        return IDLE


def watch(store: Store, wake: Wake, seconds: float) -> Role:
    """The watcher as a role."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step]:
        yield Watching(store, wake, seconds).step

    return Role(name="watch", opened=opened, poll_seconds=0.0, woken=False)


@asynccontextmanager
async def watched(wake: Wake, *roles: Role) -> AsyncIterator[None]:
    """These roles, running, the first news (of all there was) heard."""
    async with driven(*roles, wake=wake):
        await asyncio.sleep(0.05)
        yield


async def test_another_process_s_commit_wakes_those_who_hear_it(runtime: Runtime, store: MemoryStore) -> None:
    """Nobody in this process was told of it: the watcher finds it within its time, and only who hears the type steps."""
    wake, beds, meals = Wake(), Steps("bed-taken"), Steps("meal-ordered")
    async with watched(wake, watch(store, wake, 0.01), beds.role, meals.role):
        before = beds.count, meals.count
        await take_bed(runtime, uuid4())
        await until(lambda: beds.count == before[0] + 1)
        await asyncio.sleep(0.05)
        assert (beds.count, meals.count) == (before[0] + 1, before[1])


async def test_our_own_commit_is_noticed_at_once(store: MemoryStore, clock: WardClock) -> None:
    """A watcher that would not look by itself for seconds is told by the store's own door."""
    wake, beds = Wake(), Steps("bed-taken")
    ours = ward_with_kitchen(cast(Store, Waking(store, wake)), clock)
    async with watched(wake, watch(store, wake, PATIENT_SECONDS), beds.role):
        before = beds.count
        async with asyncio.timeout(PATIENT_SECONDS / 2):
            await take_bed(ours, uuid4())
            await until(lambda: beds.count == before + 1)


async def test_nobody_is_woken_for_what_cannot_be_read_yet(store: MemoryStore, clock: WardClock) -> None:
    """A commit behind an open transaction wakes its readers when that ends, and they are woken once."""
    wake, beds = Wake(), Steps("bed-taken")
    ours = ward_with_kitchen(cast(Store, Waking(store, wake)), clock)
    async with watched(wake, watch(store, wake, 0.02), beds.role):
        before, opened = beds.count, store.transactions.begin()
        await take_bed(ours, uuid4())
        await asyncio.sleep(0.1)
        assert beds.count == before
        store.transactions.end(opened)
        await until(lambda: beds.count == before + 1)
        await asyncio.sleep(0.05)
        assert beds.count == before + 1


async def test_who_does_not_hear_asks_the_database_nothing(clock: WardClock, kitchen: Kitchen) -> None:
    """On the way of a bed to its meal only the reaction reads: subscribers of other facts, however many, are in nobody's way."""
    asked: Counter[str] = Counter()

    async def pause(_: str) -> None:
        task = asyncio.current_task()
        asked[task.get_name() if task else ""] += 1

    wake, store = Wake(), MemoryStore(clock=clock, pause=pause)
    runtime = ward_with_kitchen(cast(Store, Waking(store, wake)), clock)

    def follower(reaction: Reaction) -> Role:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Step | None]:
            async with store.lease(reaction.name) as lease:
                assert lease is not None
                yield Follower(Reacting(runtime, reaction), lease, clock).step

        return Role(name=reaction.name, opened=opened, poll_seconds=NEVER_SECONDS, hears=reaction.hears)

    others = [Reaction(name=f"ward.other-{n}", hears=frozenset({"bed-left"}), react=kitchen.react) for n in range(8)]
    async with watched(wake, watch(store, wake, PATIENT_SECONDS), *map(follower, [kitchen.reaction, *others])):
        asked.clear()
        patient = uuid4()
        bed = await take_bed(runtime, patient)
        await until(lambda: len(kitchen.tried) == 1)
        await asyncio.sleep(0.05)
        assert await meals_of(runtime, kitchen, patient) == (bed,)
        assert asked[kitchen.reaction.name] > 0
        assert [asked[other.name] for other in others] == [0] * 8


class Scripted:
    """A store that has this news, one after the other, and then none."""

    def __init__(self, *news: News) -> None:
        """In order."""
        self._news, self.asked, self.away = list(news), 0, False
        self.looked_from: list[Cursor] = []

    async def end(self) -> Cursor:
        """The beginning."""
        return Cursor()

    async def news(self, after: Cursor, limit: int) -> News:
        """The next."""
        assert limit == NEWS_ROWS_MAX
        self.asked += 1
        self.looked_from.append(after)
        if self.away:
            raise Unavailable("the database is away")
        return self._news.pop(0) if self._news else News(frozenset(), after, more=False, hidden=False)


async def test_a_database_that_comes_back_shorter() -> None:
    """A crash may have taken what was only heard: the watcher begins again where the log ends now, and everybody looks."""
    store = Scripted(News(frozenset({"bed-taken"}), Cursor(1, 9, 9), more=False, hidden=False))
    wake = Wake()
    bell, watching = wake.bell(frozenset({"meal-ordered"})), Watching(cast(Store, store), wake, 0.01)
    for _ in range(2):
        await watching.step()
    store.away = True
    with pytest.raises(Unavailable):
        await watching.step()
    store.away = False
    bell.listen()
    await watching.step()
    async with asyncio.timeout(1):
        await bell.wait(NEVER_SECONDS)
    await watching.step()
    assert store.looked_from == [Cursor(), Cursor(1, 9, 9), Cursor()]


async def test_more_than_a_look_takes_is_looked_at_at_once() -> None:
    """Behind a full page the next look does not wait."""
    pages = [News(frozenset({"bed-taken"}), Cursor(1, 1, n), more=n < 4, hidden=False) for n in range(1, 5)]
    store = Scripted(*pages)
    watching = Watching(cast(Store, store), Wake(), NEVER_SECONDS)
    async with asyncio.timeout(1):
        for _ in range(5):
            await watching.step()
    assert store.asked == 4
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await watching.step()


async def test_what_hides_is_looked_for_ever_more_rarely() -> None:
    """The first looks follow within milliseconds, later ones at the watcher's own pace: a transaction may stay open for a minute."""
    hides = News(frozenset(), Cursor(), more=False, hidden=True)
    store = Scripted(*[hides] * 1_000)
    watching = Watching(cast(Store, store), Wake(), 0.05)
    async with asyncio.timeout(SECONDS_MAX):
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(7):
            await watching.step()
        assert loop.time() - began < 0.25
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            while True:
                await watching.step()
    assert store.asked <= 6 + 10
