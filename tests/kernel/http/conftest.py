"""A ward with a door, on a memory store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from erbium_kernel.http.app import create_app
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.runtime import Runtime
from tests.kernel.http.ward_app import ODD_WARD
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import WardClock, ward

CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")
OTHER_CHAIN = UUID("00000000-0000-7000-8000-00000000c4a2")


@dataclass
class Door:
    """A client in front of the ward, with a token of CHAIN that may do everything."""

    app: FastAPI
    runtime: Runtime
    bearers: Bearers
    clock: WardClock
    client: httpx.AsyncClient

    def headers(self, chain: UUID = CHAIN, **token: Any) -> dict[str, str]:
        """Authorization by a fresh token."""
        return {"Authorization": f"Bearer {self.bearers.token(chain, **token)}"}

    async def command(
        self, path: str, body: Any = None, *, key: str | None = None, if_match: str | None = None, chain: UUID = CHAIN, method: str = "POST"
    ) -> httpx.Response:
        """A command, under a new key unless one is given."""
        extra = {"If-Match": if_match} if if_match else {}
        headers = {**self.headers(chain), "Idempotency-Key": key or str(uuid4()), **extra}
        return await self.client.request(method, path, json=body, headers=headers)

    async def get(self, path: str, *, chain: UUID = CHAIN, **headers: str) -> httpx.Response:
        """A question; underscores in header names become dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(path, headers={**self.headers(chain), **named})


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    clock = WardClock()
    runtime = ward(MemoryStore(clock=clock), clock)
    bearers = Bearers(clock)
    app = create_app(ODD_WARD, runtime, None, bearers.verifier)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ward.test") as client:
        yield Door(app, runtime, bearers, clock, client)
