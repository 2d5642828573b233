"""A subscriber that has something to follow and follows nothing makes its process not ready, whatever it says of itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from erbium_kernel.driver import Driver, Role, Step, Wake
from erbium_kernel.follow import Follower
from erbium_kernel.observing.health import Check
from erbium_kernel.process import _role_checks
from erbium_kernel.progress import IDLE, Progress
from erbium_kernel.reacting import Reacting
from erbium_kernel.running import Running
from erbium_kernel.runtime import Runtime
from erbium_kernel.settings import Settings
from erbium_kernel.watchdog import SILENT_SECONDS_MAX, Watchdog
from tests.kernel.follow.board import Board, Hall
from tests.kernel.follow.conftest import clock, kitchen, runtime, store
from tests.kernel.follow.kitchen import Kitchen, take_bed
from tests.kernel.log.grounds import Database
from tests.kernel.operating.hall import BOARD, KITCHEN, a_database, a_hall, service_of
from tests.kernel.ward import WardClock

__all__ = ["clock", "kitchen", "runtime", "store"]
SILENT = timedelta(seconds=SILENT_SECONDS_MAX + 1)
JUST_BEFORE = timedelta(seconds=SILENT_SECONDS_MAX - 1)
TURNS = 20


@pytest.fixture(scope="module")
async def database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """One database for this file."""
    async with a_database(postgres_url, tmp_path_factory) as made:
        yield made


@pytest.fixture
async def hall(database: Database) -> AsyncIterator[Hall]:
    """A ward on it."""
    async with a_hall(database) as opened:
        yield opened


def times_silent(subscriber: str) -> float:
    """What operations sees."""
    return REGISTRY.get_sample_value("subscribers_silent_total", {"subscriber": subscriber}) or 0.0


@asynccontextmanager
async def guarded(runtime: Runtime, kitchen: Kitchen, step: Step | None, dog: Watchdog) -> AsyncIterator[Check]:
    """The readiness of a process whose kitchen is followed by this step; None: another worker has it."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        yield step

    role = Role(name=KITCHEN, opened=opened, poll_seconds=60.0, trouble=partial(dog.trouble, KITCHEN))
    stop, wake = asyncio.Event(), Wake()
    running = Running(
        service=service_of(kitchen, Board()), settings=Settings(), runtime=runtime, wake=wake, api_engine=None, work_engine=None
    )
    driver = Driver([role], wake, runtime.clock)
    task = asyncio.create_task(driver.run(stop))
    for _ in range(TURNS):
        await asyncio.sleep(0)
    try:
        yield _role_checks([role], driver, running)[KITCHEN]
    finally:
        stop.set()
        task.cancel()
        await asyncio.wait({task})


def the_dog(runtime: Runtime, kitchen: Kitchen) -> Watchdog:
    """It looks after the kitchen."""
    return Watchdog(runtime.store, runtime.clock, {KITCHEN: kitchen.reaction.hears})


async def hangs() -> Progress:
    """It never comes back."""
    await asyncio.Event().wait()
    return IDLE


async def says_idle() -> Progress:
    """It says that there is nothing to do."""
    return IDLE


@pytest.mark.parametrize("step", [hangs, says_idle])
async def test_frozen(runtime: Runtime, kitchen: Kitchen, clock: WardClock, step: Step) -> None:
    """A step that hangs and one that says idle although rows wait are found alike: not ready, a sentence, counted once."""
    dog, before = the_dog(runtime, kitchen), times_silent(KITCHEN)
    await take_bed(runtime, uuid4())
    async with guarded(runtime, kitchen, step, dog) as ready:
        await dog.step()
        clock.at += JUST_BEFORE
        await dog.step()
        assert dog.trouble(KITCHEN) is None
        clock.at += timedelta(seconds=2)
        for _ in range(3):
            await dog.step()
        reason = dog.trouble(KITCHEN)
        assert reason == "it has followed nothing for 61 s, although rows wait for it behind position 0 of the log"
        assert await ready() is not None
        assert times_silent(KITCHEN) == before + 1


async def test_another_workers_trouble(runtime: Runtime, kitchen: Kitchen, clock: WardClock) -> None:
    """A worker on standby stays ready while the one that has the lease is silent: to restart it would mend nothing."""
    dog = the_dog(runtime, kitchen)
    await take_bed(runtime, uuid4())
    async with guarded(runtime, kitchen, None, dog) as ready:
        await dog.step()
        clock.at += SILENT
        await dog.step()
        assert dog.trouble(KITCHEN)
        assert await ready() is None


async def test_at_work_again(runtime: Runtime, kitchen: Kitchen, clock: WardClock) -> None:
    """As soon as it follows again it is ready; the next silence is counted anew."""
    dog, before = the_dog(runtime, kitchen), times_silent(KITCHEN)
    for times in (1, 2):
        await take_bed(runtime, uuid4())
        await dog.step()
        clock.at += SILENT
        await dog.step()
        assert dog.trouble(KITCHEN)
        assert times_silent(KITCHEN) == before + times
        async with runtime.store.lease(KITCHEN) as lease:
            assert lease is not None
            follower = Follower(Reacting(runtime, kitchen.reaction), lease, clock)
            while (await follower.step()).kind != "idle":
                pass
        await dog.step()
        assert dog.trouble(KITCHEN) is None


async def test_nothing_to_follow(runtime: Runtime, kitchen: Kitchen, clock: WardClock) -> None:
    """A subscriber for which nothing waits is never silent, however long others write what it does not hear."""
    dog = Watchdog(runtime.store, clock, {"ward.rare": frozenset({"bed-left"}), KITCHEN: kitchen.reaction.hears})
    for _ in range(3):
        await dog.step()
        assert dog.trouble("ward.rare") is None
        await take_bed(runtime, uuid4())
        clock.at += SILENT
    await dog.step()
    assert dog.trouble("ward.rare") is None
    assert dog.trouble(KITCHEN)


async def test_on_the_real_log(hall: Hall) -> None:
    """On PostgreSQL too: silent with a row behind its checkpoint, well again when it is followed; parked rows are no silence."""
    dog = Watchdog(hall.store, hall.clock, {BOARD: hall.board.projection.hears})
    await dog.step()
    anna = uuid4()
    hall.board.burns.add(anna)
    await take_bed(hall.runtime, anna, uuid4())
    await hall.settled()
    await dog.step()
    hall.clock.at += SILENT
    await dog.step()
    assert dog.trouble(BOARD)
    await hall.follow()
    await dog.step()
    hall.clock.at += SILENT
    await dog.step()
    assert dog.trouble(BOARD) is None
