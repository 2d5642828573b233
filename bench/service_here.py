"""A service's own runtime in this process: its deciders, codec, vault and roles, on its real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from bench.ground import Ground
from erbium.servers.ports import free_port
from erbium_kernel.event import Actor
from erbium_kernel.execute import Cause, Outcome, execute
from erbium_kernel.running import Running, running
from erbium_kernel.service import Service
from erbium_kernel.settings import PREFIX, Settings


def settings_of(ground: Ground, package: str) -> Settings:
    """What a process of this service is told, without touching our own environment."""
    told = ground.environment(package, port=free_port(), metrics_port=free_port())
    return Settings(**{name.removeprefix(PREFIX).lower(): value for name, value in told.items() if name.startswith(PREFIX)})


@asynccontextmanager
async def here(ground: Ground, service: Service) -> AsyncIterator[Running]:
    """Both database roles; none of its background roles runs by itself."""
    async with running(service, settings_of(ground, service.package), api=True, work=True) as opened:
        yield opened


async def do(opened: Running, chain: UUID, decider: Any, stream_id: UUID, command: Any) -> Outcome[Any]:
    """One command, as a reaction would put it."""
    command_id = uuid4()
    cause = Cause(actor=Actor(kind="reaction", id="bench"), command_id=command_id, correlation_id=command_id)
    return await execute(opened.runtime, chain, decider, stream_id, command, cause=cause)
