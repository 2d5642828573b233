"""The background roles of one service, made from its declaration."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from erbium_kernel.clock import ShiftedClock
from erbium_kernel.driver import NET_SECONDS, Role, Step
from erbium_kernel.event import Cursor
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

WATCH_SECONDS = 0.01  # how soon another process's commit is noticed
WATCH_SECONDS_BESIDE_API = 0.02  # where most commits are our own and wake everybody by themselves
TOPICS_SECONDS = 5.0
TIMERS_SECONDS = 0.05
CLOCK_SECONDS = 0.25
MEASURE_SECONDS = 5.0


def work_roles(running: Running) -> list[Role]:
    """All roles of `work`, the service's extra ones last."""
    service = running.service
    subscribers = [_subscriber(running, effect) for effect in effects_of(running)]
    roles = [_topics(running), _relay(running), _watch(running), _measures(running), *subscribers]
    if service.listens_to or not service.owns_keys:
        roles.append(_intake(running))
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

    return [Role(name="clock", opened=_free(step), poll_seconds=CLOCK_SECONDS, woken=False)]


def effects_of(running: Running) -> list[Effect]:
    """Every subscriber: erasure first, it is owed to a person."""
    service, runtime, engine = running.service, running.runtime, running.work_engine
    assert engine is not None, "subscribers belong to the work role"
    erasing: list[Effect] = [Erasing(runtime, service.erasure, frozenset(service.erased_by))] if service.erased_by else []
    reacting: list[Effect] = [Reacting(runtime, reaction) for reaction in service.reactions]
    projecting: list[Effect] = [Projecting(runtime.codec, projection, engine) for projection in service.projections]
    return [*erasing, *reacting, *projecting]


def leased(running: Running, name: str, made: Callable[[Lease], Step], *, poll_seconds: float = NET_SECONDS, woken: bool = True) -> Role:
    """A role that only one worker has at a time. `made(lease)` is its step under a new lease."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        async with running.runtime.store.lease(name) as lease:
            yield None if lease is None else made(lease)

    return Role(name=name, opened=opened, poll_seconds=poll_seconds, woken=woken)


def _subscriber(running: Running, effect: Effect) -> Role:
    return leased(running, effect.name, lambda lease: Follower(effect, lease, running.runtime.clock).step)


def _timers(running: Running) -> Role:
    timers = Timers(running.runtime, running.service.timers)

    def made(lease: Lease) -> Step:
        async def step() -> Progress:
            await lease.checkpoint()  # whatever it is: a dead connection has lost the lease, and the timers are another worker's
            return await timers.step()

        return step

    return leased(running, LEASE, made, poll_seconds=TIMERS_SECONDS, woken=False)


def _topics(running: Running) -> Role:
    """Creates or verifies the declared topics until that has succeeded once: Kafka may come up after us. Differences end the process."""
    done = running.settings.topics_file is None

    async def step() -> Progress:
        nonlocal done
        if not done and running.settings.topics_file is not None:
            await ensure(running.settings.kafka, running.settings.topics_file)
            done = True
        return IDLE

    return Role(name="topics", opened=_free(step), poll_seconds=TOPICS_SECONDS, woken=False)


def _relay(running: Running) -> Role:
    service = running.service

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        outlet = KafkaOutlet(running.settings.kafka)
        keys_topic = KEYS_TOPIC if service.owns_keys else None
        relay = Relay(running.runtime, outlet, topic_of(service.name), service.heartbeat, keys_topic)
        try:
            async with running.runtime.store.lease(SUBSCRIBER) as lease:
                yield None if lease is None else lambda: relay.step(lease)
        finally:
            await outlet.close()

    return Role(name=SUBSCRIBER, opened=opened)


def _intake(running: Running) -> Role:
    service = running.service
    topics = [topic_of(name) for name in service.listens_to] + ([] if service.owns_keys else [KEYS_TOPIC])

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        inlet = KafkaInlet(running.settings.kafka, f"{service.name}.intake", topics)
        intake, lag = Intake(running.runtime, inlet, topics), IntakeLag(running.runtime.store, inlet, running.runtime.clock)

        async def step() -> Progress:
            progress = await intake.step()
            await lag.measure()
            return progress

        try:
            yield step
        finally:
            await inlet.close()

    return Role(name="intake", opened=opened, poll_seconds=0.0, woken=False)  # its own step waits for Kafka


def _watch(running: Running) -> Role:
    """Looks where the log ends, for all roles at once: cheaper than letting each of them poll."""
    seen = Cursor()

    async def step() -> Progress:
        nonlocal seen
        end = await running.runtime.store.end()
        if end != seen:
            seen = end
            running.wake.signal()
        return IDLE

    poll_seconds = WATCH_SECONDS_BESIDE_API if running.api_engine else WATCH_SECONDS
    return Role(name="watch", opened=_free(step), poll_seconds=poll_seconds, woken=False)


def _measures(running: Running) -> Role:
    assert running.work_engine is not None
    names = [effect.name for effect in effects_of(running)]
    pools = {"read_tables_api": running.api_engine, "read_tables_work": running.work_engine}
    measures = Measures(running.work_engine, running.runtime.clock, names, pools)
    return Role(name="measures", opened=_free(measures.step), poll_seconds=MEASURE_SECONDS, woken=False)


def _free(step: Callable[[], Awaitable[Progress]]) -> Callable[[], AbstractAsyncContextManager[Step | None]]:
    """A role that every worker may have."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        yield step

    return opened
