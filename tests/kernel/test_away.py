"""The one list of ways in which the database can be away."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
import sqlalchemy.exc
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi

from erbium_kernel import projecting
from erbium_kernel.away import database_is_away, is_away
from erbium_kernel.errors import KeyNotHere, LostLease, Unavailable, VersionConflict
from erbium_kernel.http.problem import problem_of
from erbium_kernel.log.doors import told

ROOT = Path(__file__).parents[2]


def through_sqlalchemy(error: Exception) -> sqlalchemy.exc.DBAPIError:
    """As an engine raises what its driver raised."""
    as_the_driver_says: Exception = Exception("away")
    if isinstance(error, asyncpg.InterfaceError):
        as_the_driver_says = AsyncAdapt_asyncpg_dbapi.InterfaceError("away")  # type: ignore[no-untyped-call]
    as_the_driver_says.__cause__ = error
    return sqlalchemy.exc.DBAPIError("select 1", {}, as_the_driver_says)


AWAY = [
    ConnectionRefusedError(),
    TimeoutError(),
    asyncpg.CannotConnectNowError("starting up"),
    asyncpg.AdminShutdownError("shutting down"),
    asyncpg.CrashShutdownError("crashed"),
    asyncpg.TooManyConnectionsError("too many"),
    asyncpg.DiskFullError("full"),
    asyncpg.QueryCanceledError("statement timeout"),
    asyncpg.LockNotAvailableError("lock timeout"),
    asyncpg.IdleInTransactionSessionTimeoutError("idle"),
    asyncpg.TransactionTimeoutError("long"),
    asyncpg.ReadOnlySQLTransactionError("standby"),
    asyncpg.InvalidPasswordError("being changed"),
    asyncpg.ConnectionDoesNotExistError("gone"),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError("got result for unknown protocol state"),
]
OURS = [
    RuntimeError("bug"),
    asyncpg.UndefinedTableError("no such table"),
    asyncpg.InsufficientPrivilegeError("not yours"),
    asyncpg.NotNullViolationError("null"),
    asyncpg.exceptions._base.DataError("invalid input for query argument $1"),
    asyncpg.exceptions.UnsupportedClientFeatureError("no"),
]


def named(error: Exception) -> str:
    return type(error).__name__


@asynccontextmanager
async def projected(error: Exception) -> AsyncIterator[None]:
    """A projection's transaction in which the database says this."""

    class Engine:
        @asynccontextmanager
        async def begin(self) -> AsyncIterator[Any]:
            yield None
            raise error

    async with projecting.transaction(Engine()):  # type: ignore[arg-type]
        yield


@pytest.mark.parametrize("error", AWAY, ids=named)
async def test_away_is_away_everywhere(error: Exception) -> None:
    """The log, projections and HTTP agree: it is an outage, through the driver and through SQLAlchemy."""
    for raised in (error, through_sqlalchemy(error)):
        assert is_away(raised)
        assert database_is_away(raised)
        assert problem_of(raised).status == 503
        with pytest.raises(Unavailable):
            async with told():
                raise raised
        with pytest.raises(Unavailable):
            async with projected(raised):
                pass


@pytest.mark.parametrize("error", OURS, ids=named)
async def test_a_bug_is_a_bug_everywhere(error: Exception) -> None:
    """What no waiting mends is nowhere taken for an outage, although the driver may call it one of its interface errors."""
    for raised in (error, through_sqlalchemy(error)):
        assert not database_is_away(raised)
        assert problem_of(raised).status == 500
        with pytest.raises(type(raised)):
            async with told():
                raise raised
        with pytest.raises(type(raised)):
            async with projected(raised):
                pass


async def test_our_own_errors_pass_unchanged() -> None:
    """A key that is not here yet, a lost lease, a lost race keep their names on the way out."""
    for error in (KeyNotHere("not yet"), LostLease("moved"), VersionConflict()):
        assert not database_is_away(error)
        for through in (told(), projected(error)):
            with pytest.raises(type(error)):
                async with through:
                    raise error


def test_a_missing_file() -> None:
    """A file of ours that is missing is our bug; a missing socket is the server's when it was the database that was called."""
    assert not is_away(FileNotFoundError())
    assert database_is_away(FileNotFoundError())
    assert is_away(SimpleNamespace(sqlstate="57P01"))  # type: ignore[arg-type]  # whatever the class, the server's own word counts


def test_there_is_one_list() -> None:
    """Nobody in the kernel keeps a list of states or of drivers' errors of his own."""
    pattern = re.compile(r'"57P|"08"|"53"|PostgresConnectionError|CannotConnectNowError|InsufficientResourcesError')
    keepers = [path.name for path in (ROOT / "kernel/src").rglob("*.py") if pattern.search(path.read_text())]
    assert keepers == ["away.py"]
