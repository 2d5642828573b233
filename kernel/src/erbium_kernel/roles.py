"""The background roles of one service, made from its declaration."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial

from erbium_kernel.clock import ShiftedClock
from erbium_kernel.driver import NET_SECONDS, Role, Step
from erbium_kernel.erasures import AGAIN_SECONDS, reading_on
from erbium_kernel.fire import LEASE, Timers
from erbium_kernel.follow import Effect, Follower
from erbium_kernel.intake import Intake
from erbium_kernel.measuring import IntakeLag, Measures
from erbium_kernel.message import KEYS_TOPIC, topic_of
from erbium_kernel.ports import Lease
from erbium_kernel.progress import IDLE, Progress
from erbium_kernel.projecting import Projecting
from erbium_kernel.reacting import Erasing, Reacting
from erbium_kernel.relay import SUBSCRIBER, Relay
from erbium_kernel.running import Running
from erbium_kernel.topic.declared import ensure
from erbium_kernel.topic.kafka import KafkaInlet, KafkaOutlet
from erbium_kernel.watchdog import Watchdog
from erbium_kernel.watching import Watching

WATCH_SECONDS = 0.01  # how soon another process's commit is noticed
WATCH_SECONDS_BESIDE_API = 0.05  # where most commits are our own, and are told at once
TOPICS_SECONDS = 5.0
TIMERS_SECONDS = 0.2
CLOCK_SECONDS = 0.25
MEASURE_SECONDS = 5.0
WATCHDOG_SECONDS = 5.0


def work_roles(running: Running) -> list[Role]:
    """All roles of `work`, the service's extra ones last."""
    service = running.service
    following = [_relay(running), *(_subscriber(running, effect) for effect in effects_of(running))]
    roles = [_topics(running), *_watched(running, following), _watch(running), _measures(running)]
    if service.listens_to or not service.owns_keys:
        roles.append(_intake(running))
    if service.erased_by:
        roles.append(Role(name="reading-erasures", opened=free(reading_on(running)), poll_seconds=AGAIN_SECONDS, woken=False))
    if service.timers:
        roles.append(_timers(running))
    return [*roles, *(extra(running) for extra in service.extra_roles)]


def clock_role(running: Running) -> list[Role]:
    """In development: what another process of the service has made of the time."""
    clock, store = running.runtime.clock, running.runtime.store
    if not isinstance(clock, ShiftedClock):
        return []

    async def step() -> Progress:
        await clock.refresh(store)
        return IDLE

    return [Role(name="clock", opened=free(step), poll_seconds=CLOCK_SECONDS, woken=False)]


def effects_of(running: Running) -> list[Effect]:
    """Every subscriber: erasure first, it is owed to a person."""
    service, runtime, engine = running.service, running.runtime, running.work_engine
    assert engine is not None, "subscribers belong to the work role"
    erasing: list[Effect] = [Erasing(runtime, service.erasure, frozenset(service.erased_by))] if service.erased_by else []
    reacting: list[Effect] = [Reacting(runtime, reaction) for reaction in service.reactions]
    projecting: list[Effect] = [Projecting(runtime.codec, projection, engine) for projection in service.projections]
    return [*erasing, *reacting, *projecting]


