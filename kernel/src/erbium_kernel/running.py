"""What one process of a service works with, opened in order and closed in the opposite one."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from erbium_kernel.clock import ShiftedClock, SystemClock, SystemIds
from erbium_kernel.codec import Codec
from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.driver import Wake
from erbium_kernel.errors import VersionConflict
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.log_records import Append, MoveCheckpoint, Slice, TakenIn
from erbium_kernel.observing import metrics
from erbium_kernel.ports import Store
from erbium_kernel.runtime import Runtime
from erbium_kernel.service import Service
from erbium_kernel.settings import Settings
from erbium_kernel.vault import Secrets, Vault
from erbium_kernel.watching import COMMITTED

CONNECT_SECONDS_MAX = 2.0
API_CONNECTIONS_MAX = 8
API_SECONDS_MAX = 1.5  # waiting for a connection, and for each answer on it
WORK_CONNECTIONS_MAX = 6
WORK_SECONDS_MAX = 65.0  # above the server's own transaction_timeout of the role


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One process. `api_engine`, `work_engine`: read tables as that role, None where this process has not got it."""

    service: Service
    settings: Settings
    runtime: Runtime
    wake: Wake
    api_engine: AsyncEngine | None
    work_engine: AsyncEngine | None


class Waking:
    """A store that tells the watcher of this process when something new is in it, and operations how it goes."""

    def __init__(self, store: Store, wake: Wake) -> None:
        """`store` does all the work."""
        self._store, self._wake = store, wake
        self.load, self.load_together = store.load, store.load_together  # asked of each command

    def __getattr__(self, name: str) -> Any:
        """Everything else is the store's."""
        return getattr(self._store, name)

    async def append(self, work: Append) -> int:
        """See `ports.Store.append`."""
        began = time.perf_counter()
        try:
            version = await self._store.append(work)
        except VersionConflict:
            metrics.append_conflict()
            raise
        metrics.appended(time.perf_counter() - began)
        self._wake.signal(COMMITTED)
        return version

    async def append_together(self, group: Sequence[Append], move: MoveCheckpoint) -> None:
        """See `ports.Store.append_together`."""
        await self._store.append_together(group, move)
        self._wake.signal(COMMITTED)

    async def take_in(self, part: Slice) -> TakenIn:
        """See `ports.Store.take_in`."""
        taken = await self._store.take_in(part)
        if part.unreadable:
            metrics.unreadable(part.topic, len(part.unreadable))
        self._wake.signal(COMMITTED)
        return taken


def codec_of(service: Service) -> Codec:
    """Everything that this service has ever stored."""
    return Codec([decider.events for decider in service.deciders], service.heard)


@asynccontextmanager
async def running(service: Service, settings: Settings, *, api: bool, work: bool) -> AsyncIterator[Running]:
    """Opens what these roles need and no more; nothing is connected before its first use. Raises: SettingsUnfit, SecretsMissing."""
    api_url = settings.need("database_api_url").database_api_url if api else None
    work_url = settings.need("database_work_url").database_work_url if work else None
    secrets_dir = settings.need("secrets_dir").secrets_dir
    assert secrets_dir is not None
    clock, ids, wake = ShiftedClock() if settings.development else SystemClock(), SystemIds(), Wake()
    async with AsyncExitStack() as stack:
        opened = await PostgresStore.open(service=service.package, api_url=api_url, work_url=work_url, clock=clock)
        for role, in_use in opened.pools().items():
            metrics.db_pool_in_use(f"log_{role}", in_use)
        store = cast(Store, Waking(await stack.enter_async_context(opened), wake))
        reread = partial(Secrets.read, secrets_dir)
        vault = Vault(store, reread(), clock=clock, ids=ids, owns_keys=service.owns_keys, reread=reread)
        runtime = Runtime(
            service=service.name, store=store, clock=clock, ids=ids, codec=codec_of(service), vault=vault, publishes=service.publishes
        )
        yield Running(
            service=service,
            settings=settings,
            runtime=runtime,
            wake=wake,
            api_engine=_engine(stack, "api", api_url, API_CONNECTIONS_MAX, API_SECONDS_MAX),
            work_engine=_engine(stack, "work", work_url, WORK_CONNECTIONS_MAX, WORK_SECONDS_MAX),
        )


def _engine(stack: AsyncExitStack, role: str, url: str | None, connections_max: int, seconds_max: float) -> AsyncEngine | None:
    if url is None:
        return None
    engine = create_async_engine(
        sqlalchemy_url(url),
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=min(seconds_max, API_SECONDS_MAX),
        connect_args={"timeout": CONNECT_SECONDS_MAX, "command_timeout": seconds_max},
        hide_parameters=True,
    )
    stack.push_async_callback(engine.dispose)
    pool = engine.pool
    assert isinstance(pool, QueuePool), "an engine with a bounded pool"
    metrics.db_pool_in_use(f"read_tables_{role}", pool.checkedout)
    return engine
