"""What the log on PostgreSQL promises, each as a function that fails where the promise is broken; mutants must not get past them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from erbium_kernel.decider import Claim, Release
from erbium_kernel.errors import VersionConflict
from erbium_kernel.event import Cursor
from erbium_kernel.log.append import APPEND, arguments
from erbium_kernel.log_records import Append, Row
from tests.kernel.log.grounds import PostgresGround
from tests.kernel.log.making import START, a_command, a_message, a_persons_key, a_slice, a_stream
from tests.kernel.log.reading import PAGE_ROWS, eventually

NINE = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
TIMER_ROW = (
    "INSERT INTO timers (chain_id, key, type, due_at, ref, stream_id, set_by) "
    "SELECT $1, 'work', 'work', now(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid()"
)


async def append_on(connection: "asyncpg.Connection[Any]", work: Append) -> None:
    """The kernel's own function, on a connection whose transaction is the test's."""
    await connection.fetchval(APPEND, *arguments([work], NINE))


@asynccontextmanager
async def a_transaction(url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A connection with an open transaction; committed at the end of the block, rolled back on an error."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def followed(ground: PostgresGround, chain_id: UUID, after: Cursor, until: UUID) -> list[Row]:
    """The chain's rows as a reader meets them that never looks back, up to and with the event `until`."""
    seen: list[Row] = []
    place = after

    async with ground.store.lease(f"checker.{uuid4()}") as lease:
        assert lease is not None

        async def go_on() -> list[Row]:
            nonlocal place
            rows = await lease.read(place, PAGE_ROWS)
            place = rows[-1].cursor if rows else place
            seen.extend(row for row in rows if row.envelope.chain_id == chain_id)
            return seen

        return await eventually(go_on, lambda rows: until in [row.envelope.event_id for row in rows])


async def the_end(ground: PostgresGround) -> Cursor:
    """A place behind everything that other tests have left."""
    marker = a_command(uuid4(), a_stream())
    await ground.store.append(marker)
    found = await ground.store.place_of(marker.chain_id, marker.events[0].event_id)
    assert found is not None
    return found[0]


async def somebody_waits(ground: PostgresGround) -> None:
    """Returns when a transaction of this database waits for another one's lock."""

    async def ask() -> bool:
        waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
        return bool(await ground.admin.fetchval(waiting))

    assert await eventually(ask, bool), "nobody waited: the test has not met the moment it is about"


# --- the promises


async def late_commits_are_read(ground: PostgresGround) -> None:
    """A reader between two commits of which the later began first has both in the end."""
    chain_id, began = uuid4(), await the_end(ground)
    behind, last = a_command(chain_id, a_stream()), a_command(chain_id, a_stream())
    async with AsyncExitStack() as stack:
        lease = await stack.enter_async_context(ground.store.lease(f"checker.{uuid4()}"))
        assert lease is not None
        held = await stack.enter_async_context(ground.hold(chain_id))
        await ground.store.append(behind)
        early = await lease.read(began, PAGE_ROWS)
        await held.commit()
    await ground.store.append(last)
    rest = await followed(ground, chain_id, early[-1].cursor if early else began, last.events[0].event_id)
    seen = [row.envelope.event_id for row in (*early, *rest) if row.envelope.chain_id == chain_id]
    assert seen == [held.event_id, behind.events[0].event_id, last.events[0].event_id], "an event was lost"


@dataclass(frozen=True, slots=True)
class Turn:
    """What a worker finds: a connection of the work role in a transaction, the chain set, and what happens in the middle."""

    connection: "asyncpg.Connection[Any]"
    chain_id: UUID
    meanwhile: Callable[[], Awaitable[None]]


