"""The second port: metrics and health, for those who operate; and how any of our applications is served inside a running loop."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from erbium_kernel.observing.health import Health

REQUESTS_AT_ONCE_MAX = 1_000
CONNECTIONS_WAITING_MAX = 256
KEEP_ALIVE_SECONDS = 75  # longer than the pools of usual clients and gateways keep an idle connection, so that they close it, not we
DRAIN_SECONDS_MAX = 8
STOP_SECONDS_MAX = 10.0


class PortTaken(RuntimeError):
    """The port cannot be listened on; the message is a sentence for the person at the keyboard."""


def observing_app(health: Health) -> Starlette:
    """/metrics, /livez, /readyz, /startupz."""

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/metrics", metrics), *health.routes()])


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int) -> AsyncIterator[int]:
    """As `answering`, on a port that is listened on just for this (0 = a free one is chosen). Raises: PortTaken."""
    with listening(host, port) as listener:
        async with answering(app, listener) as found:
            yield found


@asynccontextmanager
async def answering(app: ASGIApp, listener: socket.socket) -> AsyncIterator[int]:
    """Serves `app` while the block runs, yields the port, then drains. Signals are the caller's."""
    server = _Server(_config(app))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.listening.wait()
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=STOP_SECONDS_MAX)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Not ours to take: the process has one place that handles SIGTERM."""
        yield


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app, access_log=False, log_config=None, server_header=False, lifespan="off", limit_concurrency=REQUESTS_AT_ONCE_MAX,
        backlog=CONNECTIONS_WAITING_MAX, timeout_keep_alive=KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=DRAIN_SECONDS_MAX,
        proxy_headers=False,
    )  # fmt: skip


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; what connects waits until somebody answers. Raises: PortTaken with a sentence."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=CONNECTIONS_WAITING_MAX)
    except OSError as error:
        raise PortTaken(
            f"{host}:{port} cannot be listened on ({os.strerror(error.errno or 0)}): stop what uses it, or choose another port."
        ) from None
