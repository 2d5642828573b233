"""One fault each: it holds while the block runs, and the moment at which it ended is known afterwards."""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from tests.faults.site import Site, signal_all

CONNECTIONS_MAX: Final = 200  # as the local server is started
HELD_TRIES_MAX: Final = 50
STOPPED_SECONDS, RUNNING_SECONDS = 0.08, 0.02


@dataclass(slots=True)
class Fault:
    """`ended_at`: by `time.monotonic`; what recovery is measured from."""

    ended_at: float = 0.0


@contextlib.contextmanager
def frozen(site: Site, name: str) -> Iterator[Fault]:
    """SIGSTOP on a server with all of its processes, or on a program: connections stay open and nothing answers. Ends with SIGCONT."""
    fault, pids = Fault(), site.pids(name)
    signal_all(pids, signal.SIGSTOP)
    try:
        yield fault
    finally:
        signal_all(pids, signal.SIGCONT)
        fault.ended_at = time.monotonic()


@contextlib.contextmanager
def away(site: Site, name: str) -> Iterator[Fault]:
    """Killed, and nobody listens at its address: connections are refused. Ends when it is started again and answers."""
    fault = Fault()
    site.kill(name)
    try:
        yield fault
    finally:
        fault.ended_at = site.start(name)


@contextlib.contextmanager
def slow(site: Site, name: str) -> Iterator[Fault]:
    """It runs a fifth of the time, in turns of 0.1 s: every answer is late, none is missing."""
    fault, over = Fault(), threading.Event()

    def brake() -> None:
        while not over.is_set():
            pids = site.pids(name)
            signal_all(pids, signal.SIGSTOP)
            over.wait(STOPPED_SECONDS)
            signal_all(pids, signal.SIGCONT)
            time.sleep(RUNNING_SECONDS)

    braking = threading.Thread(target=brake)
    braking.start()
    try:
        yield fault
    finally:
        over.set()
        braking.join()
        signal_all(site.pids(name), signal.SIGCONT)
        fault.ended_at = time.monotonic()


@contextlib.contextmanager
def out_of_connections(site: Site) -> Iterator[Fault]:
    """Somebody else holds every connection that PostgreSQL gives out, the services' too: 53300 for all who come."""
    fault = Fault()
    with _on_a_loop() as loop:
        held: list[Any] = asyncio.run_coroutine_threadsafe(_all_connections(site), loop).result(timeout=120)
        try:
            yield fault
        finally:

            async def let_go() -> None:
                for connection in held:
                    connection.terminate()

            asyncio.run_coroutine_threadsafe(let_go(), loop).result(timeout=30)
            fault.ended_at = time.monotonic()


async def _all_connections(site: Site) -> list[Any]:
    """The services' sessions are ended again and again until others have all of their places."""
    held: list[Any] = []
    admin = await asyncpg.connect(site.superuser(), timeout=10)
    held.append(admin)
    for _ in range(HELD_TRIES_MAX):
        try:
            while len(held) < CONNECTIONS_MAX:
                held.append(await asyncpg.connect(site.superuser(), timeout=10))
        except asyncpg.TooManyConnectionsError:
            pass
        ended = await admin.fetchval("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename <> current_user")
        if not ended and len(held) >= CONNECTIONS_MAX - 3:
            return held
    raise AssertionError(f"only {len(held)} connections are held")


@contextlib.contextmanager
def long_transaction(site: Site) -> Iterator[Fault]:
    """A transaction that has written, held open in a database that is none of ours: it has a transaction id of the same server."""
    fault = Fault()
    with _on_a_loop() as loop:

        async def begin() -> Any:
            connection = await asyncpg.connect(site.superuser(), timeout=10)
            await connection.execute("BEGIN; SELECT pg_current_xact_id()")
            return connection

        connection = asyncio.run_coroutine_threadsafe(begin(), loop).result(timeout=30)
        try:
            yield fault
        finally:
            asyncio.run_coroutine_threadsafe(connection.execute("ROLLBACK"), loop).result(timeout=30)
            fault.ended_at = time.monotonic()
            asyncio.run_coroutine_threadsafe(connection.close(), loop).result(timeout=30)


@contextlib.contextmanager
def _on_a_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Connections that stay open while the test, which awaits nothing, goes on."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
