"""Timers fire by domain time, once, as ordinary commands; nothing waits in memory, and a failing one stops nobody else."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from erbium_kernel.errors import Unavailable
from erbium_kernel.execute import execute
from erbium_kernel.fire import BACK_OFF_SECONDS_MAX, FIRED_PER_STEP_MAX, LEASE, Timers
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.roles import _timers as timers_role
from erbium_kernel.runtime import Runtime
from tests.kernel.follow.kitchen import CHAIN, REPEAT, Kitchen, ServeTea, TeaServed, a_nurse, ward_with_kitchen
from tests.kernel.follow.test_reactions import Crashing, Killed
from tests.kernel.ward import WardClock


@pytest.fixture
def timers(runtime: Runtime, kitchen: Kitchen) -> Timers:
    """Tea every four hours."""
    return Timers(runtime, {"tea": kitchen.tea})


async def serve(runtime: Runtime, kitchen: Kitchen, patient_id: UUID) -> None:
    """The first tea, which sets the timer of the second."""
    command = ServeTea(patient_id=patient_id, at=runtime.clock.now())
    await execute(runtime, CHAIN, kitchen.decider, patient_id, command, cause=a_nurse(runtime))


async def teas(runtime: Runtime, kitchen: Kitchen, patient_id: UUID) -> int:
    """How many teas this patient got."""
    rows = (await runtime.store.load(CHAIN, kitchen.decider.stream(patient_id))).rows
    return sum(isinstance(runtime.codec.decode(row), TeaServed) for row in rows)


async def fire_all(timers: Timers) -> None:
    """Steps until nothing more is due."""
    while (await timers.step()).kind == "worked":
        pass


async def test_not_before_its_time(runtime: Runtime, kitchen: Kitchen, timers: Timers, clock: WardClock) -> None:
    """A timer fires at its time, not before, and once."""
    anna = uuid4()
    await serve(runtime, kitchen, anna)
    clock.at += REPEAT - timedelta(microseconds=1)
    assert (await timers.step()).kind == "idle"
    clock.at += timedelta(microseconds=1)
    await fire_all(timers)
    assert await teas(runtime, kitchen, anna) == 2


async def test_timers_survive_a_restart(store: MemoryStore, clock: WardClock, kitchen: Kitchen) -> None:
    """A timer that came due while nothing ran fires when something runs again."""
    anna = uuid4()
    await serve(ward_with_kitchen(store, clock), kitchen, anna)
    clock.at += 10 * REPEAT
    restarted = ward_with_kitchen(store, clock)
    await fire_all(Timers(restarted, {"tea": kitchen.tea}))
    assert await teas(restarted, kitchen, anna) == 2


async def test_the_successor_stays(runtime: Runtime, kitchen: Kitchen, timers: Timers, clock: WardClock) -> None:
    """A timer that sets its successor under its own key removes itself, not the successor."""
    anna = uuid4()
    await serve(runtime, kitchen, anna)
    for _ in range(3):
        clock.at += REPEAT
        await fire_all(timers)
    assert await teas(runtime, kitchen, anna) == 4
    assert len(await runtime.store.due_timers(clock.at + REPEAT, 10)) == 1


@pytest.mark.parametrize("error", [Killed(), Unavailable("cut")], ids=["killed", "cut off"])
async def test_once_wherever_it_crashes(clock: WardClock, error: BaseException) -> None:
    """Wherever the process dies, a timer has fired exactly once in the end."""
    for place in range(1_000):
        crashing = Crashing(place, error)
        now = WardClock()
        runtime, kitchen = ward_with_kitchen(MemoryStore(clock=now, pause=crashing), now), Kitchen()
        anna = uuid4()
        await serve(runtime, kitchen, anna)
        now.at += REPEAT
        crashing.armed = True
        for _ in range(5):
            try:
                await fire_all(Timers(runtime, {"tea": kitchen.tea}))
            except (Killed, Unavailable):
                continue
        crashing.armed = False
        assert await teas(runtime, kitchen, anna) == 2, place
        if not crashing.crashed:
            assert place > 5
            return
    raise AssertionError("more places than expected")


async def test_a_failing_timer_stops_nobody(runtime: Runtime, kitchen: Kitchen, clock: WardClock) -> None:
    """Even more failing timers than one step takes hold up nobody; each is tried ever more rarely, and fires when it can."""
    burning = [uuid4() for _ in range(FIRED_PER_STEP_MAX + 5)]
    for patient in burning:
        await serve(runtime, kitchen, patient)
    clock.at += timedelta(seconds=1)
    anna = uuid4()
    await serve(runtime, kitchen, anna)
    clock.at += REPEAT
    kitchen.burns.update(burning)
    timers = Timers(runtime, {"tea": kitchen.tea})
    for _ in range(3):
        await timers.step()
    assert await teas(runtime, kitchen, anna) == 2
    assert len(timers.failing) == len(burning)
    tried = len(kitchen.tried)
    await timers.step()
    assert len(kitchen.tried) == tried
    for _ in range(20):
        clock.at += timedelta(seconds=BACK_OFF_SECONDS_MAX)
        await timers.step()
        await timers.step()
    assert {failing.reason.split(" at ")[0] for failing in timers.failing.values()} == {"KitchenOnFire"}
    kitchen.burns.clear()
    clock.at += timedelta(seconds=BACK_OFF_SECONDS_MAX)
    await fire_all(timers)
    assert not timers.failing
    assert [await teas(runtime, kitchen, patient) for patient in burning] == [2] * len(burning)


async def test_a_refused_timer_is_gone(runtime: Runtime, kitchen: Kitchen, timers: Timers, clock: WardClock) -> None:
    """A rule that refuses the timer's command has answered it."""
    anna = uuid4()
    await serve(runtime, kitchen, anna)
    clock.at += REPEAT
    kitchen.refuses.add(anna)
    await fire_all(timers)
    assert not await runtime.store.due_timers(clock.at, 10)
    assert await teas(runtime, kitchen, anna) == 1


