"""The databases and roles of the four services, on a real PostgreSQL."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from erbium import provision

Provisioned = dict[str, provision.ServiceUrls]


@pytest.fixture(scope="module")
def passwords_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
async def provisioned(postgres_url: str, passwords_folder: Path) -> AsyncIterator[tuple[str, Provisioned]]:
    suffix = f"t{secrets.token_hex(4)}"
    yield suffix, await provision.provision(postgres_url, passwords_folder, suffix=suffix)
    await provision.drop(postgres_url, suffix=suffix)


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def every_url(urls: Provisioned) -> list[str]:
    return [url for one in urls.values() for url in (one.owner, one.api, one.work, one.frames) if url]


async def test_no_role_escapes_row_level_security(provisioned: tuple[str, Provisioned]) -> None:
    """All thirteen roles log in, and none is a superuser, bypasses row-level security or makes roles."""
    urls = every_url(provisioned[1])
    assert len(urls) == 13
    for url in urls:
        mighty = "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
        assert await ask(url, mighty) is False


async def test_no_transaction_of_any_role_lasts_for_ever(provisioned: tuple[str, Provisioned]) -> None:
    """The gap-safe reader's horizon is server-wide: every role has a transaction timeout, a lock timeout and an idle timeout."""
    urls = provisioned[1]["device_telemetry"]
    assert urls.frames is not None
    assert [await ask(url, "SHOW transaction_timeout") for url in (urls.api, urls.work, urls.frames)] == ["30s", "1min", "1min"]
    for url in every_url(provisioned[1]):
        for setting in ("transaction_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            assert await ask(url, f"SHOW {setting}") != "0"


async def test_only_the_owner_makes_tables(provisioned: tuple[str, Provisioned]) -> None:
    """Migrations run as the owner; the roles that serve cannot create anything, not even temporary tables."""
    urls = provisioned[1]["screening"]
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("CREATE TABLE made (id int)")
    await connection.close()
    for url in (urls.api, urls.work):
        connection = await asyncpg.connect(url)
        for statement in ("CREATE TABLE unmade (id int)", "CREATE TEMP TABLE unmade (id int)", "SELECT * FROM made"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()


async def test_a_service_cannot_enter_the_database_of_another(provisioned: tuple[str, Provisioned]) -> None:
    """Screening's role is turned away at the door of scheduling's database."""
    suffix, urls = provisioned
    wrong_door = urls["screening"].api.replace(f"/erbium_screening_{suffix}", f"/erbium_scheduling_{suffix}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ask(wrong_door, "SELECT 1")


async def test_provisioning_again_changes_nothing(
    provisioned: tuple[str, Provisioned], postgres_url: str, passwords_folder: Path, tmp_path: Path
) -> None:
    """The same URLs come out of a second run, of two at once, and of another state folder that shares the server."""
    suffix, urls = provisioned
    again = await asyncio.gather(
        provision.provision(postgres_url, passwords_folder, suffix=suffix),
        provision.provision(postgres_url, tmp_path, suffix=suffix),
    )
    assert list(again) == [urls, urls]
    assert await ask(urls["screening"].owner, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'screening%'") == 3


def test_passwords_are_kept_from_other_users(passwords_folder: Path, provisioned: tuple[str, Provisioned]) -> None:
    """The file is 0600 in a folder 0700."""
    path = passwords_folder / "secrets" / "passwords.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_suffix_is_a_plain_word(postgres_url: str, tmp_path: Path) -> None:
    """A suffix ends up in an identifier: anything but a-z, 0-9 and _ is refused, and nothing without one is dropped."""
    with pytest.raises(ValueError, match="suffix"):
        await provision.provision(postgres_url, tmp_path, suffix='x"; DROP')
    with pytest.raises(ValueError, match="suffix"):
        await provision.drop(postgres_url, suffix="")
