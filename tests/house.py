"""A whole service on a real database with its door open: messages come in, roles run when the test says so, HTTP answers."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from erbium import provision
from erbium.provision import ServiceUrls
from erbium_kernel.codec import Codec
from erbium_kernel.event import Actor, Cursor
from erbium_kernel.execute import execute
from erbium_kernel.fire import Timers
from erbium_kernel.follow import Follower
from erbium_kernel.http.app import create_app
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.migrating import migrate, sqlalchemy_url
from erbium_kernel.ports import Heard, Slice
from erbium_kernel.projecting import Projecting
from erbium_kernel.reacting import Erasing, Reacting
from erbium_kernel.runtime import Runtime
from erbium_kernel.service import Service
from erbium_kernel.vault import Vault
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import SECRETS, WardClock, WardIds, cause

STEPS_MAX = 500
SETTLED_SECONDS_MAX = 20.0
A_MORNING = datetime(2026, 3, 4, 9, 45, tzinfo=UTC)
NEWEST = text("SELECT epoch, tx::text::bigint, position FROM log ORDER BY epoch DESC, tx DESC, position DESC LIMIT 1")


@asynccontextmanager
async def migrated(service: Service, postgres_url: str, state: Path) -> AsyncIterator[ServiceUrls]:
    """A database of the service's own, from empty to head, gone afterwards. Each test is a chain of its own in it."""
    suffix = f"t{secrets.token_hex(4)}"
    try:
        urls = (await provision.provision(postgres_url, state, suffix=suffix))[service.package]
        await migrate(urls.owner, service.name)
        yield urls
    finally:
        await provision.drop(postgres_url, suffix=suffix)


@dataclass
class House:
    """One chain in one service."""

    service: Service
    chain: UUID
    store: PostgresStore
    runtime: Runtime
    engine: AsyncEngine
    clock: WardClock
    bearers: Bearers
    app: FastAPI
    client: httpx.AsyncClient
    topic: str = field(default_factory=lambda: f"erbium.t{secrets.token_hex(6)}.v1")
    offset: int = 0

    @classmethod
    @asynccontextmanager
    async def on(cls, service: Service, urls: ServiceUrls, chain: UUID, *, at: datetime = A_MORNING) -> AsyncIterator["House"]:
        """Opens everything, closes everything."""
        clock = WardClock()
        clock.at = at
        async with contextlib.AsyncExitStack() as stack:
            opened = await PostgresStore.open(service=service.name, api_url=urls.api, work_url=urls.work, clock=clock)
            store = await stack.enter_async_context(opened)
            work, api = (create_async_engine(sqlalchemy_url(url)) for url in (urls.work, urls.api))
            stack.push_async_callback(work.dispose)
            stack.push_async_callback(api.dispose)
            ids = WardIds(clock, secrets.randbits(64))
            vault = Vault(store, SECRETS, clock=clock, ids=ids, owns_keys=service.owns_keys)
            codec = Codec([decider.events for decider in service.deciders], service.heard)
            runtime = Runtime(
                service=service.name, store=store, clock=clock, ids=ids, codec=codec, vault=vault, publishes=service.publishes
            )  # fmt: skip
            bearers = Bearers(clock)
            app = create_app(service, runtime, api, bearers.verifier)
            transport = httpx.ASGITransport(app=app)
            client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://service.test"))
            yield cls(service, chain, store, runtime, work, clock, bearers, app, client)

    # --- what others say

    async def hear(self, name: str, /, **data: Any) -> UUID:
        """A message `erbium.<service>.<fact>` arrives, as intake would store it; the subscribers have not seen it yet."""
        message = Heard(
            chain_id=self.chain, ordering_id=UUID(data.get("patient_id") or data["device_id"]), event_id=uuid4(), type=name,
            schema_version=1, origin=name.split(".")[1], clinic_id=None, subject_id=None, occurred_at=self.clock.now(),
            correlation_id=uuid4(), causation_id=None, actor=Actor(kind="staff", id="doctor-1"), traceparent=None,
            raw=json.dumps(data).encode(), headers=(),
        )  # fmt: skip
        part = Slice(topic=self.topic, partition=0, expected=self.offset, next=self.offset + 1, heard=(message,))
        await self.store.take_in(part)
        self.offset += 1
        return message.event_id

    # --- roles

    async def settled(self) -> None:
        """Waits until a reader may reach all that is committed: somebody else's open transaction holds readers back."""
        async with asyncio.timeout(SETTLED_SECONDS_MAX), self.engine.connect() as connection:
            last = (await connection.execute(NEWEST)).one_or_none()
            await connection.rollback()
            while last is not None and await self.store.end() < Cursor(*last):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.01)

    async def follow(self) -> None:
        """Every reaction and the erasure, then every projection, to the end of the log."""
        erasing = [Erasing(self.runtime, self.service.erasure, frozenset(self.service.erased_by))]
        await self._run([*erasing, *(Reacting(self.runtime, reaction) for reaction in self.service.reactions)])
        await self._run([Projecting(self.runtime.codec, projection, self.engine) for projection in self.service.projections])

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
        await Timers(self.runtime, self.service.timers).step()

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
