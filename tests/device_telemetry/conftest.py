"""A database of telemetry's own, with its schema, and the whole service on it."""

import secrets
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from erbium import provision
from erbium.provision import ServiceUrls
from erbium_kernel.migrating import migrate
from tests.device_telemetry.room import Room


@pytest.fixture(scope="module")
async def telemetry_urls(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceUrls]:
    """One database per test module, migrated from empty."""
    suffix = f"tel{secrets.token_hex(4)}"
    try:
        urls = (await provision.provision(postgres_url, tmp_path_factory.mktemp("state"), suffix=suffix))["device_telemetry"]
        await migrate(urls.owner, "device-telemetry")
        yield urls
    finally:
        await provision.drop(postgres_url, suffix=suffix)


@pytest.fixture
async def room(telemetry_urls: ServiceUrls) -> AsyncIterator[Room]:
    """A chain that nobody has used, on the module's database, with a topic of its own."""
    async with Room.on(telemetry_urls, uuid4()) as room:
        yield room
