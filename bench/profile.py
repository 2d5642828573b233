"""`python -m bench.profile append|command|frames|store`: where the processor time of one operation goes, in our process and in PostgreSQL.

The service's application is called in this process, without a socket; time is processor time, so a busy machine harms it less.
"""

import argparse
import cProfile
import io
import os
import pstats
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import uvloop

from bench import ground
from bench.http_load import END, Answer
from bench.measuring import keep_in_flight
from bench.service_here import settings_of
from erbium_kernel.observing.health import Health
from erbium_kernel.observing.logs import configure_logs
from erbium_kernel.process import api_app
from erbium_kernel.running import running

PLACE: Final = Path(__file__).parents[1] / ".bench"
SUBJECTS: Final = ("append", "command", "frames", "store")
WARM_UP_SECONDS: Final = 1.0
FUNCTIONS_SHOWN: Final = 45
PLACES: Final = (
    "asyncpg", "sqlalchemy", "pydantic", "fastapi", "starlette", "uvicorn", "aiokafka", "msgspec", "cryptography", "joserfc", "structlog",
    "prometheus_client", "erbium_kernel", "screening", "device_telemetry", "asyncio", "logging", "json", "uuid", "bench",
)  # fmt: skip

Once = Callable[[], Awaitable[object]]


class InProcess:
    """Answers a request's bytes by calling the application; in the place of a connection."""

    def __init__(self, app: Any) -> None:
        """`app` is an ASGI application."""
        self._app = app

    async def ask(self, request: bytes) -> Answer:
        """As a server would."""
        head, _, body = request.partition(END)
        first, *lines = head.decode().split("\r\n")
        method, path, _ = first.split(" ")
        headers = [(name.lower().encode(), value.encode()) for name, _, value in (line.partition(": ") for line in lines)]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path,
            "raw_path": path.encode(), "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            "root_path": "",
        }  # fmt: skip
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        await self._app(scope, receive, send)
        told = b"".join(b"\r\n" + name.lower() + b": " + value for name, value in said[0]["headers"])
        return Answer(said[0]["status"], told, b"".join(message.get("body", b"") for message in said[1:]))


@asynccontextmanager
async def app_of(on: ground.Ground, package: str) -> AsyncIterator[Any]:
    """The application of a service's `api` process, here."""
    settings = settings_of(on, package)
    os.environ["ERBIUM_KAFKA"] = on.servers.kafka  # the way of frames onto their topic reads it by itself
    configure_logs(service=package, role="api", level=settings.log_level, stream=io.StringIO())
    async with running(import_module(f"{package}.wiring").SERVICE, settings, api=True, work=False) as opened:
        yield api_app(opened, Health({}))


@asynccontextmanager
async def subject(name: str, on: ground.Ground) -> AsyncIterator[Once]:
    """One operation of what is to be profiled."""
    module = import_module(
        f"bench.rows.{ {'append': 'append', 'command': 'command', 'frames': 'frames_in', 'store': 'frames_stored'}[name] }"
    )
    async with module.profiled(on) as once:
        yield once


async def profiled(name: str, on: ground.Ground, seconds: float, callers: int) -> None:
    """Warms up, measures without the profiler, then with it; prints."""
    async with subject(name, on) as once:
        await keep_in_flight(callers, WARM_UP_SECONDS, once)
        cpu_s, database_s = ground.own_cpu_s(), on.postgres_cpu_s()
        _, latencies = await keep_in_flight(callers, seconds, once)
        used_s = (ground.own_cpu_s() - cpu_s, on.postgres_cpu_s() - database_s)
        ours_us, database_us = (1e6 * used / len(latencies) for used in used_s)
        profile = cProfile.Profile(time.process_time)
        profile.enable()
        _, watched = await keep_in_flight(callers, seconds, once)
        profile.disable()
    sys.stdout.write(
        f"{name}, {callers} in flight: {len(latencies)} operations; "
        f"each {ours_us:.0f} µs in this process, {database_us:.0f} µs in PostgreSQL\n"
    )
    show(profile, len(watched), ours_us)


def show(profile: cProfile.Profile, count: int, ours_us: float) -> None:
    """Shares of the profiled time, scaled to what an operation costs (without the profiler, where that is known)."""
    stats: Any = pstats.Stats(profile)
    total = sum(row[2] for row in stats.stats.values()) or 1.0
    scale = ours_us / (1e6 * total / count)
    own: defaultdict[str, float] = defaultdict(float)
    for (path, _, function), row in stats.stats.items():
        own[_place(path, function)] += row[2]
    sys.stdout.write("\nown time by place, µs per operation (scaled):\n")
    for place, seconds in sorted(own.items(), key=lambda item: -item[1])[:24]:
        sys.stdout.write(f"  {1e6 * scale * seconds / count:8.1f}  {100 * seconds / total:5.1f} %  {place}\n")
    for what, column in (("with all it calls", 3), ("own", 2)):
        sys.stdout.write(f"\nfunctions, {what}: µs and calls per operation (scaled):\n")
        rows = sorted(stats.stats.items(), key=lambda item: -item[1][column])
        for (path, line, function), row in rows[:FUNCTIONS_SHOWN]:
            sys.stdout.write(f"  {1e6 * scale * row[column] / count:8.1f}  {row[1] / count:6.1f}  {_short(path)}:{line} {function}\n")


def _place(path: str, function: str) -> str:
    if path == "~":
        return f"builtin {function[:60]}"
    parts = Path(path).parts
    return next((name for name in PLACES if name in parts), parts[-1])


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-3:])


def main() -> None:
    """Starts the servers, profiles, ends them."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--in-flight", type=int, default=16)
    asked = parser.parse_args()
    with ground.alone(PLACE) as state:
        on = ground.opened(state, quick=True, rivals=None, say=lambda _: None)
        try:
            uvloop.run(profiled(asked.subject, on, asked.seconds, asked.in_flight))
        finally:
            on.close()


if __name__ == "__main__":
    main()
