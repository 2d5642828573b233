"""A reaction's command and its checkpoint commit together: one effect for each event, whatever crashes in between."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4, uuid5

import pytest

from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Cursor
from erbium_kernel.follow import Follower
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log_records import MoveCheckpoint, ParkedRowDone, Row
from erbium_kernel.ports import Lease
from erbium_kernel.reacting import PATIENCE_SECONDS, Reacting
from erbium_kernel.runtime import Runtime
from erbium_kernel.trying_again import TRY_AGAIN_SECONDS_MAX
from tests.kernel.follow.kitchen import CHAIN, OTHER_CHAIN, Kitchen, announce, follow, meals_of, take_bed, ward_with_kitchen
from tests.kernel.ward import WardClock


class Killed(BaseException):
    """The process ends here."""


class Crashing:
    """The store's pause: raises once, at the nth place where it may."""

    def __init__(self, at: int, error: BaseException) -> None:
        """`at` counts from 0."""
        self._at, self._error = at, error
        self.armed, self.crashed = False, False

    async def __call__(self, _: str) -> None:
        """One place."""
        if not self.armed:
            return
        self._at -= 1
        if self._at == -1:
            self.crashed = True
            raise self._error


async def test_one_meal_for_each_bed_in_order(runtime: Runtime, kitchen: Kitchen) -> None:
    """Every bed leads to one meal, those of one patient in the order of the beds; a second run adds nothing."""
    anna, bert = uuid4(), uuid4()
    beds = [(patient, await take_bed(runtime, patient)) for patient in (anna, bert, anna, anna, bert)]
    await follow(runtime, kitchen)
    await follow(runtime, kitchen)
    for patient in (anna, bert):
        assert await meals_of(runtime, kitchen, patient) == tuple(bed for taken_by, bed in beds if taken_by == patient)


@pytest.mark.parametrize("error", [Killed(), Unavailable("cut")], ids=["killed", "cut off"])
async def test_exactly_once_wherever_it_crashes(clock: WardClock, error: BaseException) -> None:
    """Wherever the process dies or loses the database, each bed leads to one meal in the end."""
    for place in range(1_000):
        crashing = Crashing(place, error)
        runtime, kitchen = ward_with_kitchen(MemoryStore(clock=clock, pause=crashing), clock), Kitchen()
        patients = [uuid4() for _ in range(3)]
        beds = [await take_bed(runtime, patient) for patient in patients]
        beds.append(await take_bed(runtime, patients[0]))
        crashing.armed = True
        while True:
            try:
                await follow(runtime, kitchen)
                break
            except (Killed, Unavailable):
                continue
        crashing.armed = False
        assert await meals_of(runtime, kitchen, patients[0]) == (beds[0], beds[3]), place
        assert [await meals_of(runtime, kitchen, patient) for patient in patients[1:]] == [(beds[1],), (beds[2],)], place
        if not crashing.crashed:
            assert place > 10, "it must have crashed somewhere"
            return
    raise AssertionError("more places than expected")


async def test_the_cause_of_a_command(runtime: Runtime, kitchen: Kitchen) -> None:
    """The event that led here is the causation, the correlation is kept, and the command's id follows from event and reaction."""
    patient = uuid4()
    heard = await announce(runtime, patient, offset=0)
    await follow(runtime, kitchen)
    (row,) = (await runtime.store.load(CHAIN, kitchen.decider.stream(patient))).rows
    assert row.envelope.causation_id == heard
    assert row.envelope.command_id == uuid5(heard, kitchen.reaction.name)
    assert (row.envelope.actor.kind, row.envelope.actor.id) == ("reaction", kitchen.reaction.name)
    async with runtime.store.lease("reader") as lease:
        assert lease is not None
        (first, *_) = await lease.read(Cursor(), 1)
    assert row.envelope.correlation_id == first.envelope.correlation_id


async def test_a_refusal_is_an_answer(runtime: Runtime, kitchen: Kitchen) -> None:
    """A rule that refuses the command is not tried again, and the next event is served."""
    anna, bert = uuid4(), uuid4()
    kitchen.refuses.add(anna)
    await take_bed(runtime, anna)
    bed = await take_bed(runtime, bert)
    await follow(runtime, kitchen)
    kitchen.refuses.clear()
    await follow(runtime, kitchen)
    assert kitchen.tried == [anna, bert]
    assert await meals_of(runtime, kitchen, anna) == ()
    assert await meals_of(runtime, kitchen, bert) == (bed,)
    assert await runtime.store.parked() == ()


async def test_nothing_is_written_about_an_erased_person(runtime: Runtime, kitchen: Kitchen) -> None:
    """A refusal that comes from the person's erased key is an answer like any other: it is not tried again, and the next one goes on."""
    anna, bert = uuid4(), uuid4()
    kitchen.notes = True
    for patient in (anna, bert):
        await runtime.vault.sealer(CHAIN, patient, patient=True)
    await take_bed(runtime, anna)
    bed = await take_bed(runtime, bert)
    await runtime.store.erase_key(CHAIN, anna)
    runtime.vault.forget(CHAIN, anna)
    await follow(runtime, kitchen)
    assert kitchen.tried == [anna, bert]
    assert await meals_of(runtime, kitchen, bert) == (bed,)
    assert await runtime.store.parked() == ()


