"""A database of screening's own, migrated from empty, and the whole service on it."""

import secrets
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from erbium import provision
from erbium.provision import ServiceUrls
from erbium_kernel.migrating import migrate
from tests.screening.reception import Reception


@pytest.fixture(scope="session")
async def screening_urls(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceUrls]:
    """One database for all of them; each test is a chain of its own in it."""
    suffix = f"scr{secrets.token_hex(4)}"
    try:
        urls = (await provision.provision(postgres_url, tmp_path_factory.mktemp("state"), suffix=suffix))["screening"]
        await migrate(urls.owner, "screening")
        yield urls
    finally:
        await provision.drop(postgres_url, suffix=suffix)


@pytest.fixture
async def reception(screening_urls: ServiceUrls, postgres_url: str) -> AsyncIterator[Reception]:
    """A chain that nobody has used, with one clinic, on the shared database."""
    async with Reception.on(screening_urls, uuid4(), postgres_url) as reception:
        yield reception
