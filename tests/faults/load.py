"""Clients that never lose track: what was acknowledged is written down, what has an unknown outcome is asked again under the same key."""

import asyncio
import contextlib
import itertools
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import httpx

from bench.lasers import Laser, open_lasers, telemetry
from tests.faults.site import Site

CLIENTS: Final = 3
LASERS: Final = 1
OPENED_AT_ONCE: Final = 32
FRAMES: Final = 20  # of a batch
THINK_SECONDS: Final = 0.2  # between two commands of a client: the load is there to be interrupted, not to fill the machine
AGAIN_SECONDS: Final = (0.05, 0.25)
ANSWER_SECONDS_MAX: Final = 10.0
SETTLED_SECONDS_MAX: Final = 90.0  # until the last unknown outcome is known, after `stop`
DOUBLED_SHARE: Final = 0.1  # of acknowledged commands that are sent once more
REFUSED_FOR_NOW: Final = 503
EVERY_DAY: Final = [{"weekday": day, "opens": "08:00", "closes": "20:00"} for day in range(1, 8)]
MADRID: Final = "Europe/Madrid"


class Unexpected(AssertionError):
    """An answer that no fault excuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """One command that was answered with success. `entity`: what it is about, an id that the client has chosen."""

    service: str
    entity: uuid.UUID
    event_id: uuid.UUID
    message_id: uuid.UUID | None
    etag: str
    body: Any


@dataclass(slots=True)
class Written:
    """What the clients have written down. `slowest_refusal_s`: until a 503 came, seconds."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    frames: Counter[uuid.UUID] = field(default_factory=Counter)  # device -> frames in batches that were answered 202
    tries: int = 0
    unknown: int = 0  # no answer: the connection broke, or nothing came in time
    refused: int = 0  # 503
    repeated: int = 0  # acknowledged commands sent once more
    slowest_refusal_s: float = 0.0

    def counts(self) -> dict[str, int]:
        """For the figures."""
        return {
            "acknowledged": len(self.acknowledged), "frames": sum(self.frames.values()), "unknown_outcomes": self.unknown,
            "refused": self.refused, "repeated": self.repeated,
        }  # fmt: skip


_loads = itertools.count()