async def streams_are_read_in_order(ground: PostgresGround, work_url: str, worker: Callable[[Turn], Awaitable[None]]) -> None:
    """A worker prepares its command, meanwhile somebody appends to the stream, the worker sees that and appends behind it."""
    chain_id, stream, began = uuid4(), a_stream(), await the_end(ground)
    await ground.store.append(a_command(chain_id, stream))
    await ground.admin.execute(TIMER_ROW, chain_id)

    async def meanwhile() -> None:
        await ground.store.append(a_command(chain_id, stream, 1))

    third, last = a_command(chain_id, stream, 2), a_command(chain_id, a_stream())
    async with a_transaction(work_url) as connection:
        await connection.execute("SELECT set_config('app.chain', $1, true)", str(chain_id))
        await worker(Turn(connection, chain_id, meanwhile))
        await append_on(connection, third)
    await ground.store.append(last)
    rows = await followed(ground, chain_id, began, last.events[0].event_id)
    versions = [row.envelope.version for row in rows if row.envelope.stream == stream]
    assert versions == [1, 2, 3], f"the stream was read in the order {versions}"


async def commands_stay_whole(ground: PostgresGround) -> None:
    """A command of two events meets a racer that has written the first version and commits only now: it loses whole."""
    chain_id, stream = uuid4(), a_stream()
    racer, loser = a_command(chain_id, stream), a_command(chain_id, stream, events=2)
    async with a_transaction(ground.admin_url) as connection:
        await append_on(connection, racer)
        losing = asyncio.create_task(ground.store.append(loser))
        await somebody_waits(ground)
    outcome = (await asyncio.gather(losing, return_exceptions=True))[0]
    stored = [row.envelope.command_id for row in (await ground.store.load(chain_id, stream)).rows]
    assert stored == [racer.command_id], "a command was torn in two"
    assert isinstance(outcome, VersionConflict)


async def claims_stand_in_the_order_of_the_log(ground: PostgresGround) -> None:
    """A room is given back while the next visit already waits for it: the log has the release first, then the new claim."""
    chain_id, room, old, began = uuid4(), uuid4(), uuid4(), await the_end(ground)
    taken = Claim(resource=room, starts_at=NINE, ends_at=NINE + timedelta(minutes=30), holder=old)
    leaving = a_stream("visit")
    await ground.store.append(a_command(chain_id, leaving, guards=(taken,)))
    release = a_command(chain_id, leaving, 1, guards=(Release(resource=room, holder=old),))
    coming = a_command(chain_id, a_stream("visit"), guards=(Claim(resource=room, starts_at=NINE, ends_at=taken.ends_at, holder=uuid4()),))
    async with a_transaction(ground.admin_url) as connection:
        guards = arguments([release], NINE)[-3]
        await connection.execute("SELECT erbium_lock_guards($1, $2::jsonb)", chain_id, guards)
        waiting = asyncio.create_task(ground.store.append(coming))
        await somebody_waits(ground)
        await append_on(connection, release)
    assert await waiting == 1
    last = a_command(chain_id, a_stream())
    await ground.store.append(last)
    rows = await followed(ground, chain_id, began, last.events[0].event_id)
    order = [row.envelope.command_id for row in rows]
    assert order.index(release.command_id) < order.index(coming.command_id), "the room was taken before it was given back"


async def erasures_are_final(ground: PostgresGround) -> None:
    """A key that arrives from the key topic after its person's erasure is not accepted."""
    chain_id = uuid4()
    key = a_persons_key(chain_id)
    await ground.store.erase_key(chain_id, key.subject_id)
    await ground.store.take_in(a_slice(f"erbium.t{uuid4().hex}.v1", keys=(key,)))
    await ground.store.ensure_key(key)
    stands = (await ground.store.keys(chain_id, [key.subject_id]))[key.subject_id]
    assert (stands.erased, stands.wrapped) == (True, None), "an erased person's key was accepted"
    assert START < stands.cursor


async def heartbeats_vouch_for_waiting_rows(ground: PostgresGround) -> None:
    """A suspension is committed but waits behind an open transaction: the heartbeat behind it may not count before it is read."""
    chain_id, topic = uuid4(), f"erbium.t{uuid4().hex}.v1"
    suspension = a_message(chain_id)
    async with ground.hold(chain_id):
        await ground.store.take_in(a_slice(topic, (suspension,)))
        await ground.store.take_in(a_slice(topic, start=1, next=2, heartbeat_at=NINE))
        (beat,) = await ground.store.heartbeats(topic)
        found = await ground.store.place_of(chain_id, suspension.event_id)
    assert found is not None
    assert found[0] <= beat.cursor, "the heartbeat counts before the suspension is read"
