"""Telemetry on a real database, frames on a topic in memory: messages come in, roles run when the test says so, HTTP answers."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from device_telemetry import published
from device_telemetry.frames.codec import Frame
from device_telemetry.frames.consumer import FramesConsumer
from device_telemetry.frames.sending import FramesTopic
from device_telemetry.frames.settling import LookingAgain, Settling
from device_telemetry.http import devices, reports, treatments
from device_telemetry.http.frames import frames_routes
from device_telemetry.rulebook import RULES
from device_telemetry.wiring import SERVICE
from erbium.provision import ServiceUrls
from erbium_kernel.codec import Codec
from erbium_kernel.event import Actor, Cursor
from erbium_kernel.fire import Timers
from erbium_kernel.follow import Follower
from erbium_kernel.http.app import create_app
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.log_records import Heard, Slice
from erbium_kernel.migrating import sqlalchemy_url
from erbium_kernel.projecting import Projecting
from erbium_kernel.reacting import Reacting
from erbium_kernel.runtime import Runtime
from erbium_kernel.topic.memory import MemoryBroker
from erbium_kernel.vault import Vault
from tests.device_telemetry.making import ATTESTED, CHECK_IN, FACE, GRANT, NOW, TODAY, body
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import SECRETS, WardClock, WardIds

STEPS_MAX = 500
SETTLED_SECONDS_MAX = 20.0
NEWEST = text("SELECT epoch, tx::text::bigint, position FROM log ORDER BY epoch DESC, tx DESC, position DESC LIMIT 1")
NDJSON = "application/x-ndjson"


@dataclass
class Room:
    """One chain's telemetry: a laser, a patient, and everything around them."""

    chain: UUID
    store: PostgresStore
    runtime: Runtime
    engines: dict[str, AsyncEngine]
    clock: WardClock
    bearers: Bearers
    app: FastAPI
    client: httpx.AsyncClient
    broker: MemoryBroker
    topic: str
    consumer: FramesConsumer
    settling: Settling
    offsets: dict[str, int] = field(default_factory=dict)
    patient: UUID = field(default_factory=uuid4)
    clinic: UUID = field(default_factory=uuid4)
    laser: UUID = field(default_factory=uuid4)
    clearance: UUID = field(default_factory=uuid4)
    visit: UUID = field(default_factory=uuid4)
    treatment: UUID = field(default_factory=uuid4)
    boot: UUID = field(default_factory=uuid4)

    @classmethod
    @asynccontextmanager
    async def on(cls, urls: ServiceUrls, chain: UUID) -> AsyncIterator["Room"]:
        """Opens everything, closes everything."""
        clock = WardClock()
        clock.at = NOW
        topic = f"frames.t{secrets.token_hex(6)}"
        broker = MemoryBroker({topic: 3})
        async with contextlib.AsyncExitStack() as stack:
            opened = await PostgresStore.open(service="device_telemetry", api_url=urls.api, work_url=urls.work, clock=clock)
            store = await stack.enter_async_context(opened)
            assert urls.frames is not None
            addresses = {"work": urls.work, "api": urls.api, "frames": urls.frames, "owner": urls.owner}
            engines = {role: create_async_engine(sqlalchemy_url(url)) for role, url in addresses.items()}
            for engine in engines.values():
                stack.push_async_callback(engine.dispose)
            ids = WardIds(clock, secrets.randbits(64))
            runtime = Runtime(
                service="device-telemetry", store=store, clock=clock, ids=ids,
                codec=Codec([decider.events for decider in SERVICE.deciders], SERVICE.heard),
                vault=Vault(store, SECRETS, clock=clock, ids=ids, owns_keys=False), publishes=published.messages,
            )  # fmt: skip
            bearers = Bearers(clock)
            routes = (devices.routes, treatments.routes, frames_routes(FramesTopic(broker.outlet(), topic=topic)), reports.routes)
            app = create_app(replace(SERVICE, routes=routes), runtime, engines["api"], bearers.verifier)
            client = await stack.enter_async_context(
                httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://telemetry.test")
            )
            consumer = FramesConsumer(
                runtime, engines["frames"], broker.inlet("frames", [topic]), lambda: None, topic=topic, wait_seconds=0
            )
            settling = Settling(runtime, engines["frames"], RULES, topic=topic)
            yield cls(chain, store, runtime, engines, clock, bearers, app, client, broker, topic, consumer, settling)

    # --- what others say

    async def hear(self, service: str, fact: str, **data: Any) -> None:
        """A message arrives, as intake would store it; the subscribers have not seen it yet."""
        offset = self.offsets.get(service, 0)
        message = Heard(
            chain_id=self.chain, ordering_id=self.patient, event_id=uuid4(), type=f"erbium.{service}.{fact}", schema_version=1,
            origin=service, clinic_id=None, subject_id=None, occurred_at=self.clock.now(), correlation_id=uuid4(), causation_id=None,
            actor=Actor(kind="staff", id="doctor-1"), traceparent=None, raw=json.dumps(data, default=str).encode(), headers=(),
        )  # fmt: skip
        await self._take_in(service, offset, (message,))

    async def beat(self) -> None:
        """Screening gives a sign of life."""
        service = "screening"
        await self._take_in(service, self.offsets.get(service, 0), ())

    async def _take_in(self, service: str, offset: int, heard: tuple[Heard, ...]) -> None:
        topic = f"erbium.{service}.v1"
        positions = await self.store.positions(topic)
        expected = positions.get(0, 0)
        beat = self.clock.machine() if service == "screening" else None
        await self.store.take_in(Slice(topic=topic, partition=0, expected=expected, next=expected + 1, heard=heard, heartbeat_at=beat))
        self.offsets[service] = offset + 1

    def _of(self, command: Any, **changed: Any) -> dict[str, Any]:
        own = {"patient_id": self.patient, "clinic_id": self.clinic, "clearance_id": self.clearance, "visit_id": self.visit}
        fields = {name: getattr(command, name) for name in command.__slots__}
        if "device_id" in fields:
            own["device_id"] = self.laser
        found = {**fields, **{name: value for name, value in own.items() if name in fields}, **changed}
        if "limits" in found:
            found["limits"] = {name: getattr(found["limits"], name) for name in found["limits"].__slots__}
        return found

    async def cleared(self, **changed: Any) -> None:
        """Screening clears the patient."""
        await self.hear("screening", "clearance-granted", **self._of(GRANT, **changed))

    async def screening_says(self, what: str) -> None:
        """Suspended, reinstated, revoked, expired."""
        await self.hear("screening", f"clearance-{what}", clearance_id=self.clearance, patient_id=self.patient)

    async def arrived(self, on: date = TODAY, *, changes: bool = False) -> None:
        """The patient is checked in and asked the question of the day."""
        await self.hear("scheduling", "visit-checked-in", **self._of(CHECK_IN, on=on))
        await self.hear("scheduling", "day-of-treatment-attested", **self._of(ATTESTED, on=on, changes=changes))

    # --- roles

    async def follow(self) -> None:
        """Every reaction, then every projection, to the end of the log."""
        reactions = [Reacting(self.runtime, reaction) for reaction in SERVICE.reactions]
        projections = [Projecting(self.runtime.codec, projection, self.engines["work"]) for projection in SERVICE.projections]
        looking_again = LookingAgain(self.settling)
        looking_again.aside_after_seconds = 0.0  # the clock of other tests on this database stands still
        for effect in (*reactions, looking_again, reactions[-1], *projections):
            await self._follow(effect)

    async def _follow(self, effect: Any) -> None:
        await self.settled()
        async with self.store.lease(effect.name) as lease:
            assert lease is not None
            follower = Follower(effect, lease, self.clock)
            rests = 0
            while rests < 2:  # rows of no interest are passed at the second rest
                rests += (await follower.step()).kind != "worked"

    async def settled(self) -> None:
        """Waits until a reader may reach all that is committed: somebody else's open transaction holds readers back."""
        async with asyncio.timeout(SETTLED_SECONDS_MAX), self.engines["work"].connect() as connection:
            last = (await connection.execute(NEWEST)).one_or_none()
            await connection.rollback()
            while last is not None and await self.store.end() < Cursor(*last):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.01)

    async def consume(self) -> None:
        """Every frame off the topic, then treatments are told."""
        for _ in range(STEPS_MAX):
            if (await self.consumer.step()).kind != "worked":
                break
        while (await self.settling.step()).kind == "worked":
            pass

    async def fire(self) -> None:
        """Every timer that is due."""
        await Timers(self.runtime, SERVICE.timers).step()

    def later(self, **by: float) -> None:
        """The clock moves."""
        self.clock.at += timedelta(**by)

    # --- the door

    def headers(self, **token: Any) -> dict[str, str]:
        """Authorization by a fresh token."""
        return {"Authorization": f"Bearer {self.bearers.token(self.chain, **token)}"}

    async def post(
        self, path: str, json: Any = None, *, if_match: str | None = None, key: str | None = None, **token: Any
    ) -> httpx.Response:
        """A command, under a new key unless one is given."""
        extra = {"If-Match": if_match} if if_match else {}
        headers = {**self.headers(**token), "Idempotency-Key": key or str(uuid4()), **extra}
        return await self.client.post(f"/v1{path}", json=json, headers=headers)

    async def get(self, path: str, accept: str = "*/*", **query: Any) -> httpx.Response:
        """A question."""
        return await self.client.get(f"/v1{path}", params=query, headers={**self.headers(), "Accept": accept})

    async def change(self, path: str, json: Any = None, **token: Any) -> httpx.Response:
        """A command on the treatment, with the ETag read a moment before."""
        tag = (await self.get(f"/treatments/{self.treatment}")).headers.get("etag")
        return await self.post(f"/treatments/{self.treatment}{path}", json, if_match=tag, **token)

    async def send(
        self, frames: Iterable[Frame], *, raw: bytes | None = None, encoding: str | None = None, **header: Any
    ) -> httpx.Response:
        """A batch of the laser."""
        usual = {"treatment_id": self.treatment, "device_id": self.laser, "boot_id": self.boot}
        content = raw if raw is not None else body(list(frames), **{**usual, **header})
        headers = {**self.headers(roles=["device"], subject=self.laser), "Content-Type": NDJSON}
        if encoding:
            headers["Content-Encoding"] = encoding
        return await self.client.post(f"/v1/devices/{self.laser}/frames", content=content, headers=headers)

    # --- the usual way

    async def equipped(self) -> None:
        """A laser of the clinic."""
        serial = f"EF-{self.laser.hex[:12]}"
        made = await self.post("/devices", {"device_id": str(self.laser), "serial": serial, "model": "ef-1550"})
        assert made.status_code == 201, made.text
        claimed = await self.post(f"/devices/{self.laser}/claim", {"clinic_id": str(self.clinic)}, if_match=made.headers["etag"])
        assert claimed.status_code == 200, claimed.text

    async def ready(self) -> None:
        """Laser, clearance, visit: everything for a treatment."""
        await self.equipped()
        await self.cleared()
        await self.arrived()
        await self.follow()
        await self.beat()
        await self.follow()

    async def open(self, *, planned_mtz: int = FACE.planned_mtz, attest: bool = False, **token: Any) -> httpx.Response:
        """Open the treatment."""
        asked = {
            "treatment_id": str(self.treatment), "clearance_id": str(self.clearance), "visit_id": str(self.visit),
            "device_id": str(self.laser), "attest_stale_screening": attest,
            "zones": [{"zone": "face", "area_cm2": 300.0, "planned_mtz": planned_mtz, "energy_mj_per_mtz": 40.0}],
        }  # fmt: skip
        return await self.post("/treatments", asked, **token)

    async def opened(self, **asked: Any) -> None:
        """Everything ready, and the treatment open on its own stream."""
        await self.ready()
        answer = await self.open(**asked)
        assert answer.status_code == 201, answer.text
        await self.follow()

    async def treatment_now(self) -> dict[str, Any]:
        """The treatment as GET shows it."""
        answer = await self.get(f"/treatments/{self.treatment}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found
