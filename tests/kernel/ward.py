"""A tiny service for the kernel's own tests: beds in a ward, one stream a bed, with a patient's sealed name."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from erbium_kernel.clock import uuid7
from erbium_kernel.codec import Codec
from erbium_kernel.decider import CancelTimer, Claim, Decider, Guard, Release, SetTimer, TimerChange
from erbium_kernel.errors import Rejected
from erbium_kernel.event import Actor, Envelope, EventTable, Message, Stored
from erbium_kernel.execute import Cause
from erbium_kernel.personal import PersonalData
from erbium_kernel.ports import Store
from erbium_kernel.runtime import Runtime
from erbium_kernel.vault import Secrets, Vault

NIGHT = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class BedTaken:
    """A patient lies in the bed."""

    patient_id: UUID
    name: PersonalData | None
    room_id: UUID
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BedLeft:
    """The bed is empty again."""

    patient_id: UUID
    room_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class BedCarriedForward:
    """Who lies in the bed, where the nights before it are no longer looked at."""

    patient_id: UUID
    taken: BedTaken | None


EVENTS = EventTable(
    {
        "bed-taken": Stored(record=BedTaken),
        "bed-left": Stored(record=BedLeft),
        "bed-carried-forward": Stored(record=BedCarriedForward),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBed:
    """Put a patient into the bed."""

    patient_id: UUID
    room_id: UUID
    at: datetime
    name: PersonalData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveBed:
    """Empty the bed."""


class BedIsTaken(Rejected):
    """Somebody else lies in this bed."""

    slug = "ward.bed-is-taken"


class RoomIsTaken(Rejected):
    """The room is promised to somebody else at that time."""

    slug = "ward.room-is-taken"


def decide(command: TakeBed | LeaveBed, state: BedTaken | None) -> Sequence[Any]:
    """Done, refused, or nothing to do."""
    match command:
        case TakeBed() if state is None:
            return [BedTaken(patient_id=command.patient_id, name=command.name, room_id=command.room_id, starts_at=command.at)]
        case TakeBed():
            if state is not None and state.patient_id != command.patient_id:
                raise BedIsTaken(bed_since=state.starts_at.isoformat())
            return []
        case LeaveBed():
            return [] if state is None else [BedLeft(patient_id=state.patient_id, room_id=state.room_id)]


def evolve(_: BedTaken | None, event: Any) -> BedTaken | None:
    """The patient in the bed, if any."""
    if isinstance(event, BedCarriedForward):
        return event.taken
    return event if isinstance(event, BedTaken) else None


def guards(event: Any) -> Sequence[Guard]:
    """The room belongs to one patient a night."""
    if isinstance(event, BedTaken):
        return [Claim(resource=event.room_id, starts_at=event.starts_at, ends_at=event.starts_at + NIGHT, holder=event.patient_id)]
    if isinstance(event, BedCarriedForward):
        return []
    return [Release(resource=event.room_id, holder=event.patient_id)]


def timers(event: Any) -> Sequence[TimerChange]:
    """Wake the patient after a night."""
    key = f"wake-{event.patient_id}"
    if isinstance(event, BedTaken):
        return [SetTimer(key=key, type="wake", due_at=event.starts_at + NIGHT, ref=event.patient_id)]
    if isinstance(event, BedCarriedForward):
        return []
    return [CancelTimer(key=key)]


def by_patient(event: Any, _: UUID) -> UUID:
    """Facts about one patient stay in order."""
    patient_id: UUID = event.patient_id
    return patient_id


BED = Decider(
    category="bed",
    events=EVENTS,
    initial=None,
    decide=decide,
    evolve=evolve,
    guards=guards,
    timers=timers,
    ordering=by_patient,
    guard_refusal=lambda room: RoomIsTaken(room_id=room),
)


class WardClock:
    """Stands still until moved; machine and domain time apart if wanted."""

    def __init__(self) -> None:
        """A Tuesday evening."""
        self.at = datetime(2026, 3, 3, 20, tzinfo=UTC)

    def now(self) -> datetime:
        """Domain time."""
        return self.at

    def machine(self) -> datetime:
        """Machine time."""
        return self.at


class WardIds:
    """Seeded ids."""

    def __init__(self, clock: WardClock, seed: int = 1) -> None:
        """The same seed, the same ids."""
        self._clock, self._random = clock, random.Random(seed)

    def new(self) -> UUID:
        """A UUIDv7 of the ward's time."""
        return uuid7(self._clock.machine(), self._random.randbytes(10))

    def token(self, n: int) -> bytes:
        """Repeatable bytes."""
        return self._random.randbytes(n)


SECRETS = Secrets(masters={"00000001": b"m" * 32}, current="00000001", fingerprint=b"f" * 32)


def publishes(_: Envelope, event: Any) -> list[Message]:
    """Others hear that a bed was taken, and nothing else."""
    return [Message("bed-taken", 1, event)] if isinstance(event, BedTaken) else []


def ward(store: Store, clock: WardClock, *, owns_keys: bool = True, seed: int = 1) -> Runtime:
    """The runtime of the ward on this store."""
    ids = WardIds(clock, seed)
    vault = Vault(store, SECRETS, clock=clock, ids=ids, owns_keys=owns_keys)
    codec = Codec([EVENTS], EventTable())
    return Runtime(service="ward", store=store, clock=clock, ids=ids, codec=codec, vault=vault, publishes=publishes)


def cause(runtime: Runtime) -> Cause:
    """A nurse acts."""
    return Cause(actor=Actor(kind="staff", id="nurse-17"), command_id=runtime.ids.new(), correlation_id=runtime.ids.new())
