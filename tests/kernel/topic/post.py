"""Two small services for relay and intake: a ward that tells, a kitchen that hears; each on a memory store."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from erbium_kernel.clock import uuid7
from erbium_kernel.codec import Codec
from erbium_kernel.event import Actor, Envelope, EventTable, Message, Stored
from erbium_kernel.intake import Intake
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log_records import Append, Key, NewEvent, Row
from erbium_kernel.progress import Progress
from erbium_kernel.relay import SUBSCRIBER, Relay
from erbium_kernel.runtime import Runtime
from erbium_kernel.topic_port import Outlet

CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")
TOPIC, KEYS = "erbium.ward.v1", "erbium.ward.keys.v1"
STEPS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A patient said a number."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Whispered:
    """Nobody outside hears this."""

    number: int


class Mute(RuntimeError):
    """A bug of ours in published.py."""


EVENTS = EventTable({"said": Stored(record=Said), "whispered": Stored(record=Whispered)})


class HandClock:
    """Stands still until moved."""

    def __init__(self) -> None:
        """A Tuesday evening."""
        self.at = datetime(2026, 3, 3, 20, tzinfo=UTC)

    def now(self) -> datetime:
        """Domain time."""
        return self.at

    def machine(self) -> datetime:
        """Machine time."""
        return self.at

    def go_on(self, seconds: float) -> None:
        """Later."""
        self.at += timedelta(seconds=seconds)


class SeededIds:
    """The same seed, the same ids."""

    def __init__(self, clock: HandClock, seed: int = 1) -> None:
        """Its own random numbers."""
        self._clock, self._random = clock, random.Random(seed)

    def new(self) -> UUID:
        """A UUIDv7."""
        return uuid7(self._clock.machine(), self._random.randbytes(10))

    def token(self, n: int) -> bytes:
        """Repeatable bytes."""
        return self._random.randbytes(n)


def patient(name: str) -> UUID:
    """A patient's id; the same name, the same patient."""
    return uuid5(CHAIN, name)


class Ward:
    """The sending service. Numbers in `mute` cannot be published, by a bug of ours."""

    def __init__(self, outlet: Outlet, *, heartbeat: bool = False, topic: str = TOPIC, keys_topic: str | None = KEYS) -> None:
        """An empty log."""
        self.mute: set[int] = set()
        self.clock = HandClock()
        self.paused: dict[str, Exception] = {}
        self.store = MemoryStore(clock=self.clock, pause=self._pause)
        self.runtime = a_runtime("ward", self.store, self.clock, self._publishes)
        self._outlet, self._topics, self._heartbeat = outlet, (topic, keys_topic), heartbeat
        self.relay = self.new_relay()

    def new_relay(self) -> Relay:
        """As after a crash: nothing in memory."""
        topic, keys_topic = self._topics
        return Relay(self.runtime, self._outlet, topic, self._heartbeat, keys_topic)

    async def says(self, name: str, number: int, record: type = Said) -> UUID:
        """One event of the patient; returns its id."""
        patient_id, event_id = patient(name), self.runtime.ids.new()
        stream = f"voice-{patient_id}"
        event = NewEvent(
            event_id=event_id,
            type="said" if record is Said else "whispered",
            schema_version=1,
            ordering_id=patient_id,
            clinic_id=patient("clinic"),
            subject_id=patient_id,
            data=json.dumps({"number": number}).encode(),
        )
        work = Append(
            chain_id=CHAIN,
            stream=stream,
            expected=len((await self.store.load(CHAIN, stream)).rows),
            events=(event,),
            occurred_at=self.clock.now(),
            actor=Actor(kind="staff", id="nurse-17"),
            command_id=self.runtime.ids.new(),
            correlation_id=self.runtime.ids.new(),
            causation_id=None,
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        await self.store.append(work)
        return event_id

    async def key(self, name: str, wrapped: bytes = b"wrapped") -> None:
        """The patient gets a key that travels."""
        key = Key(chain_id=CHAIN, subject_id=patient(name), wrapped=wrapped, erased=False, shared=True)
        await self.store.ensure_key(key)

    async def step(self) -> Progress:
        """One step of the relay under a lease of its own."""
        async with self.store.lease(SUBSCRIBER) as lease:
            assert lease is not None
            return await self.relay.step(lease)

    async def relayed(self) -> Progress:
        """Steps until there is nothing to do or something is in the way."""
        async with self.store.lease(SUBSCRIBER) as lease:
            assert lease is not None
            for _ in range(STEPS_MAX):
                progress = await self.relay.step(lease)
                if progress.kind != "worked":
                    return progress
        raise AssertionError("the relay did not come to rest")

    def _publishes(self, envelope: Envelope, event: Any) -> Sequence[Message]:
        if isinstance(event, Whispered):
            return []
        if event.number in self.mute:
            raise Mute("a secret name")
        return [Message("said", 1, event)]

    async def _pause(self, where: str) -> None:
        if where in self.paused:
            raise self.paused.pop(where)


class Kitchen:
    """The hearing service."""

    def __init__(self) -> None:
        """An empty log."""
        self.clock = HandClock()
        self.paused: dict[str, list[Exception]] = {}
        self.store = MemoryStore(clock=self.clock, pause=self._pause)
        self.runtime = a_runtime("kitchen", self.store, self.clock, lambda _, __: [])

    async def taken_in(self, intake: Intake) -> Progress:
        """Steps until nothing comes any more or something is in the way."""
        for _ in range(STEPS_MAX):
            progress = await intake.step()
            if progress.kind != "worked":
                return progress
        raise AssertionError("the intake did not come to rest")

    async def rows(self) -> Sequence[Row]:
        """The whole log."""
        async with self.store.lease("suite.reader") as lease:
            assert lease is not None
            return await lease.read(await lease.checkpoint(), 10_000)

    async def numbers(self, name: str) -> list[int]:
        """What was heard of a patient, in the order of the log."""
        ours = [row for row in await self.rows() if row.envelope.ordering_id == patient(name)]
        return [json.loads(row.raw or b"")["number"] for row in ours]

    async def _pause(self, where: str) -> None:
        if self.paused.get(where):
            raise self.paused[where].pop(0)


def a_runtime(service: str, store: MemoryStore, clock: HandClock, publishes: Any) -> Runtime:
    """What relay and intake use of a runtime; no vault, since neither opens anything."""
    no_vault: Any = None
    codec = Codec([EVENTS], EventTable())
    return Runtime(service=service, store=store, clock=clock, ids=SeededIds(clock), codec=codec, vault=no_vault, publishes=publishes)