async def test_sent_back_to_the_beginning_while_idle(runtime: Runtime) -> None:
    """A subscriber with nothing to do notices that a rebuild has reset its checkpoint, and follows it all again."""
    beds = [await take_bed(runtime, uuid4()) for _ in range(3)]
    listing = Listing()
    async with runtime.store.lease(listing.name) as lease:
        assert lease is not None
        follower = Follower(listing, lease, runtime.clock)
        for _ in range(4):
            await follower.step()
        assert listing.seen == beds
        await runtime.store.reset_checkpoint(listing.name)
        for _ in range(4):
            await follower.step()
    assert listing.seen == beds + beds


class Listing:
    """An effect that only remembers."""

    name, hears = "ward.listing", frozenset({"bed-taken"})
    rows_max, turns_max = 10, 10
    aside_after_seconds: float | None = None

    def __init__(self) -> None:
        """Nothing seen yet."""
        self.seen: list[UUID] = []

    async def work(self, _: Lease, rows: Sequence[Row], move: MoveCheckpoint) -> Cursor:
        """Remembers, and lets the caller move."""
        self.seen += [row.envelope.event_id for row in rows]
        return move.expected

    async def work_parked(self, lease: Lease, row: Row, done: ParkedRowDone) -> None:
        """Never parked here."""
        raise AssertionError


async def test_chains_are_served_apart(runtime: Runtime, kitchen: Kitchen) -> None:
    """The command goes to the chain of the event that led to it."""
    patient = uuid4()
    bed = await take_bed(runtime, patient, OTHER_CHAIN)
    await follow(runtime, kitchen)
    assert await meals_of(runtime, kitchen, patient, OTHER_CHAIN) == (bed,)
    assert await meals_of(runtime, kitchen, patient) == ()


async def test_a_lost_lease(runtime: Runtime, store: MemoryStore, kitchen: Kitchen) -> None:
    """A worker whose lease went to another one in the midst of its work does nothing twice."""
    patient = uuid4()
    beds = [await take_bed(runtime, patient) for _ in range(3)]
    async with store.lease(kitchen.reaction.name) as lease:
        assert lease is not None
        stale = Follower(Reacting(runtime, kitchen.reaction), lease, runtime.clock)
        await stale.step()
        await stale.step()
        beds.append(await take_bed(runtime, patient))
        store.cut_lease(kitchen.reaction.name)
        await follow(runtime, kitchen)
        with pytest.raises(Unavailable):
            await stale.step()
    assert await meals_of(runtime, kitchen, patient) == tuple(beds)


async def test_a_moved_checkpoint_is_read_again(runtime: Runtime, kitchen: Kitchen) -> None:
    """A worker that finds the checkpoint moved takes up the log from where it is now."""
    patient = uuid4()
    first = await take_bed(runtime, patient)
    async with runtime.store.lease(kitchen.reaction.name) as lease:
        assert lease is not None
        follower = Follower(Reacting(runtime, kitchen.reaction), lease, runtime.clock)
        while (await follower.step()).kind != "idle":
            pass
        second = await take_bed(runtime, patient)
        await lease.move(await lease.checkpoint(), await runtime.store.end())
        kinds = [(await follower.step()).kind for _ in range(4)]
        third = await take_bed(runtime, patient)
        kinds += [(await follower.step()).kind for _ in range(4)]
    assert kinds[0] == "blocked"
    assert "blocked" not in kinds[1:]
    assert await meals_of(runtime, kitchen, patient) == (first, third)
    assert second not in await meals_of(runtime, kitchen, patient)


async def test_passing_is_cheap(clock: WardClock, kitchen: Kitchen) -> None:
    """However many rows of no interest a look passes, it commits once."""
    places: Counter[str] = Counter()

    async def count(where: str) -> None:
        places[where] += 1

    runtime = ward_with_kitchen(MemoryStore(clock=clock, pause=count), clock)
    reaction = kitchen.hearing(frozenset({"erbium.reception.announced"}))
    async with runtime.store.lease(reaction.name) as lease:
        assert lease is not None
        follower = Follower(Reacting(runtime, reaction), lease, clock)
        for _ in range(50):
            await take_bed(runtime, uuid4())
        assert [(await follower.step()).kind for _ in range(3)] == ["worked", "idle", "idle"]
        assert places["move: begin"] == 1
        assert await lease.checkpoint() == await runtime.store.end()


async def test_the_key_that_has_yet_to_arrive(store: MemoryStore, clock: WardClock, kitchen: Kitchen) -> None:
    """Who cannot be written about yet waits aside, in order, and holds up nobody; no operator is needed."""
    owner, runtime = ward_with_kitchen(store, clock), ward_with_kitchen(store, clock, owns_keys=False)
    anna, bert = uuid4(), uuid4()
    await owner.vault.sealer(CHAIN, bert, patient=True)
    kitchen.notes = True
    beds: list[UUID] = [await take_bed(runtime, patient) for patient in (anna, bert, anna)]
    assert "KeyNotHere" in (await follow(runtime, kitchen, until="blocked")).reason
    async with runtime.store.lease(kitchen.reaction.name) as lease:
        assert lease is not None
        follower = Follower(Reacting(runtime, kitchen.reaction), lease, clock)
        await follower.step()
        clock.at += timedelta(seconds=2 * PATIENCE_SECONDS)
        for _ in range(6):
            await follower.step()
        assert await meals_of(runtime, kitchen, bert) == (beds[1],)
        assert await meals_of(runtime, kitchen, anna) == ()
        await owner.vault.sealer(CHAIN, anna, patient=True)
        clock.at += timedelta(seconds=TRY_AGAIN_SECONDS_MAX)
        for _ in range(6):
            await follower.step()
    assert await meals_of(runtime, kitchen, anna) == (beds[0], beds[2])
    assert await runtime.store.parked() == ()
