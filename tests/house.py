"""A whole service on a real database with its door open: messages come in, roles run when the test says so, HTTP answers.

Races need no database: `runtime_of` a memory store that lets `others_first`, and `race`.
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from erbium import provision
from erbium.provision import ServiceUrls
from erbium_kernel.codec import Codec
from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.errors import Rejected
from erbium_kernel.event import Actor, Cursor
from erbium_kernel.execute import execute
from erbium_kernel.fire import Timers
from erbium_kernel.follow import Effect, Follower
from erbium_kernel.http.app import create_app
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.log_records import Heard, Slice
from erbium_kernel.migrating import migrate
from erbium_kernel.ports import Store
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


def runtime_of(service: Service, store: Store, clock: WardClock, *, seed: int = 1) -> Runtime:
    """What the service runs on over this store."""
    ids = WardIds(clock, seed)
    return Runtime(
        service=service.name, store=store, clock=clock, ids=ids,
        codec=Codec([decider.events for decider in service.deciders], service.heard),
        vault=Vault(store, SECRETS, clock=clock, ids=ids, owns_keys=service.owns_keys), publishes=service.publishes,
    )  # fmt: skip


async def others_first(_: str) -> None:
    """The memory store's pause: at every point where a database would let others in, everybody else runs first."""
    await asyncio.sleep(0)


async def race(runners: Sequence[Any]) -> list[str]:
    """All at once; per runner `done` or the refusal's slug, in the order given. Any exception but a refusal is an error of ours."""
    outcomes = await asyncio.gather(*runners, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Rejected):
            raise outcome
    return [outcome.slug if isinstance(outcome, Rejected) else "done" for outcome in outcomes]


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
    """One chain in one service. A service with more around it has a subclass; what that needs beside is given to `on`."""

    service: Service
    chain: UUID
    store: PostgresStore
    runtime: Runtime
    engines: dict[str, AsyncEngine]  # by the role that they connect as
    clock: WardClock
    bearers: Bearers
    app: FastAPI
    client: httpx.AsyncClient

    @classmethod
    @asynccontextmanager
    async def on(cls, service: Service, urls: ServiceUrls, chain: UUID, *, at: datetime = A_MORNING, **more: Any) -> AsyncIterator[Self]:
        """Opens everything, closes everything."""
        clock = WardClock()
        clock.at = at
        async with contextlib.AsyncExitStack() as stack:
            opened = await PostgresStore.open(service=service.package, api_url=urls.api, work_url=urls.work, clock=clock)
            store = await stack.enter_async_context(opened)
            engines = {role: create_async_engine(sqlalchemy_url(url)) for role, url in asdict(urls).items() if url is not None}
            for engine in engines.values():
                stack.push_async_callback(engine.dispose)
            runtime = runtime_of(service, store, clock, seed=secrets.randbits(64))
            bearers = Bearers(clock)
            app = create_app(service, runtime, engines["api"], bearers.verifier)
            transport = httpx.ASGITransport(app=app)
            client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://service.test"))
            yield cls(service, chain, store, runtime, engines, clock, bearers, app, client, **more)

    # --- what others say

    async def hear(self, name: str, /, **data: Any) -> UUID:
        """A message `erbium.<service>.<fact>` arrives, as intake would store it; the subscribers have not seen it yet."""
        key = next(data[key] for key in ("patient_id", "device_id", "clinic_id") if key in data)
        message = Heard(
            chain_id=self.chain, ordering_id=UUID(str(key)), event_id=uuid4(), type=name,
            schema_version=1, origin=name.split(".")[1], clinic_id=None, subject_id=None, occurred_at=self.clock.now(),
            correlation_id=uuid4(), causation_id=None, actor=Actor(kind="staff", id="doctor-1"), traceparent=None,
            raw=json.dumps(data, default=str).encode(), headers=(),
        )  # fmt: skip
        await self.take_in(message.origin, message)
        return message.event_id

    async def take_in(self, origin: str, *heard: Heard) -> None:
        """The next slice of a service's topic, empty or not; screening gives a sign of life with each."""
        topic = f"erbium.{origin}.v1"
        at = (await self.store.positions(topic)).get(0, 0)
        beat = self.clock.machine() if origin == "screening" else None
        await self.store.take_in(Slice(topic=topic, partition=0, expected=at, next=at + 1, heard=heard, heartbeat_at=beat))

    # --- roles

    async def settled(self) -> None:
        """Waits until a reader may reach all that is committed: somebody else's open transaction holds readers back."""
        async with asyncio.timeout(SETTLED_SECONDS_MAX), self.engines["work"].connect() as connection:
            last = (await connection.execute(NEWEST)).one_or_none()
            await connection.rollback()
            while last is not None and await self.store.end() < Cursor(*last):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.01)

    def subscribers(self) -> list[Effect]:
        """Every reaction, then every projection, then the erasure."""
        reactions = [Reacting(self.runtime, reaction) for reaction in self.service.reactions]
        projections = [Projecting(self.runtime.codec, each, self.engines["work"]) for each in self.service.projections]
        return [*reactions, *projections, Erasing(self.runtime, self.service.erasure, frozenset(self.service.erased_by))]

    async def follow(self) -> None:
        """Every subscriber to the end of the log. Rows of no interest are passed at the second rest."""
        for effect in self.subscribers():
            await self.settled()
            async with self.store.lease(effect.name) as lease:
                assert lease is not None
                follower, rests = Follower(effect, lease, self.clock), 0
                for _ in range(STEPS_MAX):
                    rests += (await follower.step()).kind == "idle"
                    if rests == 2:
                        break
                waits_aside = await lease.parked_keys()
                assert all(waits_aside.values()), f"{effect.name} parked something"

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
