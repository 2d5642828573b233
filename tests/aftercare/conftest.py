"""A database of aftercare's own, and the whole service on it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from aftercare.wiring import SERVICE
from erbium.provision import ServiceUrls
from tests.aftercare.making import NEXT_MORNING
from tests.house import House, migrated


@pytest.fixture(scope="session")
async def aftercare_urls(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceUrls]:
    """One database for all of them."""
    async with migrated(SERVICE, postgres_url, tmp_path_factory.mktemp("state")) as urls:
        yield urls


@pytest.fixture
async def house(aftercare_urls: ServiceUrls) -> AsyncIterator[House]:
    """A chain that nobody has used."""
    async with House.on(SERVICE, aftercare_urls, uuid4(), at=NEXT_MORNING) as house:
        yield house
