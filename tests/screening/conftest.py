"""A database of screening's own, migrated from empty, and the whole service on it."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest

from erbium.provision import ServiceUrls
from screening.wiring import SERVICE
from tests.house import migrated
from tests.screening.reception import MORNING, Reception


@pytest.fixture(scope="session")
async def screening_urls(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceUrls]:
    """One database for all of them; each test is a chain of its own in it."""
    async with migrated(SERVICE, postgres_url, tmp_path_factory.mktemp("state")) as urls:
        yield urls


@pytest.fixture
async def reception(screening_urls: ServiceUrls, postgres_url: str) -> AsyncIterator[Reception]:
    """A chain that nobody has used, with one clinic, on the shared database."""
    admin_url = urlunsplit(urlsplit(postgres_url)._replace(path=urlsplit(screening_urls.owner).path))
    async with Reception.on(SERVICE, screening_urls, uuid4(), at=MORNING, admin_url=admin_url) as reception:
        await reception.hear_of_the_clinic()
        yield reception
