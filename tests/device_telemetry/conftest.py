"""A database of telemetry's own, with its schema, and the whole service on it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from device_telemetry.wiring import SERVICE
from erbium.provision import ServiceUrls
from tests.device_telemetry.room import Room
from tests.house import migrated


@pytest.fixture(scope="module")
async def telemetry_urls(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceUrls]:
    """One database per test module, migrated from empty."""
    async with migrated(SERVICE, postgres_url, tmp_path_factory.mktemp("state")) as urls:
        yield urls


@pytest.fixture
async def room(telemetry_urls: ServiceUrls) -> AsyncIterator[Room]:
    """A chain that nobody has used, on the module's database, with a topic of its own."""
    async with Room.with_frames(telemetry_urls, uuid4()) as room:
        yield room