class Load:
    """Clients on a thread of their own while the block runs; at its end every outcome is known. Seeded."""

    def __init__(self, site: Site, *, clients: int = CLIENTS, lasers: int = LASERS, seed: int = 1) -> None:
        """`lasers` send frames; the clients register patients, clinics and lasers, which the other services hear of."""
        self._site, self._clients = site, clients
        self._seed = f"{seed}/{next(_loads)}"  # never the ids and keys of an earlier load: its commands would only be repeated
        self._pauses = random.Random(f"{self._seed}/pauses")  # apart, so that what is asked does not follow from how often
        self._lasers: list[Laser] = asyncio.run(_opened(site, lasers)) if lasers else []
        self._tokens = {role: site.token(role) for role in ("front_desk", "medical_director", "laser_safety_officer")}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self._failure: BaseException | None = None
        self.written = Written()

    def __enter__(self) -> Self:
        """Begins."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """No new command is begun; those under way are asked until their outcome is known. Raises: what a client met."""
        self._stop.set()
        self._thread.join(SETTLED_SECONDS_MAX + ANSWER_SECONDS_MAX)
        assert not self._thread.is_alive(), "some client never got its answer"
        if self._failure is not None and kind is None:
            raise self._failure

    def go_on(self, seconds: float) -> None:
        """Let it run so long. Raises: what a client met meanwhile."""
        time.sleep(seconds)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._all())
        except BaseException as failure:  # noqa: BLE001  # told by the thread that waits
            self._failure = failure

    async def _all(self) -> None:
        """Each with a connection of its own. Why not one pool: it looks at all connections for each request, and would be the limit."""
        async with contextlib.AsyncExitStack() as open_, asyncio.TaskGroup() as group:
            for n in range(self._clients):
                http = await open_.enter_async_context(_connection())
                group.create_task(self._client(http, random.Random(f"{self._seed}/{n}")))
            for laser in self._lasers:
                group.create_task(self._sends(await open_.enter_async_context(_connection()), laser))

    async def _client(self, http: httpx.AsyncClient, seeded: random.Random) -> None:
        talks: list[Callable[[httpx.AsyncClient, random.Random], Awaitable[None]]] = [self._patient, self._clinic, self._device]
        while not self._stop.is_set():
            await seeded.choice(talks)(http, seeded)
            await asyncio.sleep(seeded.uniform(0, 2 * THINK_SECONDS))

    async def _patient(self, http: httpx.AsyncClient, seeded: random.Random) -> None:
        patient_id = _id(seeded)
        body = {"patient_id": str(patient_id), "clinic_id": str(self._site.clinics[0]), "name": "Ada Sample", "birth_date": "1986-05-05"}
        await self._command(http, seeded, "screening", "/v1/patients", body, "front_desk", entity=patient_id)

    async def _clinic(self, http: httpx.AsyncClient, seeded: random.Random) -> None:
        clinic_id = _id(seeded)
        await self._command(http, seeded, "scheduling", "/v1/clinics", a_clinic(clinic_id), "medical_director", entity=clinic_id)

    async def _device(self, http: httpx.AsyncClient, seeded: random.Random) -> None:
        """Two commands, the second on the version of the first."""
        device_id = _id(seeded)
        body = {"device_id": str(device_id), "serial": device_id.hex[:12], "model": "ef-1550"}
        made = await self._command(http, seeded, "device_telemetry", "/v1/devices", body, "laser_safety_officer", entity=device_id)
        claim = {"clinic_id": str(self._site.clinics[0])}
        path = f"/v1/devices/{device_id}/claim"
        await self._command(http, seeded, "device_telemetry", path, claim, "laser_safety_officer", entity=device_id, if_match=made.etag)

    async def _command(
        self,
        http: httpx.AsyncClient,
        seeded: random.Random,
        service: str,
        path: str,
        body: Any,
        role: str,
        *,
        entity: uuid.UUID,
        if_match: str | None = None,
    ) -> Acknowledged:
        """Until it is acknowledged, under one key. Raises: Unexpected, also where a repetition is answered otherwise."""
        headers = {"Authorization": f"Bearer {self._tokens[role]}", "Idempotency-Key": str(_id(seeded))}
        if if_match is not None:
            headers["If-Match"] = if_match
        request = {"url": self._site.url(service) + path, "json": body, "headers": headers}
        first = _acknowledged(service, entity, await self._answer(http, request))
        self.written.acknowledged.append(first)
        if seeded.random() < DOUBLED_SHARE:
            again = await self._answer(http, request)
            self.written.repeated += 1
            if again.headers.get("idempotent-replayed") != "true" or _acknowledged(service, entity, again) != first:
                raise Unexpected(f"POST {service}{path}: a repetition was answered otherwise than the first time")
        return first

    async def _sends(self, http: httpx.AsyncClient, laser: Laser) -> None:
        headers = {"Authorization": f"Bearer {laser.token}", "Content-Type": "application/x-ndjson"}
        url = f"{self._site.url('device_telemetry')}/v1/devices/{laser.device_id}/frames"
        seeded = random.Random(f"{self._seed}/{laser.device_id}")
        while not self._stop.is_set():
            await self._answer(http, {"url": url, "content": laser.next_batch(), "headers": headers})
            self.written.frames[laser.device_id] += laser.frames
            await asyncio.sleep(seeded.uniform(0, 4 * THINK_SECONDS))

    async def _answer(self, http: httpx.AsyncClient, request: dict[str, Any]) -> httpx.Response:
        """As an integrator must: the same again after 503, and after no answer at all. Raises: Unexpected."""
        deadline: float | None = None
        while True:
            began = time.monotonic()
            self.written.tries += 1
            try:
                answer = await http.post(**request)
            except httpx.TransportError:
                self.written.unknown += 1
            else:
                if answer.is_success:
                    return answer
                if answer.status_code != REFUSED_FOR_NOW:
                    raise Unexpected(f"POST {request['url']}: {answer.status_code} {answer.text}")
                if int(answer.headers.get("retry-after", "0")) < 1:
                    raise Unexpected(f"POST {request['url']}: 503 without Retry-After")
                self.written.refused += 1
                self.written.slowest_refusal_s = max(self.written.slowest_refusal_s, time.monotonic() - began)
            if self._stop.is_set():
                deadline = deadline or time.monotonic() + SETTLED_SECONDS_MAX
                if time.monotonic() > deadline:
                    raise Unexpected(f"POST {request['url']}: no answer that counts {SETTLED_SECONDS_MAX} s after the end of the load")
            await asyncio.sleep(self._pauses.uniform(*AGAIN_SECONDS))


def _connection() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, trust_env=False, verify=False)  # http on this machine


def a_clinic(clinic_id: uuid.UUID) -> dict[str, Any]:
    """What registers a clinic that is open every day."""
    return {"clinic_id": str(clinic_id), "name": "Centro", "time_zone": MADRID, "opening_hours": EVERY_DAY}


def _acknowledged(service: str, entity: uuid.UUID, answer: httpx.Response) -> Acknowledged:
    message = answer.headers.get("erbium-message")
    return Acknowledged(
        service=service, entity=entity, event_id=uuid.UUID(answer.headers["erbium-event"]),
        message_id=uuid.UUID(message) if message else None, etag=answer.headers["etag"], body=answer.json(),
    )  # fmt: skip


def _id(seeded: random.Random) -> uuid.UUID:
    return uuid.UUID(int=seeded.getrandbits(128), version=4)


async def _opened(site: Site, count: int) -> list[Laser]:
    async with telemetry(site) as opened:  # type: ignore[arg-type]  # a site is all that it asks of its ground
        groups = [min(OPENED_AT_ONCE, count - first) for first in range(0, count, OPENED_AT_ONCE)]
        return [laser for size in groups for laser in await open_lasers(opened, site, size, frames=FRAMES)]  # type: ignore[arg-type]
