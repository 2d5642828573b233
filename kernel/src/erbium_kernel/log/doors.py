"""Connections to PostgreSQL: bounded, with deadlines, and every way of being away told as one error."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from erbium_kernel.away import database_is_away
from erbium_kernel.errors import AlreadyAnswered, GuardRefused, Unavailable, VersionConflict

API_DEADLINE_SECONDS = 1.5  # a client is told "not now" within 2 s
WORK_DEADLINE_SECONDS = 10.0
CONNECT_SECONDS = 1.0
POOL_CONNECTIONS_MAX = 6
KEEPALIVE = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "2"}
# Functions of the log are planned once, for logs of any size: a plan of a young log would look through all of it when it has grown.
PLANNED = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}
# For what is made again if a crash of the server takes it: how far somebody has followed, what stands on the topic. It is lost only from
# the end, so nothing that survives follows from something that does not. An own event is never written so: others hear of it.
NOT_FLUSHED = {"synchronous_commit": "off"}
GUARD_REFUSED = "EB002"  # the state that our own append function raises


@asynccontextmanager
async def told() -> AsyncIterator[None]:
    """What is raised inside leaves it as `in_our_words` says."""
    try:
        yield
    except Exception as error:
        named = in_our_words(error)
        if named is error:
            raise
        raise named from named.__cause__


def in_our_words(error: Exception) -> Exception:
    """What the database says, in the kernel's words: VersionConflict, AlreadyAnswered, GuardRefused, Unavailable; all else as it is."""
    if isinstance(error, asyncpg.UniqueViolationError):
        if error.constraint_name == "idempotency_answered":
            return AlreadyAnswered()
        return VersionConflict() if error.constraint_name == "log_stream_version" else error
    if isinstance(error, asyncpg.DeadlockDetectedError | asyncpg.SerializationError):
        return VersionConflict()
    if database_is_away(error):
        away = Unavailable(f"the database did not answer: {type(error).__name__}")
        away.__cause__ = error
        return away
    return GuardRefused(str(error)) if getattr(error, "sqlstate", None) == GUARD_REFUSED else error


async def set_chain(connection: "asyncpg.Connection[Any]", chain_id: UUID) -> None:
    """From here on, until the transaction ends or another chain is set, only this chain's rows are seen and written."""
    await connection.execute("SELECT set_config('app.chain', $1, true)", str(chain_id))


class Door:
    """A pool of one role. `deadline_seconds` bounds each use, waiting for a connection included."""

    def __init__(self, url: str, pool: "asyncpg.Pool[Any]", deadline_seconds: float) -> None:
        """Use `open`."""
        self._url, self._pool, self._deadline_seconds = url, pool, deadline_seconds

    @classmethod
    async def open(cls, url: str, deadline_seconds: float) -> "Door":
        """Connects lazily: a database that is away now is met at the first use."""
        pool = asyncpg.create_pool(url, min_size=0, max_size=POOL_CONNECTIONS_MAX, reset=_keep, **_options(deadline_seconds))
        await pool
        return cls(url, pool, deadline_seconds)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["asyncpg.Connection[Any]"]:
        """One connection until the block ends. Raises: as `told`."""
        async with told(), asyncio.timeout(self._deadline_seconds), self._pool.acquire() as connection:
            yield connection

    @asynccontextmanager
    async def of_chain(self, chain_id: UUID, *, readonly: bool = False) -> AsyncIterator["asyncpg.Connection[Any]"]:
        """One transaction on one connection, for this chain. Raises: as `told`."""
        async with self.connection() as connection, connection.transaction(readonly=readonly):
            await set_chain(connection, chain_id)
            yield connection

    async def own(self) -> "asyncpg.Connection[Any]":
        """A connection outside the pool, whoever asked for it closes it; each use has the door's deadline. Raises: as `told`."""
        async with told(), asyncio.timeout(self._deadline_seconds):
            return await asyncpg.connect(self._url, **_options(self._deadline_seconds))

    def in_use(self) -> int:
        """Connections that are lent out now."""
        count: int = self._pool.get_size() - self._pool.get_idle_size()
        return count

    async def close(self) -> None:
        """Gives running work its deadline, then cuts."""
        try:
            await asyncio.wait_for(self._pool.close(), self._deadline_seconds)
        except TimeoutError:
            self._pool.terminate()


def _options(deadline_seconds: float) -> dict[str, Any]:
    return {"timeout": CONNECT_SECONDS, "command_timeout": deadline_seconds, "server_settings": {**KEEPALIVE, **PLANNED}}


async def _keep(_: "asyncpg.Connection[Any]") -> None:
    """Why: nothing outlives a transaction here (settings are local), so the pool's reset round trip buys nothing."""


async def dedicated(url: str, name: str) -> "asyncpg.Connection[Any]":
    """A connection of its own, for a lease: what it writes is `NOT_FLUSHED`. Raises: as `told`."""
    async with told():
        return await asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS,
            command_timeout=WORK_DEADLINE_SECONDS,
            server_settings={**KEEPALIVE, **NOT_FLUSHED, "application_name": name[:63]},
        )
