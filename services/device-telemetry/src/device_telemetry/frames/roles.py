"""The background roles that only this service has: frames off the topic, treatments told, treatments looked at again."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, cast

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from device_telemetry.frames.consumer import FRAMES_TOPIC, GROUP, FramesConsumer
from device_telemetry.frames.settling import LOOKING_AGAIN, SETTLING, LookingAgain, Settling
from device_telemetry.frames.store import FrameStore
from device_telemetry.projections.frame_store import PostgresFrameStore
from device_telemetry.projections.stored_frames import open_gaps
from device_telemetry.rulebook import RULES
from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.driver import Role, Step
from erbium_kernel.follow import Follower
from erbium_kernel.observing import metrics
from erbium_kernel.ports import Lease
from erbium_kernel.progress import IDLE, Progress
from erbium_kernel.projecting import transaction
from erbium_kernel.roles import free
from erbium_kernel.running import CONNECT_SECONDS_MAX, WORK_SECONDS_MAX, Running
from erbium_kernel.topic.kafka import KafkaInlet

CONNECTIONS_MAX: Final = 2  # of each role
COUNT_SECONDS: Final = 10.0
FRAMES_STORED: Final = frozenset({"frames"})  # news inside this process
PARTITION_FETCH_BYTES_MAX: Final = 256 * 1024  # compressed, of each of 24 partitions; a larger record still comes, alone


@asynccontextmanager
async def frames_engine(running: Running) -> AsyncIterator[AsyncEngine]:
    """The database as the role `frames`. Raises: SettingsUnfit if its address is not set."""
    engine = create_async_engine(
        sqlalchemy_url(running.settings.need("database_frames_url").database_frames_url),
        pool_size=CONNECTIONS_MAX,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS_MAX,
        connect_args={"timeout": CONNECT_SECONDS_MAX, "command_timeout": WORK_SECONDS_MAX},
        hide_parameters=True,
    )
    try:
        yield engine
    finally:
        await engine.dispose()


def frames_role(running: Running) -> Role:
    """Stores frames; replicas share the topic's partitions."""

    newest: KafkaInlet | None = None

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        nonlocal newest
        kafka, security = running.settings.kafka, running.settings.kafka_security
        newest = inlet = KafkaInlet(kafka, GROUP, [FRAMES_TOPIC], partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX, security=security)
        try:
            async with frames_engine(running) as engine:
                metrics.db_pool_in_use("frames", cast(QueuePool, engine.pool).checkedout)
                stored = partial(running.wake.signal, FRAMES_STORED)
                yield FramesConsumer(running.runtime, PostgresFrameStore(engine), inlet, stored).step
        finally:
            await inlet.close()

    def trouble() -> str | None:
        return newest.trouble() if newest else "it has not begun"

    return Role(name="frames", opened=opened, poll_seconds=0.0, woken=False, trouble=trouble)  # its own step waits for Kafka


def settling_role(running: Running) -> Role:
    """Tells treatments what their frames have come to; one worker at a time."""
    return _leased(running, SETTLING, lambda store, _: Settling(running.runtime, store, RULES).step, FRAMES_STORED)


def looking_again_role(running: Running) -> Role:
    """Looks at a treatment again when time or its operator says so; one worker at a time."""

    def made(store: FrameStore, lease: Lease) -> Step:
        effect = LookingAgain(Settling(running.runtime, store, RULES))
        return Follower(effect, lease, running.runtime.clock).step

    return _leased(running, LOOKING_AGAIN, made, LookingAgain.hears)


def gaps_role(running: Running) -> Role:
    """Counts the gaps that no back-fill has closed, for operations. Why every worker: a number that is set twice is still right."""

    async def step() -> Progress:
        assert running.work_engine is not None
        async with transaction(running.work_engine) as connection:
            metrics.frame_gaps_open(await open_gaps(connection))
        return IDLE

    return Role(name="frame-gaps", opened=free(step), poll_seconds=COUNT_SECONDS, woken=False)


def _leased(running: Running, name: str, made: Callable[[FrameStore, Lease], Step], hears: frozenset[str]) -> Role:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        async with running.runtime.store.lease(name) as lease:
            if lease is None:
                yield None
                return
            async with frames_engine(running) as engine:
                yield made(PostgresFrameStore(engine), lease)

    return Role(name=name, opened=opened, hears=hears)
