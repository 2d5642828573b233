"""A ward on a database of one file's own, with nothing beside its tables."""

from collections.abc import AsyncIterator

import pytest

from erbium_kernel.beside import Places, abandon
from tests.kernel.follow.board import Hall
from tests.kernel.log.grounds import Database
from tests.kernel.operating.hall import a_database, a_hall


@pytest.fixture(scope="module")
async def database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """One database for this file."""
    async with a_database(postgres_url, tmp_path_factory) as made:
        yield made


@pytest.fixture
async def hall(database: Database) -> AsyncIterator[Hall]:
    """A ward on it, with nothing beside its tables."""
    async with a_hall(database) as opened:
        await abandon(opened.store, opened.board.projection, Places(owner_url=database.owner, work_url=database.work))
        yield opened
