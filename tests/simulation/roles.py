"""The background roles of one process, as the kernel's `roles` makes them, on the memory adapters; a driver without a machine's time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from erbium_kernel.errors import LostLease, Unavailable
from erbium_kernel.fire import LEASE, Timers
from erbium_kernel.follow import Effect, Follower
from erbium_kernel.intake import Intake
from erbium_kernel.message import KEYS_TOPIC, topic_of
from erbium_kernel.ports import Lease
from erbium_kernel.progress import Progress
from erbium_kernel.reacting import Erasing, Reacting
from erbium_kernel.relay import SUBSCRIBER, Relay
from tests.simulation.clocks import SECOND
from tests.simulation.delivery import UnevenInlet
from tests.simulation.frames_roles import SETTLING, settling, storing
from tests.simulation.recording import Recording
from tests.simulation.sites import InjectedBug, Process
from tests.simulation.turns import Broken, turn, wait

NET: Final = timedelta(seconds=30)
NET_US: Final = 30 * SECOND  # an idle role looks by itself this often,
BEAT_US: Final = 5 * SECOND  # one that has something to say now and then this often,
SOON_US: Final = SECOND // 4  # and one that knows of something this often
MICROSECOND: Final = timedelta(microseconds=1)
STANDBY_US: Final = SECOND
BACK_OFF_US_MIN: Final = SECOND // 20
BACK_OFF_US_MAX: Final = 5 * SECOND

Step = Callable[[], Awaitable[Progress]]
Opened = Callable[[], AbstractAsyncContextManager[Step | None]]


def start_roles(process: Process) -> None:
    """Everything that `work` runs."""
    site = process.site
    for effect in effects_of(process):
        process.run(effect.name, _keep(process, effect.name, _subscriber(process, effect)))
    process.run("relay", _keep(process, "relay", _relay(process)))
    process.run("intake", _keep(process, "intake", _intake(process)))
    if site.service.timers:
        process.run("timers", _keep(process, "timers", _timers(process)))
    if site.service.extra_roles:
        process.run("frames", _keep(process, "frames", storing(process)))
        process.run(SETTLING, _keep(process, SETTLING, settling(process)))


def effects_of(process: Process) -> list[Effect]:
    """Every subscriber; in place of read tables on SQL, one that records what it was told."""
    site, runtime, planted = process.site, process.runtime, process.site.world.planted
    effects: list[Effect] = [Erasing(runtime, site.service.erasure, frozenset(site.service.erased_by))]
    effects += [(planted.reacting or Reacting)(runtime, reaction) for reaction in site.reactions()]
    effects += [Recording(site, name, hears) for name, hears in site.projections.items()]
    return [*effects, *site.world.extra_effects(process)]


async def _keep(process: Process, name: str, opened: Opened) -> None:
    """As `driver.Driver` keeps a role: steps under one lease until a new one may help; trouble is backed off from."""
    turns = process.site.world.turns
    time, troubles, channel = process.site.world.time, 0, f"{process.site.name}/{name}"
    while True:
        try:
            async with opened() as step:
                if step is None:
                    await wait(None, time.us + STANDBY_US)
                while step is not None:
                    seen = turns.news[channel]
                    progress = await step()
                    troubles = troubles + 1 if progress.kind == "blocked" else 0
                    if progress.kind == "blocked":
                        await _back_off(process, troubles)
                    elif (progress.kind == "worked" and progress.more) or turns.news[channel] != seen:
                        await turn("worked")
                    else:
                        await wait(channel, time.us + _net_us(process, name))
        except (Unavailable, LostLease):
            troubles += 1
            await _back_off(process, troubles)
        except InjectedBug:
            raise Broken(f"{channel}: a bug that met one row has brought a whole role down") from None
        except Exception as error:  # what a driver would count as a crash is a bug here
            raise Broken(f"{channel}: a role crashed: {error!r}") from error


def _net_us(process: Process, name: str) -> int:
    """How soon it looks by itself. Why so late: news wakes it, and a run would consist of roles that look at nothing."""
    site = process.site
    if name in process.left_over:
        return SOON_US
    if site.store.tables.parked:
        return SECOND
    if name == "timers":
        now, timers = site.clock.now(), site.store.tables.timers
        due = min((timer.due_at for timer in timers.values()), default=now + NET)
        return max(SOON_US, min(NET_US, int((due - now) / MICROSECOND) + 1))
    beats = name == "relay" and (site.service.heartbeat or site.service.owns_keys)
    return BEAT_US if beats or name == "frames" else NET_US


async def _back_off(process: Process, troubles: int) -> None:
    pause_us = min(BACK_OFF_US_MAX, BACK_OFF_US_MIN * 2 ** min(troubles - 1, 16))
    await wait(None, process.site.world.time.us + int(pause_us * process.site.chance.uniform(0.5, 1.0)))


def _leased(process: Process, name: str, made: Callable[[Lease], Step]) -> Opened:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        async with process.site.store.lease(name) as lease:
            yield None if lease is None else made(lease)

    return opened


def _subscriber(process: Process, effect: Effect) -> Opened:
    return _leased(process, effect.name, lambda lease: Follower(effect, lease, process.runtime.clock).step)


def _timers(process: Process) -> Opened:
    timers = Timers(process.runtime, process.site.service.timers)

    def made(lease: Lease) -> Step:
        async def step() -> Progress:
            await lease.checkpoint()
            return await timers.step()

        return step

    return _leased(process, LEASE, made)


def _relay(process: Process) -> Opened:
    site = process.site
    runtime = replace(process.runtime, publishes=site.publishes_burning)

    def made(lease: Lease) -> Step:
        keys_topic = KEYS_TOPIC if site.service.owns_keys else None
        relay = Relay(runtime, site.world.broker.outlet(), topic_of(site.name), site.service.heartbeat, keys_topic)
        return lambda: relay.step(lease)

    return _leased(process, SUBSCRIBER, made)


def _intake(process: Process) -> Opened:
    site = process.site
    topics = [topic_of(name) for name in site.service.listens_to] + ([] if site.service.owns_keys else [KEYS_TOPIC])

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        inlet: Any = UnevenInlet(process, "intake", site.world.broker.inlet(f"{site.name}.intake", topics))
        try:
            yield Intake(process.runtime, inlet, topics).step
        finally:
            await inlet.close()

    return opened
