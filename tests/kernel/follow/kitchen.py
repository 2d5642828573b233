"""What follows from the ward's beds: a kitchen that orders a meal for each. Ordering is not idempotent, so that doubles show."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from erbium_kernel.codec import Codec
from erbium_kernel.decider import Decider, SetTimer, TimerChange
from erbium_kernel.errors import Rejected
from erbium_kernel.event import Actor, Envelope, EventTable, Stored
from erbium_kernel.execute import Cause, execute
from erbium_kernel.folding import state_of
from erbium_kernel.follow import ATTEMPTS_MAX, Follower
from erbium_kernel.log_records import Heard, Slice
from erbium_kernel.personal import Personal, PersonalData
from erbium_kernel.ports import Store
from erbium_kernel.progress import Progress
from erbium_kernel.reacting import Reacting
from erbium_kernel.runtime import Runtime
from erbium_kernel.subscribing import Due, Reaction, To
from erbium_kernel.trying_again import TRY_AGAIN_SECONDS_MAX
from tests.kernel.ward import BED, EVENTS, BedTaken, TakeBed, WardClock, ward

CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")
OTHER_CHAIN = UUID("00000000-0000-7000-8000-00000000c4a2")
STEPS_MAX = 500
REPEAT = timedelta(hours=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class MealOrdered:
    """One meal for the patient, because of this bed."""

    patient_id: UUID
    bed_event_id: UUID
    note: PersonalData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TeaServed:
    """A timer has fired; the next tea follows, unless it is the last."""

    patient_id: UUID
    at: datetime
    last: bool = False
    note: PersonalData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMeal:
    """Order a meal."""

    patient_id: UUID
    bed_event_id: UUID
    note: PersonalData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeTea:
    """Serve tea, and again four hours later, unless it is the last."""

    patient_id: UUID
    at: datetime
    last: bool = False
    note: PersonalData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """Another service's fact: somebody will come."""

    patient_id: UUID


class KitchenClosed(Rejected):
    """No meals at this hour."""

    slug = "kitchen.closed"


class KitchenOnFire(RuntimeError):
    """A bug of ours."""


MEALS = EventTable({"meal-ordered": Stored(record=MealOrdered), "tea-served": Stored(record=TeaServed)})
HEARD = EventTable({"erbium.reception.announced": Stored(record=Announced)})
Meals = tuple[UUID, ...]  # the beds that meals were ordered for, in order


def tea_timers(event: MealOrdered | TeaServed) -> Sequence[TimerChange]:
    """Every tea but the last sets the next one, under the same key."""
    if isinstance(event, TeaServed) and not event.last:
        return [SetTimer(key=f"tea-{event.patient_id}", type="tea", due_at=event.at + REPEAT, ref=event.patient_id)]
    return ()


class Kitchen:
    """The decider with its faults: who is refused and who meets a bug."""

    def __init__(self) -> None:
        """Open, and not on fire."""
        self.refuses: set[UUID] = set()
        self.burns: set[UUID] = set()  # patients and beds
        self.tried: list[UUID] = []
        self.notes = False
        self.last_tea = False
        self.decider: Decider[Any, Meals, Any] = Decider(
            category="meals",
            events=MEALS,
            initial=(),
            decide=self.decide,
            evolve=lambda meals, event: (*meals, event.bed_event_id) if isinstance(event, MealOrdered) else meals,
            timers=tea_timers,
            ordering=lambda event, _: event.patient_id,
        )
        self.reaction = self.hearing(frozenset({"bed-taken", "erbium.reception.announced"}))

    def hearing(self, hears: frozenset[str]) -> Reaction:
        """The reaction to these facts, each of which speaks of a patient."""
        return Reaction(name="ward.order-meal", hears=hears, react=self.react)

    def decide(self, command: OrderMeal | ServeTea, _: Meals) -> Sequence[Any]:
        """Not idempotent on purpose."""
        self.tried.append(command.patient_id)
        if self.burns & {command.patient_id, getattr(command, "bed_event_id", None)}:
            raise KitchenOnFire("a secret name")
        if command.patient_id in self.refuses:
            raise KitchenClosed
        if isinstance(command, ServeTea):
            return [TeaServed(patient_id=command.patient_id, at=command.at, last=command.last, note=command.note)]
        return [MealOrdered(patient_id=command.patient_id, bed_event_id=command.bed_event_id, note=command.note)]

    def react(self, envelope: Envelope, record: Any) -> To:
        """A meal for every bed and every announcement."""
        command = OrderMeal(patient_id=record.patient_id, bed_event_id=envelope.event_id, note=self.note(record.patient_id))
        return To(self.decider, record.patient_id, command)

    def tea(self, due: Due, now: datetime) -> To:
        """The command of the timer `tea`."""
        return To(self.decider, due.stream_id, ServeTea(patient_id=due.ref, at=now, last=self.last_tea, note=self.note(due.ref)))

    def note(self, patient_id: UUID) -> Personal | None:
        """Something personal, if notes are taken: what cannot be written without the patient's key."""
        return Personal(patient_id, "no salt") if self.notes else None


