"""`python -m bench.stages`: what each background stage costs per fact on its way from screening's log to scheduling's read tables.

Relay, intake and every subscriber are stepped one after the other, by hand, on a backlog: none of them waits, so their costs can be told
apart. Units: µs of processor time per fact, in our process and in PostgreSQL.
"""

import argparse
import asyncio
import cProfile
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import uvloop

from bench import ground
from bench.history import ANYBODY, a_life, followed, grow
from bench.profile import show
from bench.service_here import here
from erbium_kernel.event import Actor
from erbium_kernel.follow import Follower
from erbium_kernel.intake import Intake
from erbium_kernel.log_records import Append, NewEvent
from erbium_kernel.message import KEYS_TOPIC, topic_of
from erbium_kernel.progress import Progress
from erbium_kernel.relay import SUBSCRIBER, Relay
from erbium_kernel.roles import effects_of
from erbium_kernel.running import Running
from erbium_kernel.topic.kafka import KafkaInlet, KafkaOutlet
from scheduling.wiring import SERVICE as SCHEDULING
from screening.wiring import SERVICE as SCREENING

PLACE: Final = Path(__file__).parents[1] / ".bench"
AT_ONCE: Final = 64
QUIET_STEPS: Final = 5
Step = Callable[[], Awaitable[Progress]]


async def stages(on: ground.Ground, facts: int, wanted: str | None) -> None:
    """Prints one line a stage; `wanted`: profiles this one."""
    await grow(on, 1)
    async with AsyncExitStack() as stack:
        screening = await stack.enter_async_context(here(on, SCREENING))
        scheduling = await stack.enter_async_context(here(on, SCHEDULING))
        outlet, topics = KafkaOutlet(on.servers.kafka), [topic_of(name) for name in SCHEDULING.listens_to] + [KEYS_TOPIC]
        inlet = KafkaInlet(on.servers.kafka, "scheduling.intake", topics)
        stack.push_async_callback(outlet.close)
        stack.push_async_callback(inlet.close)
        intake = Intake(scheduling.runtime, inlet, topics)
        await _until_quiet(intake.step)
        for service in (SCREENING, SCHEDULING):
            connection = await ground.connect(on.superuser(service.package))
            await followed(connection, service)
            await connection.close()
        await _measured(on, "commit", facts, wanted, lambda: _commit(screening, on, facts))
        lease = await stack.enter_async_context(screening.runtime.store.lease(SUBSCRIBER))
        assert lease is not None
        relay = Relay(screening.runtime, outlet, topic_of("screening"), heartbeat=False, keys_topic=KEYS_TOPIC)
        await _measured(on, "relay", facts, wanted, lambda: _until_quiet(lambda: relay.step(lease)))
        await _measured(on, "intake", facts, wanted, lambda: _until_quiet(intake.step))
        for running in (screening, scheduling):
            for effect in effects_of(running):
                own = await stack.enter_async_context(running.runtime.store.lease(effect.name))
                assert own is not None
                follower = Follower(effect, own, running.runtime.clock)
                await _measured(on, effect.name, facts, wanted, lambda follower=follower: _until_quiet(follower.step))  # type: ignore[misc]


async def _measured(on: ground.Ground, name: str, facts: int, wanted: str | None, work: Callable[[], Awaitable[None]]) -> None:
    profile = cProfile.Profile(time.process_time) if wanted == name else None
    own_s, database_s, begun = ground.own_cpu_s(), on.postgres_cpu_s(), time.perf_counter()
    if profile:
        profile.enable()
    await work()
    if profile:
        profile.disable()
    own_us, database_us = (1e6 * used / facts for used in (ground.own_cpu_s() - own_s, on.postgres_cpu_s() - database_s))
    took_us = 1e6 * (time.perf_counter() - begun) / facts
    sys.stdout.write(f"{name:38} {own_us:8.0f} µs ours {database_us:8.0f} µs PostgreSQL {took_us:8.0f} µs on the clock\n")
    if profile:
        show(profile, facts, own_us)


async def _until_quiet(step: Step) -> None:
    quiet = 0
    while quiet < QUIET_STEPS:
        quiet = 0 if (await step()).kind == "worked" else quiet + 1


async def _commit(running: Running, on: ground.Ground, facts: int) -> None:
    data, left = a_life(SCREENING, on.clinics[0])[0][1], iter(range(facts))

    async def caller() -> None:
        for _ in left:
            await running.runtime.store.append(registered(running, on.chain, on.clinics[0], uuid4(), data))

    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))


def registered(running: Running, chain: UUID, clinic: UUID, patient_id: UUID, data: str) -> Append:
    """A new patient's first event; `data` is that of anybody."""
    event = NewEvent(
        event_id=running.runtime.ids.new(), type="patient-registered", schema_version=1, ordering_id=patient_id, clinic_id=clinic,
        subject_id=patient_id, data=data.replace(str(ANYBODY), str(patient_id)).encode(),
    )  # fmt: skip
    command_id = uuid4()
    return Append(
        chain_id=chain, stream=f"patient-{patient_id}", expected=0, events=(event,), occurred_at=running.runtime.clock.now(),
        actor=Actor(kind="staff", id=str(clinic)), command_id=command_id, correlation_id=command_id, causation_id=None, traceparent=None,
    )  # fmt: skip


def main() -> None:
    """Starts the servers, measures, ends them."""
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--facts", type=int, default=2_000)
    parser.add_argument("--profile", metavar="STAGE", help="one of the lines it prints")
    asked: Any = parser.parse_args()
    with ground.alone(PLACE) as state:
        on = ground.opened(state, quick=True, rivals=None, say=lambda _: None)
        try:
            uvloop.run(stages(on, asked.facts, asked.profile))
        finally:
            on.close()


if __name__ == "__main__":
    main()
