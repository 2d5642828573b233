"""Read your writes: followed means that every subscriber that hears the event has had its effect."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest

from erbium_kernel.after import followed
from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Cursor
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.read_table import Change
from erbium_kernel.runtime import Runtime
from erbium_kernel.service import Service
from erbium_kernel.subscribing import Projection
from tests.kernel.follow.kitchen import CHAIN, HEARD, OTHER_CHAIN, Kitchen, announce, follow, take_bed, ward_with_kitchen
from tests.kernel.ward import BED, WardClock

SHORT_SECONDS = 0.05


@pytest.fixture
def service(kitchen: Kitchen) -> Service:
    """The ward; its board of beds is kept by nobody in these tests."""
    return Service(name="ward", deciders=(BED, kitchen.decider), heard=HEARD, reactions=(kitchen.reaction,))


async def test_pending_then_followed(runtime: Runtime, kitchen: Kitchen, service: Service) -> None:
    """Not followed before the subscriber has passed the event, followed afterwards."""
    bed = await take_bed(runtime, uuid4())
    assert not await followed(runtime, service, CHAIN, bed, SHORT_SECONDS)
    await follow(runtime, kitchen)
    assert await followed(runtime, service, CHAIN, bed, 0)


async def test_a_heard_message(runtime: Runtime, kitchen: Kitchen, service: Service) -> None:
    """The id of a message that has been heard here is waited for like that of an own event."""
    heard = await announce(runtime, uuid4(), offset=0)
    waiting = asyncio.create_task(followed(runtime, service, CHAIN, heard))
    await asyncio.sleep(0)
    await follow(runtime, kitchen)
    assert await waiting


async def test_an_id_that_arrives_later(runtime: Runtime, kitchen: Kitchen, service: Service) -> None:
    """An id that is not here is waited for until the deadline, and no longer."""
    assert not await followed(runtime, service, CHAIN, uuid4(), SHORT_SECONDS)


async def test_another_chain_s_id(runtime: Runtime, kitchen: Kitchen, service: Service) -> None:
    """An id of another chain does not exist."""
    bed = await take_bed(runtime, uuid4())
    await follow(runtime, kitchen)
    assert not await followed(runtime, service, OTHER_CHAIN, bed, SHORT_SECONDS)


async def test_parked_is_never_followed(runtime: Runtime, kitchen: Kitchen, service: Service) -> None:
    """What is parked is told at once, without waiting for the deadline; other patients are not concerned."""
    anna, bert = uuid4(), uuid4()
    kitchen.burns.add(anna)
    parked, served = await take_bed(runtime, anna), await take_bed(runtime, bert)
    await follow(runtime, kitchen)
    async with asyncio.timeout(1):
        assert not await followed(runtime, service, CHAIN, parked, 60)
    assert await followed(runtime, service, CHAIN, served, 0)


async def test_what_nobody_hears(runtime: Runtime, kitchen: Kitchen, service: Service) -> None:
    """An event that no subscriber hears is followed as soon as it is here."""
    await take_bed(runtime, uuid4())
    await follow(runtime, kitchen)
    async with runtime.store.lease("reader") as lease:
        assert lease is not None
        rows = await lease.read(Cursor(), 10)
    meal = next(row for row in rows if row.envelope.type == "meal-ordered")
    assert await followed(runtime, service, CHAIN, meal.envelope.event_id, 0)


async def test_every_subscriber_counts(runtime: Runtime, kitchen: Kitchen, service: Service) -> None:
    """One subscriber that lags is enough to be pending."""

    def never(*_: object) -> list[Change]:
        raise AssertionError

    board = Projection(name="ward.board", hears=frozenset({"bed-taken"}), tables=(), changes=never)
    both = Service(name="ward", deciders=service.deciders, heard=HEARD, reactions=service.reactions, projections=(board,))
    bed = await take_bed(runtime, uuid4())
    await follow(runtime, kitchen)
    assert not await followed(runtime, both, CHAIN, bed, SHORT_SECONDS)


async def test_every_consequence_counts(runtime: Runtime, kitchen: Kitchen, service: Service) -> None:
    """What a reaction has made of an event is waited for too: a meal that nobody has put on the board yet is not the end of the story."""

    def never(*_: object) -> list[Change]:
        raise AssertionError

    board = Projection(name="ward.meals", hears=frozenset({"meal-ordered"}), tables=(), changes=never)
    both = Service(name="ward", deciders=service.deciders, heard=HEARD, reactions=service.reactions, projections=(board,))
    bed = await take_bed(runtime, uuid4())
    await follow(runtime, kitchen)
    assert not await followed(runtime, both, CHAIN, bed, SHORT_SECONDS)
    async with runtime.store.lease(board.name) as lease:
        assert lease is not None
        await lease.move(Cursor(), await runtime.store.end())
    assert await followed(runtime, both, CHAIN, bed, 0)


async def test_only_those_who_hear_are_asked(clock: WardClock, kitchen: Kitchen, service: Service) -> None:
    """Where the event stands is asked once, then only how far its hearers are; of what nobody hears not even that."""
    asked: Counter[str] = Counter()

    async def count(where: str) -> None:
        asked[where] += 1

    runtime = ward_with_kitchen(MemoryStore(clock=clock, pause=count), clock)
    bed = await take_bed(runtime, uuid4())
    asked.clear()
    assert not await followed(runtime, service, CHAIN, bed, SHORT_SECONDS)
    looks = asked["checkpoints: begin"]
    assert looks >= 3
    assert asked == {"place of: begin": 1, "checkpoints: begin": looks}
    asked.clear()
    nobody = Service(name="ward", deciders=(BED,))
    assert await followed(runtime, nobody, CHAIN, bed, 0)
    assert asked == {"place of: begin": 1, "consequences: begin": 1}


async def test_waits_on_the_clock_that_it_is_given(runtime: Runtime, clock: WardClock, service: Service) -> None:
    """It never sleeps by itself, and it ends within the seconds it was given, whether the clock goes on or stands still."""
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        clock.at += timedelta(seconds=seconds)

    async def stand_still(seconds: float) -> None:
        naps.append(seconds)

    for pause in (nap, stand_still):
        naps.clear()
        assert not await followed(runtime, service, CHAIN, uuid4(), 2.0, pause=pause)
        assert 1.9 < sum(naps) <= 2.0
        assert naps == sorted(naps)


async def test_a_database_that_says_nothing(clock: WardClock, kitchen: Kitchen, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is told so when the database falls silent, long before the deadline."""
    monkeypatch.setattr("erbium_kernel.after.SILENT_SECONDS_MAX", 0.05)

    async def silent(where: str) -> None:
        if where == "checkpoints: begin":
            await asyncio.sleep(60)

    runtime = ward_with_kitchen(MemoryStore(clock=clock, pause=silent), clock)
    bed = await take_bed(runtime, uuid4())
    async with asyncio.timeout(1):
        with pytest.raises(Unavailable):
            await followed(runtime, service, CHAIN, bed, 60)
