"""Scheduling on a real database, with its door open: messages come in, subscribers run when the test says so, HTTP answers."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from erbium.provision import ServiceUrls
from erbium_kernel.codec import Codec
from erbium_kernel.event import Actor, Cursor
from erbium_kernel.execute import execute
from erbium_kernel.fire import Timers
from erbium_kernel.follow import Follower
from erbium_kernel.http.app import create_app
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.log_records import Heard, Slice
from erbium_kernel.migrating import sqlalchemy_url
from erbium_kernel.projecting import Projecting
from erbium_kernel.reacting import Reacting
from erbium_kernel.runtime import Runtime
from erbium_kernel.vault import Vault
from scheduling import published
from scheduling.wiring import SERVICE
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import SECRETS, WardClock, WardIds, cause

STEPS_MAX = 500
SETTLED_SECONDS_MAX = 20.0
NEWEST = text("SELECT epoch, tx::text::bigint, position FROM log ORDER BY epoch DESC, tx DESC, position DESC LIMIT 1")


@dataclass
class House:
    """One chain's scheduling."""

    chain: UUID
    store: PostgresStore
    runtime: Runtime
    engine: AsyncEngine
    clock: WardClock
    bearers: Bearers
    app: FastAPI
    client: httpx.AsyncClient
    heard: dict[str, int] = field(default_factory=dict)
    topic: str = field(default_factory=lambda: f"erbium.t{secrets.token_hex(6)}.v1")

    @classmethod
    @asynccontextmanager
    async def on(cls, urls: ServiceUrls, chain: UUID) -> AsyncIterator["House"]:
        """Opens everything, closes everything."""
        clock = WardClock()
        clock.at = datetime(2026, 3, 4, 9, 45, tzinfo=UTC)
        async with contextlib.AsyncExitStack() as stack:
            opened = await PostgresStore.open(service="scheduling", api_url=urls.api, work_url=urls.work, clock=clock)
            store = await stack.enter_async_context(opened)
            work, api = (create_async_engine(sqlalchemy_url(url)) for url in (urls.work, urls.api))
            stack.push_async_callback(work.dispose)
            stack.push_async_callback(api.dispose)
            ids = WardIds(clock, secrets.randbits(64))
            runtime = Runtime(
                service="scheduling", store=store, clock=clock, ids=ids,
                codec=Codec([decider.events for decider in SERVICE.deciders], SERVICE.heard),
                vault=Vault(store, SECRETS, clock=clock, ids=ids, owns_keys=False), publishes=published.messages,
            )  # fmt: skip
            bearers = Bearers(clock)
            app = create_app(SERVICE, runtime, api, bearers.verifier)
            client = await stack.enter_async_context(
                httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://scheduling.test")
            )
            yield cls(chain, store, runtime, work, clock, bearers, app, client)

    # --- what others say

    async def hear(self, fact: str, **data: Any) -> UUID:
        """A message arrives, as intake would store it; the subscribers have not seen it yet."""
        name = fact if fact.startswith("erbium.") else f"erbium.screening.{fact}"
        event_id, offset = uuid4(), self.heard.get(self.topic, 0)
        message = Heard(
            chain_id=self.chain, ordering_id=UUID(data.get("patient_id") or data["device_id"]), event_id=event_id, type=name,
            schema_version=1, origin=name.split(".")[1], clinic_id=None, subject_id=None, occurred_at=self.clock.now(),
            correlation_id=uuid4(), causation_id=None, actor=Actor(kind="staff", id="doctor-1"), traceparent=None,
            raw=json.dumps(data).encode(), headers=(),
        )  # fmt: skip
        await self.store.take_in(Slice(topic=self.topic, partition=0, expected=offset, next=offset + 1, heard=(message,)))
        self.heard[self.topic] = offset + 1
        return event_id

    # --- roles

    async def settled(self) -> None:
        """Waits until a reader may reach all that is committed: somebody else's open transaction holds readers back."""
        async with asyncio.timeout(SETTLED_SECONDS_MAX), self.engine.connect() as connection:
            last = (await connection.execute(NEWEST)).one_or_none()
            await connection.rollback()
            while last is not None and await self.store.end() < Cursor(*last):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.01)

    async def follow(self) -> None:
        """Every reaction, then every projection, to the end of the log."""
        await self._run([Reacting(self.runtime, reaction) for reaction in SERVICE.reactions])
        await self._run([Projecting(self.runtime.codec, projection, self.engine) for projection in SERVICE.projections])

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

    async def do(self, decider: Any, stream_id: UUID, *commands: Any) -> None:
        """Commands past the door. Raises: Rejected."""
        for command in commands:
            await execute(self.runtime, self.chain, decider, stream_id, command, cause=cause(self.runtime))

    # --- the door

    def headers(self, **token: Any) -> dict[str, str]:
        """Authorization by a fresh token."""
        return {"Authorization": f"Bearer {self.bearers.token(self.chain, **token)}"}

    async def post(
        self, path: str, body: Any = None, *, if_match: str | None = None, key: str | None = None, **token: Any
    ) -> httpx.Response:
        """A command, under a new key unless one is given."""
        extra = {"If-Match": if_match} if if_match else {}
        headers = {**self.headers(**token), "Idempotency-Key": key or str(uuid4()), **extra}
        return await self.client.post(f"/v1{path}", json=body, headers=headers)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """A question."""
        return await self.client.get(f"/v1{path}", params=query, headers=self.headers())
