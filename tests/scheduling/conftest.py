"""A database of scheduling's own, with its schema, and the whole service on it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from erbium.provision import ServiceUrls
from scheduling.wiring import SERVICE
from tests.house import House, migrated


@pytest.fixture(scope="session")
async def scheduling_urls(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceUrls]:
    """One database for all of them, migrated from empty; each test is a chain of its own in it."""
    async with migrated(SERVICE, postgres_url, tmp_path_factory.mktemp("state")) as urls:
        yield urls


@pytest.fixture
async def house(scheduling_urls: ServiceUrls) -> AsyncIterator[House]:
    """A chain that nobody has used, on the shared database."""
    async with House.on(SERVICE, scheduling_urls, uuid4()) as house:
        yield house