def ward_with_kitchen(store: Store, clock: WardClock, *, owns_keys: bool = True, seed: int = 1) -> Runtime:
    """One service: beds, meals, and what the reception announces. On a database that outlives a test each needs a seed of its own."""
    return replace(ward(store, clock, owns_keys=owns_keys, seed=seed), codec=Codec([EVENTS, MEALS], HEARD))


async def take_bed(runtime: Runtime, patient_id: UUID, chain_id: UUID = CHAIN) -> UUID:
    """A bed is taken; returns the event's id. No guard, no room conflict: each in a room of its own."""
    command = TakeBed(patient_id=patient_id, room_id=uuid4(), at=runtime.clock.now())
    outcome = await execute(runtime, chain_id, BED, uuid4(), command, cause=a_nurse(runtime))
    assert isinstance(outcome.state, BedTaken)
    assert outcome.event_id is not None
    return outcome.event_id


async def announce(runtime: Runtime, patient_id: UUID, *, offset: int, version: int = 1, raw: bytes | None = None) -> UUID:
    """The reception's message arrives as record `offset` of its partition; returns its id."""
    event_id = uuid4()
    heard = Heard(
        chain_id=CHAIN, ordering_id=patient_id, event_id=event_id, type="erbium.reception.announced", schema_version=version,
        origin="reception", clinic_id=None, subject_id=None, occurred_at=runtime.clock.now(), correlation_id=uuid4(), causation_id=None,
        actor=Actor(kind="staff", id="porter-1"), traceparent=None, raw=raw or f'{{"patient_id":"{patient_id}"}}'.encode(), headers=(),
    )  # fmt: skip
    await runtime.store.take_in(
        Slice(topic="erbium.reception.v1", partition=0, expected=offset, next=offset + 1, heard=(heard,)),
    )
    return event_id


def a_nurse(runtime: Runtime) -> Cause:
    """Somebody of the staff acts."""
    return Cause(actor=Actor(kind="staff", id="nurse-17"), command_id=runtime.ids.new(), correlation_id=runtime.ids.new())


async def meals_of(runtime: Runtime, kitchen: Kitchen, patient_id: UUID, chain_id: UUID = CHAIN) -> Meals:
    """The beds that this patient got a meal for, in the order of the orders."""
    return (await state_of(runtime, chain_id, kitchen.decider, patient_id))[0]


async def follow(runtime: Runtime, kitchen: Kitchen, *, until: str = "idle") -> Progress:
    """Steps under one lease until a step says `until`, at most STEPS_MAX."""
    async with runtime.store.lease(kitchen.reaction.name) as lease:
        assert lease is not None
        follower = Follower(Reacting(runtime, kitchen.reaction), lease, runtime.clock)
        for _ in range(STEPS_MAX):
            progress = await follower.step()
            if progress.kind == until:
                return progress
    raise AssertionError(f"never {until} in {STEPS_MAX} steps, last {progress}")


async def follow_patiently(runtime: Runtime, kitchen: Kitchen, clock: WardClock) -> None:
    """Under one lease, with time passing: a released row that fails has used up its budget in the end."""
    async with runtime.store.lease(kitchen.reaction.name) as lease:
        assert lease is not None
        follower = Follower(Reacting(runtime, kitchen.reaction), lease, clock)
        for _ in range(ATTEMPTS_MAX):
            while (await follower.step()).kind != "idle":
                pass
            clock.at += timedelta(seconds=TRY_AGAIN_SECONDS_MAX)
