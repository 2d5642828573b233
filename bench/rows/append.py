"""One event per append, durable, through row-level security, with all audit columns: against pgbench inserting a 300-byte event."""

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from bench import pgbench
from bench.asking import rival
from bench.ground import Ground, connect
from bench.history import grow
from bench.measuring import Aim, Claim, Measure, Reading, keep_in_flight, reading
from erbium_kernel.clock import SystemClock, SystemIds
from erbium_kernel.event import Actor
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.log_records import Append, NewEvent

EVENT_BYTES: Final = 300
IN_FLIGHT: Final = 64
READY_PER_SECOND: Final = 4_000  # for each caller, up to 8
READY_MAX: Final = 100_000
RAW_CONNECTIONS: Final = 8  # more do not raise pgbench's rate on two cores
DATA: Final = b'{"kind":"botulinum_toxin","zones":["forehead"],"on":"2026-01-15","note":"%s"}' % (b"x" * (EVENT_BYTES - 78))

RAW_TABLE: Final = """
CREATE TABLE IF NOT EXISTS raw_events (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream uuid NOT NULL, version integer NOT NULL, data jsonb NOT NULL, UNIQUE (stream, version))
"""
RAW_INSERT: Final = f"INSERT INTO raw_events (stream, version, data) VALUES (gen_random_uuid(), 1, '{DATA.decode()}');\n"


@asynccontextmanager
async def claims(ground: Ground) -> AsyncIterator[list[Claim]]:
    """Two claims: one caller who waits for each append, and 64 callers at once."""
    connection = await connect(ground.raw_url)
    await connection.execute(RAW_TABLE)
    await connection.close()
    async with (
        await PostgresStore.open(service="aftercare", api_url=ground.urls("aftercare").api, work_url=None, clock=SystemClock()) as store,
        rival("eventsourcing_append", ground) as eventsourcing,
        rival("orm_append", ground) as orm,
    ):
        yield [
            Claim(
                name="append, 1 in flight", unit="events/s", ours=appending(store, ground.chain, 1), raw=inserting(ground, 1),
                against="pgbench, 1 connection, one 300-byte event per transaction", aims=(Aim(of="ratio", at_least=0.85),),
                rivals={"eventsourcing": eventsourcing(in_flight=1), "orm": orm(in_flight=1)},
            ),
            Claim(
                name="append, 64 in flight", unit="events/s", ours=appending(store, ground.chain, IN_FLIGHT),
                raw=inserting(ground, RAW_CONNECTIONS),
                against=f"pgbench, {RAW_CONNECTIONS} connections, one 300-byte event per transaction",
                aims=(Aim(of="ratio", at_least=4.5), Aim(of="p99_ratio", at_most=2)),
                rivals={"eventsourcing": eventsourcing(in_flight=IN_FLIGHT), "orm": orm(in_flight=IN_FLIGHT)},
            ),
        ]  # fmt: skip


@asynccontextmanager
async def profiled(ground: Ground) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """One append."""
    await grow(ground, 1)
    async with await PostgresStore.open(
        service="aftercare", api_url=ground.urls("aftercare").api, work_url=None, clock=SystemClock()
    ) as store:
        yield once(store, ground.chain)


def inserting(ground: Ground, connections: int) -> Measure:
    """The raw limit."""

    async def measure(seconds: float) -> Reading:
        return await pgbench.run(ground.raw_url, RAW_INSERT, clients=connections, seconds=seconds)

    return measure


def appending(store: PostgresStore, chain: UUID, callers: int) -> Measure:
    """Ours: each append begins a stream of its own, so that index pages are as cold as the raw limit's."""

    async def measure(seconds: float) -> Reading:
        append = once(store, chain, ready=min(READY_MAX, int(seconds * READY_PER_SECOND * min(callers, RAW_CONNECTIONS))))
        cpu_s = time.process_time()
        took, latencies = await keep_in_flight(callers, seconds, append)
        gc.unfreeze()
        return reading(took, latencies, cpu_s=time.process_time() - cpu_s)

    return measure


def once(store: PostgresStore, chain: UUID, *, ready: int = 0) -> Callable[[], Awaitable[object]]:
    """One append after the other. `ready`: so many are made beforehand, since making them is the load generator's work, not the log's."""
    ids, actor = SystemIds(), Actor(kind="staff", id=str(uuid4()))
    made = [an_append(chain, ids, actor) for _ in range(ready)]
    gc.collect()
    gc.freeze()  # the collector would look at all that waits, again and again

    def append() -> Awaitable[object]:
        return store.append(made.pop() if made else an_append(chain, ids, actor))

    return append


def an_append(chain: UUID, ids: SystemIds, actor: Actor) -> Append:
    """A new stream's first event, with everything that is recorded about it."""
    stream_id, command_id = uuid4(), ids.new()
    event = NewEvent(
        event_id=ids.new(), type="procedure-reported", schema_version=1, ordering_id=stream_id, clinic_id=chain, subject_id=None, data=DATA
    )
    return Append(
        chain_id=chain, stream=f"bench-{stream_id}", expected=0, events=(event,), occurred_at=datetime.now(UTC), actor=actor,
        command_id=command_id, correlation_id=command_id, causation_id=None, traceparent=None,
    )  # fmt: skip
