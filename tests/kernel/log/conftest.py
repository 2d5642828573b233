"""The store under test: the memory adapter, and the real one on a database of its own."""

import secrets
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
import pytest

from erbium import provision
from erbium_kernel import schema
from erbium_kernel.ports import Store
from tests.kernel.log.grounds import SERVICE, Database, Ground, MemoryGround, PostgresGround


async def make_database(postgres_url: str, passwords: pytest.TempPathFactory, suffix: str) -> Database:
    """Roles and a database of screening with the kernel's schema."""
    urls = (await provision.provision(postgres_url, passwords.mktemp("state"), suffix=suffix))[SERVICE]
    owner = await asyncpg.connect(urls.owner)
    try:
        await schema.install(owner, SERVICE)
    finally:
        await owner.close()
    admin = urlunsplit(urlsplit(postgres_url)._replace(path=urlsplit(urls.owner).path))
    return Database(admin=admin, owner=urls.owner, api=urls.api, work=urls.work)


@pytest.fixture(scope="session")
async def database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """One database for the whole suite: every test has chains, subscribers and topics of its own."""
    suffix = f"log{secrets.token_hex(4)}"
    try:
        yield await make_database(postgres_url, tmp_path_factory, suffix)
    finally:
        await provision.drop(postgres_url, suffix=suffix)


@pytest.fixture
async def postgres_ground(database: Database) -> AsyncIterator[PostgresGround]:
    """Two processes' stores on the suite's database."""
    async with PostgresGround.on(database) as ground:
        yield ground


@pytest.fixture
def memory_ground() -> MemoryGround:
    """An empty memory store."""
    return MemoryGround.new()


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.servers)])
def ground(request: pytest.FixtureRequest) -> Ground:
    """Each adapter in turn: what a test claims holds for both."""
    found: MemoryGround | PostgresGround = request.getfixturevalue(f"{request.param}_ground")
    return found


@pytest.fixture
def store(ground: Ground) -> Store:
    """The store itself."""
    return ground.store


@pytest.fixture
def chain_id() -> UUID:
    """A chain of clinics that nobody has used."""
    return uuid4()


@pytest.fixture
def subscriber() -> str:
    """A subscriber that nobody has been."""
    return f"suite.{secrets.token_hex(6)}"


@pytest.fixture
def topic() -> str:
    """A topic that nobody has read."""
    return f"erbium.t{secrets.token_hex(6)}.v1"
