"""Telemetry with its door open, frames on a topic in memory."""

import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text

from device_telemetry.frames.codec import Frame
from device_telemetry.frames.consumer import FramesConsumer
from device_telemetry.frames.sending import FramesTopic
from device_telemetry.frames.settling import LookingAgain, Settling
from device_telemetry.http import devices, reports, treatments
from device_telemetry.http.frames import frames_routes
from device_telemetry.projections.frame_store import PostgresFrameStore
from device_telemetry.rulebook import RULES
from device_telemetry.wiring import SERVICE
from erbium.provision import ServiceUrls
from erbium_kernel.follow import Effect
from erbium_kernel.topic.memory import MemoryBroker
from tests.device_telemetry.making import ATTESTED, CHECK_IN, FACE, GRANT, NOW, TODAY, body
from tests.house import STEPS_MAX, House

NDJSON = "application/x-ndjson"


@dataclass
class Room(House):
    """One chain's telemetry: a laser, a patient, and everything around them."""

    broker: MemoryBroker = field(kw_only=True)
    topic: str = field(kw_only=True)  # of the frames
    consumer: FramesConsumer = field(init=False)
    settling: Settling = field(init=False)
    patient: UUID = field(default_factory=uuid4)
    clinic: UUID = field(default_factory=uuid4)
    laser: UUID = field(default_factory=uuid4)
    clearance: UUID = field(default_factory=uuid4)
    visit: UUID = field(default_factory=uuid4)
    treatment: UUID = field(default_factory=uuid4)
    boot: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        """The roles that work on frames."""
        inlet, store = self.broker.inlet("frames", [self.topic]), PostgresFrameStore(self.engines["frames"])
        self.consumer = FramesConsumer(self.runtime, store, inlet, lambda: None, topic=self.topic, wait_seconds=0)
        self.settling = Settling(self.runtime, store, RULES, topic=self.topic)

    @classmethod
    @asynccontextmanager
    async def with_frames(cls, urls: ServiceUrls, chain: UUID) -> AsyncIterator["Room"]:
        """Opens everything, the door to a frames topic of its own too; closes everything."""
        topic = f"frames.t{secrets.token_hex(6)}"
        broker = MemoryBroker({topic: 3})
        routes = (devices.routes, treatments.routes, frames_routes(FramesTopic(broker.outlet(), topic=topic)), reports.routes)
        async with cls.on(replace(SERVICE, routes=routes), urls, chain, at=NOW, broker=broker, topic=topic) as room:
            async with room.engines["work"].begin() as conn:  # an earlier test of the module may have ended in a later year
                await conn.execute(text("DELETE FROM heartbeats"))
            yield room

    # --- what others say

    async def beat(self) -> None:
        """Screening gives a sign of life."""
        await self.take_in("screening")

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
        await self.hear("erbium.screening.clearance-granted", **self._of(GRANT, **changed))

    async def screening_says(self, what: str) -> None:
        """Suspended, reinstated, revoked, expired."""
        await self.hear(f"erbium.screening.clearance-{what}", clearance_id=self.clearance, patient_id=self.patient)

    async def arrived(self, on: date = TODAY, *, changes: bool = False) -> None:
        """The patient is checked in and asked the question of the day."""
        await self.hear("erbium.scheduling.visit-checked-in", **self._of(CHECK_IN, on=on))
        await self.hear("erbium.scheduling.day-of-treatment-attested", **self._of(ATTESTED, on=on, changes=changes))

    # --- roles

    def subscribers(self) -> list[Effect]:
        """As usual; after the reactions treatments are looked at again, and the last reaction hears what came of it."""
        looking_again = LookingAgain(self.settling)
        looking_again.aside_after_seconds = 0.0  # the clock of other tests on this database stands still
        usual, last = super().subscribers(), len(self.service.reactions)
        return [*usual[:last], looking_again, *usual[last - 1 :]]

    async def consume(self) -> None:
        """Every frame off the topic, then treatments are told."""
        for _ in range(STEPS_MAX):
            if (await self.consumer.step()).kind != "worked":
                break
        while (await self.settling.step()).kind == "worked":
            pass

    def later(self, **by: float) -> None:
        """The clock moves."""
        self.clock.at += timedelta(**by)

    # --- the door

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