def _leased(
    running: Running,
    name: str,
    made: Callable[[Lease], Step],
    *,
    poll_seconds: float = NET_SECONDS,
    woken: bool = True,
    hears: frozenset[str] | None = None,
) -> Role:
    """A role that only one worker has at a time. `made(lease)` is its step under a new lease; the rest as in `Role`."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        async with running.runtime.store.lease(name) as lease:
            yield None if lease is None else made(lease)

    return Role(name=name, opened=opened, poll_seconds=poll_seconds, woken=woken, hears=hears)


def _subscriber(running: Running, effect: Effect) -> Role:
    return _leased(running, effect.name, lambda lease: Follower(effect, lease, running.runtime.clock).step, hears=effect.hears)


def _timers(running: Running) -> Role:
    timers = Timers(running.runtime, running.service.timers)

    def made(lease: Lease) -> Step:
        async def step() -> Progress:
            await lease.checkpoint()  # whatever it is: a dead connection has lost the lease, and the timers are another worker's
            return await timers.step()

        return step

    return _leased(running, LEASE, made, poll_seconds=TIMERS_SECONDS, woken=False)


def _topics(running: Running) -> Role:
    """Creates or verifies the declared topics until that has succeeded once: Kafka may come up after us. Differences end the process."""
    done = running.settings.topics_file is None

    async def step() -> Progress:
        nonlocal done
        if not done and running.settings.topics_file is not None:
            await ensure(running.settings.kafka, running.settings.topics_file, security=running.settings.kafka_security)
            done = True
        return IDLE

    return Role(name="topics", opened=free(step), poll_seconds=TOPICS_SECONDS, woken=False)


def _relay(running: Running) -> Role:
    service = running.service

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        outlet = KafkaOutlet(running.settings.kafka, security=running.settings.kafka_security)
        keys_topic = KEYS_TOPIC if service.owns_keys else None
        relay = Relay(running.runtime, outlet, topic_of(service.name), service.heartbeat, keys_topic)
        try:
            async with running.runtime.store.lease(SUBSCRIBER) as lease:
                yield None if lease is None else lambda: relay.step(lease)
        finally:
            await outlet.close()

    own = frozenset(name for decider in service.deciders for name in decider.events)
    return Role(name=SUBSCRIBER, opened=opened, hears=own)


def _intake(running: Running) -> Role:
    service = running.service
    topics = [topic_of(name) for name in service.listens_to] + ([] if service.owns_keys else [KEYS_TOPIC])
    newest: KafkaInlet | None = None

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        nonlocal newest
        security = running.settings.kafka_security
        newest = inlet = KafkaInlet(running.settings.kafka, f"{service.name}.intake", topics, security=security)
        intake, lag = Intake(running.runtime, inlet, topics), IntakeLag(running.runtime.store, inlet, running.runtime.clock)

        async def step() -> Progress:
            progress = await intake.step()
            await lag.measure()
            return progress

        try:
            yield step
        finally:
            await inlet.close()

    def trouble() -> str | None:
        return newest.trouble() if newest else "it has not begun"

    return Role(name="intake", opened=opened, poll_seconds=0.0, woken=False, trouble=trouble)  # its own step waits for Kafka


def _watch(running: Running) -> Role:
    seconds = WATCH_SECONDS_BESIDE_API if running.api_engine else WATCH_SECONDS
    watching = Watching(running.runtime.store, running.wake, seconds)
    return Role(name="watch", opened=free(watching.step), poll_seconds=0.0, woken=False)  # its own step waits


def _watched(running: Running, following: list[Role]) -> list[Role]:
    """These roles, each not ready while it is silent, and the one that looks after them."""
    hears = {role.name: role.hears or frozenset() for role in following}
    watchdog = Watchdog(running.runtime.store, running.runtime.clock, hears)
    watched = [replace(role, trouble=partial(watchdog.trouble, role.name)) for role in following]
    return [*watched, Role(name="watchdog", opened=free(watchdog.step), poll_seconds=WATCHDOG_SECONDS, woken=False)]


def _measures(running: Running) -> Role:
    assert running.work_engine is not None
    names = [effect.name for effect in effects_of(running)]
    measures = Measures(running.work_engine, running.runtime.clock, names)
    return Role(name="measures", opened=free(measures.step), poll_seconds=MEASURE_SECONDS, woken=False)


def free(step: Callable[[], Awaitable[Progress]]) -> Callable[[], AbstractAsyncContextManager[Step | None]]:
    """For a role that every worker may have at once: its step under nothing."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        yield step

    return opened
