"""One process of a service, from its start to its orderly end: verified, serving, told to stop, drained."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Literal

import structlog
from starlette.types import ASGIApp

from erbium_kernel.database_url import tls_refusal
from erbium_kernel.driver import Driver, Role
from erbium_kernel.erasures import BEHIND, caught_up, is_behind, is_behind_or_away
from erbium_kernel.errors import Unavailable
from erbium_kernel.http.app import About, create_app
from erbium_kernel.http.shut_door import shut_door
from erbium_kernel.identity.key_set import KeySet, over_http
from erbium_kernel.identity.tokens import Verifier
from erbium_kernel.observing.health import Check, Health
from erbium_kernel.observing.logs import configure_logs
from erbium_kernel.observing.serving import answering, listening, observing_app
from erbium_kernel.roles import clock_role, work_roles
from erbium_kernel.running import Running, running
from erbium_kernel.service import Service
from erbium_kernel.settings import NEEDS, PREFIX, Settings, SettingsUnfit
from erbium_kernel.topic.declared import TopicsDiffer, TopicsRefused, ensure
from erbium_kernel.topic.kafka import StuckConsumer, calm_aiokafka
from erbium_kernel.verifying import check_revision, verify
from erbium_kernel.whereabouts import reason_of

Kind = Literal["api", "work", "all"]
START_SECONDS_MAX = 60.0  # for a database that starts beside us; what is away longer ends the process with a sentence
START_POLL_SECONDS = 0.5
EXIT_SECONDS_MAX = 19.0  # from SIGTERM on; then the process ends itself, so that nobody needs SIGKILL
GARBAGE_OBJECTS = 20_000  # new ones that are still there, between two looks of the collector
KAFKA_SECONDS_MAX = 5.0  # a broker that is away at the start is met by relay and intake, which wait for it

log = structlog.get_logger(__name__)


async def serve(service: Service, settings: Settings, kind: Kind) -> int:
    """Runs until SIGTERM or SIGINT, then drains. Returns the exit code: 0, or 1 after an error that only a new process can cure.

    Raises: SettingsUnfit, SecretsMissing, Unfit, TopicsDiffer, PortTaken, Unavailable: each with a sentence, before anything is served.
    """
    settings.need(*NEEDS[kind], *service.needed_by(kind))
    if settings.kafka:
        _ = settings.kafka_security  # what is missing in it is told now, not by every client again
    configure_logs(service=service.name, role=kind, level=settings.log_level)
    calm_aiokafka()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _told_to_stop, stop, number)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(running(service, settings, api=kind != "work", work=kind != "api"))
        if not await _or_stopped(stop, _verified(opened)):
            return 0
        roles = clock_role(opened) + (work_roles(opened) if opened.work_engine else [])
        driver = Driver(roles, opened.wake, opened.runtime.clock, fatal=(StuckConsumer, SettingsUnfit, TopicsDiffer, TopicsRefused))
        database = _database_checks(opened)
        inward, outward = Health({**database, **_role_checks(roles, driver, opened)}), Health(database)
        app = api_app(opened, outward) if opened.api_engine else None
        # Both ports are ours before a group is joined or a lease taken: a second process on them ends without having disturbed the first.
        inside = stack.enter_context(listening(settings.metrics_host, settings.metrics_port))
        outside = stack.enter_context(listening(settings.http_host, settings.http_port)) if app else None
        metrics_port = await stack.enter_async_context(answering(observing_app(inward), inside))
        if not await _or_stopped(stop, _let_in(opened, outward, outside)):
            return 0
        driving = asyncio.create_task(driver.run(stop))
        stack.push_async_callback(_ended, driving, stop)
        if app and outside:
            http_port = await stack.enter_async_context(answering(app, outside))
            log.info("serving", host=settings.http_host, port=http_port)
        _settle_memory()
        for health in (inward, outward):
            health.started()
        log.info("started", kind=kind, build=settings.build, port=metrics_port)
        await stop.wait()
        asyncio.get_running_loop().call_later(EXIT_SECONDS_MAX, _end_now)  # also when it was no signal that ends us
        for health in (inward, outward):
            health.drain()
    log.info("stopped", kind=kind)
    if isinstance(driver.failed, SettingsUnfit | TopicsDiffer | TopicsRefused):
        raise driver.failed
    return 1 if driver.failed else 0


def _settle_memory() -> None:
    """What stands now stays until the end: the collector need not look through it again and again while requests wait.

    Nor after every 700 new objects: one command makes as many, and hardly any of them stand in circles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)