async def test_the_last_one(runtime: Runtime, kitchen: Kitchen, timers: Timers, clock: WardClock) -> None:
    """A timer without a successor has fired and is gone, in one transaction with its command."""
    anna = uuid4()
    await serve(runtime, kitchen, anna)
    kitchen.last_tea = True
    clock.at += REPEAT
    await fire_all(timers)
    assert await teas(runtime, kitchen, anna) == 2
    assert not await runtime.store.due_timers(clock.at + REPEAT, 10)


async def test_a_timer_of_an_erased_person(runtime: Runtime, kitchen: Kitchen, timers: Timers, clock: WardClock) -> None:
    """A timer whose command may not be written about an erased person any more is answered, and gone."""
    anna = uuid4()
    await runtime.vault.sealer(CHAIN, anna, patient=True)
    await serve(runtime, kitchen, anna)
    await runtime.store.erase_key(CHAIN, anna)
    runtime.vault.forget(CHAIN, anna)
    kitchen.notes = True
    clock.at += REPEAT
    await fire_all(timers)
    assert not timers.failing
    assert not await runtime.store.due_timers(clock.at, 10)


async def test_a_timer_nobody_knows(runtime: Runtime, kitchen: Kitchen, clock: WardClock) -> None:
    """A timer of a type that this code does not know stays, and is told; the role itself is well."""
    await serve(runtime, kitchen, uuid4())
    clock.at += REPEAT
    timers = Timers(runtime, {})
    assert (await timers.step()).kind == "idle"
    assert timers.failed_total == 1
    assert [failing.reason.split(" at ")[0] for failing in timers.failing.values()] == ["KeyError"]
    assert len(await runtime.store.due_timers(clock.at, 10)) == 1


async def test_a_lost_lease_ends_it(runtime: Runtime, store: MemoryStore, kitchen: Kitchen, clock: WardClock) -> None:
    """A worker whose lease has died fires nothing more: it is another one's now."""
    await serve(runtime, kitchen, uuid4())
    clock.at += REPEAT
    running: Any = SimpleNamespace(runtime=runtime, service=SimpleNamespace(timers={"tea": kitchen.tea}))
    async with timers_role(running).opened() as step:
        assert step is not None
        assert (await step()).kind == "worked"
        tried, clock.at = len(kitchen.tried), clock.at + REPEAT
        store.cut_lease(LEASE)
        with pytest.raises(Unavailable):
            await step()
        assert len(kitchen.tried) == tried
