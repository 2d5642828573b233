"""Screening on a real database, with its door open: messages come in, subscribers run when the test says so, HTTP answers."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
import httpx
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

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
from erbium_kernel.reacting import Erasing, Reacting
from erbium_kernel.runtime import Runtime
from erbium_kernel.vault import Vault
from screening.http import examples
from screening.published import messages
from screening.wiring import SERVICE
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import SECRETS, WardClock, WardIds

STEPS_MAX = 500
SETTLED_SECONDS_MAX = 20.0
NEWEST = text("SELECT epoch, tx::text::bigint, position FROM log ORDER BY epoch DESC, tx DESC, position DESC LIMIT 1")
DOCTOR = UUID(examples.DOCTOR_ID)


@dataclass
class Reception:
    """One chain's screening."""

    chain: UUID
    store: PostgresStore
    runtime: Runtime
    engine: AsyncEngine
    api: AsyncEngine
    clock: WardClock
    bearers: Bearers
    app: FastAPI
    client: httpx.AsyncClient
    admin_url: str
    heard: dict[str, int] = field(default_factory=dict)
    topic: str = field(default_factory=lambda: f"erbium.t{secrets.token_hex(6)}.v1")
    etags: dict[str, str] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def on(cls, urls: ServiceUrls, chain: UUID, superuser_url: str) -> AsyncIterator["Reception"]:
        """Opens everything, closes everything."""
        clock = WardClock()
        clock.at = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
        async with contextlib.AsyncExitStack() as stack:
            opened = await PostgresStore.open(service="screening", api_url=urls.api, work_url=urls.work, clock=clock)
            store = await stack.enter_async_context(opened)
            work, api = (create_async_engine(sqlalchemy_url(url)) for url in (urls.work, urls.api))
            stack.push_async_callback(work.dispose)
            stack.push_async_callback(api.dispose)
            ids = WardIds(clock, secrets.randbits(64))
            runtime = Runtime(
                service="screening", store=store, clock=clock, ids=ids,
                codec=Codec([decider.events for decider in SERVICE.deciders], SERVICE.heard),
                vault=Vault(store, SECRETS, clock=clock, ids=ids, owns_keys=True), publishes=messages,
            )  # fmt: skip
            bearers = Bearers(clock)
            app = create_app(SERVICE, runtime, api, bearers.verifier)
            client = await stack.enter_async_context(
                httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://screening.test")
            )
            admin_url = urlunsplit(urlsplit(superuser_url)._replace(path=urlsplit(urls.owner).path))
            made = cls(chain, store, runtime, work, api, clock, bearers, app, client, admin_url)
            await made.hear("scheduling.clinic-registered", clinic_id=examples.CLINIC_ID, time_zone="Europe/Madrid")
            await made.follow()
            yield made

    async def hear(self, fact: str, **data: Any) -> UUID:
        """A message arrives, as intake would store it; the subscribers have not seen it yet."""
        event_id, offset = uuid4(), self.heard.get(self.topic, 0)
        message = Heard(
            chain_id=self.chain, ordering_id=UUID(data.get("patient_id") or data["clinic_id"]), event_id=event_id, type=f"erbium.{fact}",
            schema_version=1, origin=fact.split(".")[0], clinic_id=None, subject_id=None, occurred_at=self.clock.now(),
            correlation_id=uuid4(), causation_id=None, actor=Actor(kind="staff", id="nurse-1"), traceparent=None,
            raw=json.dumps(data).encode(), headers=(),
        )  # fmt: skip
        await self.store.take_in(Slice(topic=self.topic, partition=0, expected=offset, next=offset + 1, heard=(message,)))
        self.heard[self.topic] = offset + 1
        return event_id

    async def settled(self) -> None:
        """Waits until a reader may reach all that is committed: somebody else's open transaction holds readers back."""
        async with asyncio.timeout(SETTLED_SECONDS_MAX), self.engine.connect() as connection:
            last = (await connection.execute(NEWEST)).one_or_none()
            await connection.rollback()
            while last is not None and await self.store.end() < Cursor(*last):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.01)

    async def follow(self) -> None:
        """Every reaction, then every projection, then the erasure, to the end of the log."""
        await self._run([Reacting(self.runtime, reaction) for reaction in SERVICE.reactions])
        await self._run([Projecting(self.runtime.codec, projection, self.engine) for projection in SERVICE.projections])
        await self._run([Erasing(self.runtime, SERVICE.erasure, frozenset(SERVICE.erased_by))])

    async def _run(self, effects: list[Any]) -> None:
        await self.settled()
        for effect in effects:
            async with self.store.lease(effect.name) as lease:
                assert lease is not None
                follower = Follower(effect, lease, self.clock)
                for _ in range(STEPS_MAX):
                    if (await follower.step()).kind == "idle":
                        break
                assert not await lease.parked_keys(), f"{effect.name} parked something"

    async def fire(self) -> None:
        """Every timer that is due."""
        await Timers(self.runtime, SERVICE.timers).step()

    def headers(self, **token: Any) -> dict[str, str]:
        """Authorization by a fresh token of the doctor, unless told otherwise."""
        return {"Authorization": f"Bearer {self.bearers.token(self.chain, **({'subject': DOCTOR} | token))}"}

    async def post(self, path: str, body: Any, *, key: str | None = None, **token: Any) -> httpx.Response:
        """A command under a new key; a change of a patient with the ETag last seen."""
        patient = path.split("/")[2] if path.count("/") > 1 else ""
        if_match = {"If-Match": self.etags[patient]} if patient in self.etags else {}
        headers = {**self.headers(**token), "Idempotency-Key": key or str(uuid4()), **if_match}
        answer = await self.client.post(f"/v1{path}", json=body, headers=headers)
        if answer.is_success:
            self.etags[patient or answer.json()["patient_id"]] = answer.headers["etag"]
        return answer

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """A question."""
        return await self.client.get(f"/v1{path}", params=query, headers=self.headers())

    async def everything_stored(self) -> str:
        """All rows of all tables of this database, as a superuser's dump would show them."""
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        connection = await asyncpg.connect(self.admin_url, timeout=10)
        try:
            names = [row["table_name"] for row in await connection.fetch(tables)]
            assert {"log", "keys", "patients", "clearances"} <= set(names)
            return "\n".join([str([row[0] for row in await connection.fetch(f'SELECT t::text FROM "{name}" t')]) for name in names])
        finally:
            await connection.close()
