"""Addresses of PostgreSQL: one spelling, libpq's, for both ways in; TLS that is refused is a sentence.

The PostgreSQL of the wheel was built without TLS, so TLS ends at a small front of the test's own; behind it is the real server.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from erbium_kernel.database_url import sqlalchemy_url, tls_refusal
from erbium_kernel.errors import Unavailable
from erbium_kernel.log.doors import Door
from erbium_kernel.migrating import migrate
from erbium_kernel.projecting import transaction
from erbium_kernel.settings import Settings, SettingsUnfit
from tests.kernel.observing.tls import Authority, Front, in_front_of

PASSWORD = "s3cret%25"
PLAIN = f"postgresql://api:{PASSWORD}@db:5432/screening"
SECONDS_MAX = 5.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the front's certificate is from."""
    return Authority.made(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture
async def front(postgres_url: str, authority: Authority) -> AsyncIterator[Front]:
    """TLS in front of the real server."""
    parts = urlsplit(postgres_url)
    assert parts.hostname is not None
    assert parts.port is not None
    async with in_front_of(parts.hostname, parts.port, authority) as front:
        yield front


def through(front: Front, postgres_url: str, options: str) -> str:
    """The server's address by way of the front."""
    parts = urlsplit(postgres_url)
    who = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{who}@127.0.0.1:{front.port}", query=options).geturl()


async def let_in_by_asyncpg(url: str) -> int:
    """One answer through the log's way in."""
    door = await Door.open(url, SECONDS_MAX)
    try:
        async with door.connection() as connection:
            found: int = await connection.fetchval("SELECT 1")
            return found
    finally:
        await door.close()


async def let_in_by_sqlalchemy(url: str) -> int:
    """One answer through the read tables' way in."""
    engine = create_async_engine(sqlalchemy_url(url), poolclass=NullPool)
    async with transaction(engine) as connection:
        return int((await connection.execute(text("SELECT 1"))).scalar_one())


LetIn = Callable[[str], Awaitable[int]]
WAYS = pytest.mark.parametrize("let_in", [let_in_by_asyncpg, let_in_by_sqlalchemy])


@WAYS
@pytest.mark.parametrize("options", ["sslmode=require", "sslmode=verify-ca&sslrootcert={ca}", "sslmode=verify-full&sslrootcert={ca}"])
async def test_encrypted(front: Front, postgres_url: str, authority: Authority, options: str, let_in: LetIn) -> None:
    """The log and the read tables both reach the server through TLS, checked as far as sslmode asks."""
    url = through(front, postgres_url, options.format(ca=authority.ca_file))
    assert Settings(database_api_url=url).database_api_url == url
    assert await let_in(url) == 1
    assert front.encrypted == 1


@WAYS
async def test_another_authority(front: Front, postgres_url: str, tmp_path: Path, let_in: LetIn) -> None:
    """A certificate of an authority that we were not told to trust lets nobody in, and the reason can be said."""
    other = Authority.made(tmp_path / "other")
    with pytest.raises(Unavailable) as refused:
        await let_in(through(front, postgres_url, f"sslmode=verify-full&sslrootcert={other.ca_file}"))
    assert "the server's certificate is not accepted" in (tls_refusal(refused.value) or "")


async def test_another_host(postgres_url: str, tmp_path: Path) -> None:
    """A certificate for another address is refused by verify-full, and accepted by verify-ca."""
    elsewhere, parts = Authority.made(tmp_path / "elsewhere", address="127.0.0.2"), urlsplit(postgres_url)
    async with in_front_of(str(parts.hostname), int(parts.port or 0), elsewhere) as front:
        assert await let_in_by_asyncpg(through(front, postgres_url, f"sslmode=verify-ca&sslrootcert={elsewhere.ca_file}")) == 1
        with pytest.raises(Unavailable) as refused:
            await let_in_by_asyncpg(through(front, postgres_url, f"sslmode=verify-full&sslrootcert={elsewhere.ca_file}"))
        assert "127.0.0.1" in (tls_refusal(refused.value) or "")


@WAYS
async def test_a_server_without_tls(postgres_url: str, let_in: LetIn) -> None:
    """Where TLS is asked for, a server that has none is not spoken to; where it is only preferred, it is."""
    with pytest.raises(Unavailable) as refused:
        await let_in(f"{postgres_url}?sslmode=require")
    assert "speaks no TLS" in (tls_refusal(refused.value) or "")
    assert await let_in(postgres_url) == 1
    assert await let_in(f"{postgres_url}?sslmode=prefer&application_name=suite") == 1


async def test_migrations_say_so_too(front: Front, postgres_url: str, tmp_path: Path) -> None:
    """`migrate` refuses a wrong authority in a sentence with the setting's name, and is not long about it."""
    other, began = Authority.made(tmp_path / "other"), time.monotonic()
    with pytest.raises(SettingsUnfit, match=r"ERBIUM_DATABASE_OWNER_URL: the server's certificate is not accepted \(") as told:
        await migrate(through(front, postgres_url, f"sslmode=verify-ca&sslrootcert={other.ca_file}"), "screening")
    assert str(urlsplit(postgres_url).password) not in str(told.value)
    assert time.monotonic() - began < SECONDS_MAX


async def test_several_hosts(front: Front, postgres_url: str) -> None:
    """An address may name several servers: the first that answers is taken, by both ways in."""
    parts = urlsplit(through(front, postgres_url, "sslmode=require&target_session_attrs=read-write"))
    url = parts._replace(netloc=parts.netloc.replace("@", "@127.0.0.1:1,")).geturl()
    assert [await let_in_by_asyncpg(url), await let_in_by_sqlalchemy(url)] == [1, 1]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://api:{pw}@db/screening", "begins with postgresql://"),
        ("postgresql://api:{pw}@x@db/screening", "is written %40"),
        (PLAIN + "?sslmode", "option=value"),
        (PLAIN + "?sslmode=verify_full", "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full"),
        (PLAIN + "?sslmode=verify-full", "needs sslrootcert"),
        (PLAIN + "?connect_timeout=5", "there is no option connect_timeout"),
        (PLAIN + "?password={pw}", "there is no option password"),
        (PLAIN + "?sslmode=require&sslrootcert=/nowhere/{pw}.pem", "sslrootcert names no file"),
        (PLAIN + "?sslmode=require&sslrootcert={here}", "sslrootcert names no file"),
        (PLAIN + "?sslmode=require&sslcrl={here}", "sslcrl names no file"),
        (PLAIN + "?sslmode=require&sslcert={here}", "sslcert and sslkey name no certificate"),
    ],
)
def test_unfit(url: str, sentence: str) -> None:
    """An address that no driver could use is refused before anything starts: the setting is named, nothing of the address is shown."""
    with pytest.raises(SettingsUnfit) as told:
        Settings(database_work_url=url.format(pw=PASSWORD, here=__file__))
    assert str(told.value).startswith("ERBIUM_DATABASE_WORK_URL: ")
    assert sentence in str(told.value)
    assert "s3cret" not in str(told.value)
    assert told.value.__cause__ is None


def test_nothing_is_printed() -> None:
    """SQLAlchemy's own pictures of the address hide the password, whatever the options are; what it hands to the driver does not."""
    url = make_url(sqlalchemy_url(PLAIN + "?sslmode=require"))
    assert url.password == "s3cret%"
    engine = create_async_engine(url)
    assert "s3cret" not in repr(engine) + repr(engine.url) + str(engine.url)
