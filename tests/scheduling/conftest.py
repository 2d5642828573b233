"""A database of scheduling's own, with its schema, and the whole service on it."""

import secrets
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from erbium import provision
from erbium.provision import ServiceUrls
from erbium_kernel.migrating import migrate
from tests.scheduling.house import House


@pytest.fixture(scope="session")
async def scheduling_urls(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceUrls]:
    """One database for all of them, migrated from empty; each test is a chain of its own in it."""
    suffix = f"sch{secrets.token_hex(4)}"
    try:
        urls = (await provision.provision(postgres_url, tmp_path_factory.mktemp("state"), suffix=suffix))["scheduling"]
        await migrate(urls.owner, "scheduling")
        yield urls
    finally:
        await provision.drop(postgres_url, suffix=suffix)


@pytest.fixture
async def house(scheduling_urls: ServiceUrls) -> AsyncIterator[House]:
    """A chain that nobody has used, on the shared database."""
    async with House.on(scheduling_urls, uuid4()) as house:
        yield house