def api_app(opened: Running, health: Health) -> ASGIApp:
    """The service's HTTP application, with the health endpoints beside it."""
    settings, clock = opened.settings, opened.runtime.clock
    verifier = Verifier(KeySet(over_http(settings.jwks), clock), issuer=settings.issuer, audience=settings.audience, clock=clock)
    about = About(build=settings.build, token_url=f"{settings.issuer.rstrip('/')}/token", development=settings.development)
    app = create_app(opened.service, opened.runtime, opened.api_engine, verifier, about=about)
    app.router.routes[:0] = health.routes()
    return app


async def _verified(opened: Running) -> bool:
    """Raises: Unfit, TopicsDiffer, SettingsUnfit; Unavailable when the database stays away."""
    for role, engine in (("API", opened.api_engine), ("WORK", opened.work_engine)):
        if engine is not None:
            await _patiently(f"{PREFIX}DATABASE_{role}_URL", partial(verify, engine, opened.service.name))
    topics_file = opened.settings.topics_file
    if opened.work_engine is not None and topics_file is not None:
        try:
            async with asyncio.timeout(KAFKA_SECONDS_MAX):
                await ensure(opened.settings.kafka, topics_file, security=opened.settings.kafka_security)
        except (Unavailable, TimeoutError) as error:
            log.warning("Kafka is away, the role `topics` will go on asking for them", reason=reason_of(error))
    return True


async def _patiently(setting: str, ask: Callable[[], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + START_SECONDS_MAX
    while True:
        try:
            return await ask()
        except Unavailable as error:
            if refusal := tls_refusal(error):
                raise SettingsUnfit(f"{setting}: {refusal}") from None
            if loop.time() > end:
                raise
            log.warning("waiting for the database", reason=reason_of(error))
            await asyncio.sleep(START_POLL_SECONDS)


async def _let_in(opened: Running, health: Health, outside: socket.socket | None) -> bool:
    """Returns when personal data may be opened here. A restored database is told first who was erased; until then the door is shut."""
    if not await is_behind_or_away(opened.work_engine or opened.api_engine):
        return True
    async with AsyncExitStack() as stack:
        if outside:
            await stack.enter_async_context(answering(shut_door(health, BEHIND), outside.dup()))
        return await caught_up(opened)


async def _or_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, bool]) -> bool:
    """What `work` says; False if the process is told to stop meanwhile."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task.done():
        return await task
    task.cancel()
    await asyncio.wait({task})
    return False


def _database_checks(opened: Running) -> dict[str, Check]:
    engine = opened.api_engine or opened.work_engine
    assert engine is not None, "a process has at least one role"

    async def revision() -> str | None:
        return await check_revision(engine, opened.service.name)

    async def erasures() -> str | None:
        return BEHIND if await is_behind(engine) else None

    return {"database": revision, "erasures": erasures}


def _role_checks(roles: Sequence[Role], driver: Driver, opened: Running) -> dict[str, Check]:
    def of(role: Role) -> Check:
        async def check() -> str | None:
            state = driver.states[role.name]
            steps = state.trouble(opened.runtime.clock.machine())
            # What another worker has the lease for is that worker's trouble: to restart this one would mend nothing.
            return steps or (role.trouble() if role.trouble and state.kind != "standby" else None)

        return check

    return {role.name: of(role) for role in roles}


async def _ended(driving: asyncio.Task[None], stop: asyncio.Event) -> None:
    stop.set()  # also when the start fails after the roles have begun
    await asyncio.wait({driving})


def _told_to_stop(stop: asyncio.Event, number: int) -> None:
    if stop.is_set():
        return
    log.info("stopping", signal=signal.Signals(number).name)
    stop.set()
    asyncio.get_running_loop().call_later(EXIT_SECONDS_MAX, _end_now)  # also while it is still starting


def _end_now() -> None:
    """Something does not end within its own bound: what is committed is safe, and a new process goes on from there."""
    log.error("did not stop in time", after_seconds=EXIT_SECONDS_MAX)
    os._exit(1)
