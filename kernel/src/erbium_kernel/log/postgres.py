"""The log on PostgreSQL. Commands go through the `api` role where there is one, everything else through `work`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from erbium_kernel.event import Cursor
from erbium_kernel.log.append import Appending, append_alone, append_together
from erbium_kernel.log.doors import API_DEADLINE_SECONDS, WORK_DEADLINE_SECONDS, Door, dedicated, told
from erbium_kernel.log.keeping_keys import AskedFor, KeepingKeys
from erbium_kernel.log.lease import READABLE, PostgresLease
from erbium_kernel.log.loading import WHOLE, Asked, Loading
from erbium_kernel.log.parking import Parking
from erbium_kernel.log.rows import cursor_of, heartbeats_of, key_of
from erbium_kernel.log.taking_in import take_in
from erbium_kernel.log_records import AnswerKey, Append, Heartbeat, Key, Loaded, MoveCheckpoint, News, Slice, TakenIn, Wanted
from erbium_kernel.ports import Clock, Lease
from erbium_kernel.subscribing import Due

T = TypeVar("T")
NEWS = (
    f"SELECT epoch, tx::text::bigint AS tx, position, type, {READABLE} AS readable FROM log "  # noqa: S608  # a constant
    "WHERE (epoch, tx, position) > ($1, $2::text::xid8, $3) ORDER BY epoch, log.tx, position LIMIT $4"
)
KEY_COLUMNS = "chain_id, subject_id, wrapped, erased, shared, epoch, tx::text::bigint AS tx, position"


class PostgresStore(Parking):
    """One service's log. Every method raises Unavailable when the database does not answer in time."""

    def __init__(self, service: str, api: Door | None, work: Door | None, work_url: str | None, clock: Clock) -> None:
        """Use `open`."""
        self._service, self._api, self._work, self._work_url, self._clock = service, api, work, work_url, clock
        commands = api or work
        assert commands is not None, "a store needs at least one role"
        self._commands = commands
        self._loading, self._appending, self._keys = Loading(commands), Appending(commands, clock), KeepingKeys(commands)

    @classmethod
    async def open(cls, *, service: str, api_url: str | None, work_url: str | None, clock: Clock) -> "PostgresStore":
        """`api_url` serves clients, `work_url` the background roles; a process may have both."""
        api = await Door.open(api_url, API_DEADLINE_SECONDS) if api_url else None
        work = await Door.open(work_url, WORK_DEADLINE_SECONDS) if work_url else None
        return cls(service, api, work, work_url, clock)

    async def __aenter__(self) -> "PostgresStore":
        """Itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes."""
        await self.close()

    async def close(self) -> None:
        """Lets appends under way end, then closes the pools."""
        for waiting in (self._loading, self._keys, self._appending):
            await waiting.close()
        for door in (self._api, self._work):
            if door is not None:
                await door.close()

    def pools(self) -> Mapping[str, Callable[[], int]]:
        """Role -> how many connections of its pool are lent out."""
        return {role: door.in_use for role, door in (("api", self._api), ("work", self._work)) if door is not None}

    def _background(self) -> Door:
        return self._work or self._commands

    # --- commands

    async def load(
        self, chain_id: UUID, stream: str, answer: AnswerKey | None = None, upto: int | None = None, since: str | None = None
    ) -> Loaded:
        """See `ports.Store.load`."""
        return await self._loading.do(Asked(chain_id, stream, WHOLE if upto is None else upto, since, answer))

    async def load_together(self, chain_id: UUID, wanted: Sequence[Wanted]) -> Sequence[Loaded]:
        """See `ports.Store.load_together`."""
        return await self._loading.do_all([Asked(chain_id, stream, WHOLE, since, answer) for stream, answer, since in wanted])

    async def append(self, work: Append) -> int:
        """See `ports.Store.append`. Guards and effects go alone, everything else in groups."""
        if not work.guards and not work.after:
            return await self._appending.do(work)
        door = self._background() if work.after else self._commands
        async with door.connection() as connection:
            return await append_alone(connection, work, self._clock.now())

    async def append_together(self, group: Sequence[Append], move: MoveCheckpoint) -> None:
        """See `ports.Store.append_together`."""
        async with self._background().connection() as connection:
            await append_together(connection, group, move, self._clock.now())

    async def asked(self, questions: Sequence[Awaitable[T]]) -> Sequence[T]:
        """See `ports.Store.asked`."""
        return await asyncio.gather(*questions)

    # --- the order of the log

    @asynccontextmanager
    async def lease(self, subscriber: str) -> AsyncIterator[Lease | None]:
        """See `ports.Store.lease`. A session lock on a connection of its own: if that dies, so does the lease."""
        assert self._work_url is not None, "leases belong to the work role"
        connection = await dedicated(self._work_url, f"{self._service}.{subscriber}")
        try:
            async with told():
                mine = await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 1))", f"erbium.lease.{subscriber}")
            yield PostgresLease(connection, subscriber) if mine else None
        finally:
            connection.terminate()

    async def place_of(self, chain_id: UUID, event_id: UUID) -> tuple[Cursor, str, UUID] | None:
        """See `ports.Store.place_of`."""
        async with self._commands.of_chain(chain_id, readonly=True) as connection:
            record = await connection.fetchrow(
                "SELECT epoch, tx::text::bigint AS tx, position, type, ordering_id FROM log WHERE chain_id = $1 AND event_id = $2",
                chain_id,
                event_id,
            )
        return (cursor_of(record), record["type"], record["ordering_id"]) if record else None

    async def consequences(self, chain_id: UUID, event_id: UUID) -> Sequence[UUID]:
        """See `ports.Store.consequences`."""
        async with self._commands.of_chain(chain_id, readonly=True) as connection:
            records = await connection.fetch(
                "SELECT event_id FROM log WHERE chain_id = $1 AND causation_id = $2 AND origin IS NULL ORDER BY epoch, tx, position",
                chain_id,
                event_id,
            )
        return [record["event_id"] for record in records]

    async def parked_in(self, chain_id: UUID, ordering_id: UUID) -> frozenset[str]:
        """See `ports.Store.parked_in`."""
        async with self._commands.of_chain(chain_id, readonly=True) as connection:
            records = await connection.fetch(
                "SELECT subscriber FROM parked_keys WHERE chain_id = $1 AND ordering_id = $2", chain_id, ordering_id
            )
        return frozenset(record["subscriber"] for record in records)

    async def checkpoints(self) -> Mapping[str, Cursor]:
        """See `ports.Store.checkpoints`."""
        records = await self._fetch(self._commands, "SELECT subscriber, epoch, tx::text::bigint AS tx, position FROM checkpoints")
        return {record["subscriber"]: cursor_of(record) for record in records}

    async def end(self) -> Cursor:
        """See `ports.Store.end`."""
        records = await self._fetch(
            self._background(),
            f"SELECT epoch, tx::text::bigint AS tx, position FROM log WHERE {READABLE} "  # noqa: S608  # a constant
            "ORDER BY epoch DESC, tx DESC, position DESC LIMIT 1",
        )
        return cursor_of(records[0]) if records else Cursor()

    async def news(self, after: Cursor, limit: int) -> News:
        """See `ports.Store.news`."""
        records = await self._fetch(self._background(), NEWS, after.epoch, str(after.tx), after.position, limit)
        return News.of(after, [(cursor_of(record), record["type"], record["readable"]) for record in records], limit)

    # --- timers

    async def due_timers(self, now: datetime, limit: int) -> Sequence[Due]:
        """See `ports.Store.due_timers`."""
        records = await self._fetch(
            self._background(),
            "SELECT chain_id, key, type, due_at, ref, stream_id, set_by FROM timers "
            "WHERE due_at <= $1 ORDER BY due_at, chain_id, key LIMIT $2",
            now,
            limit,
        )
        return [Due(*record.values()) for record in records]

    # --- what was heard

    async def positions(self, topic: str) -> Mapping[int, int]:
        """See `ports.Store.positions`."""
        records = await self._fetch(self._background(), "SELECT partition, next_offset FROM positions WHERE topic = $1", topic)
        return {record["partition"]: record["next_offset"] for record in records}

    async def cluster_id(self, seen: str) -> str:
        """See `ports.Store.cluster_id`."""
        async with self._background().connection() as connection:
            await connection.execute("UPDATE installation SET kafka_cluster_id = $1 WHERE kafka_cluster_id IS NULL", seen)
            return str(await connection.fetchval("SELECT kafka_cluster_id FROM installation"))

    async def take_in(self, part: Slice) -> TakenIn:
        """See `ports.Store.take_in`."""
        async with self._background().connection() as connection:
            return await take_in(connection, part, self._clock.now())

    async def heartbeats(self, topic: str) -> Sequence[Heartbeat]:
        """See `ports.Store.heartbeats`."""
        records = await self._fetch(
            self._commands,
            "SELECT topic, partition, sent_at, epoch, tx::text::bigint AS tx, position, earlier::text FROM heartbeats WHERE topic = $1 "
            "ORDER BY partition",
            topic,
        )
        return [beat for record in records for beat in heartbeats_of(record)]

    # --- keys

    async def keys(self, chain_id: UUID, subject_ids: Sequence[UUID]) -> Mapping[UUID, Key]:
        """See `ports.Store.keys`."""
        return await self._keys.do(AskedFor(chain_id, tuple(subject_ids)))

    async def ensure_key(self, key: Key) -> Key:
        """See `ports.Store.ensure_key`."""
        return (await self._keys.do(AskedFor(key.chain_id, (key.subject_id,), key)))[key.subject_id]

    async def erase_key(self, chain_id: UUID, subject_id: UUID) -> None:
        """See `ports.Store.erase_key`."""
        async with self._background().connection() as connection, connection.transaction():
            await connection.execute("SELECT set_config('app.chain', $1, true)", str(chain_id))
            await connection.execute(
                "INSERT INTO keys AS k (chain_id, subject_id, wrapped, erased, shared, epoch) "
                "SELECT $1, $2, NULL, true, true, epoch FROM installation "
                "ON CONFLICT (chain_id, subject_id) DO UPDATE SET wrapped = NULL, erased = true, epoch = excluded.epoch, tx = excluded.tx, "
                "position = excluded.position, changed_at = excluded.changed_at WHERE NOT k.erased",
                chain_id,
                subject_id,
            )

    async def changed_keys(self, after: Cursor, limit: int, before: datetime | None = None) -> Sequence[Key]:
        """See `ports.Store.changed_keys`."""
        records = await self._fetch(
            self._background(),
            f"SELECT {KEY_COLUMNS}, changed_at FROM keys WHERE shared AND (epoch, tx, position) > ($1, $2::text::xid8, $3) AND {READABLE} "  # noqa: S608
            "ORDER BY epoch, keys.tx, position LIMIT $4",
            after.epoch,
            str(after.tx),
            after.position,
            limit,
        )
        # Stops at the first change that is too recent: a later one that looks older must not take the reader past it.
        return [key_of(record) for record in takewhile(lambda record: before is None or record["changed_at"] <= before, records)]

    # --- development's clock

    async def clock_offset(self) -> timedelta:
        """See `ports.Store.clock_offset`."""
        records = await self._fetch(self._commands, "SELECT clock_offset_seconds FROM installation")
        return timedelta(seconds=records[0]["clock_offset_seconds"])

    async def set_clock_offset(self, offset: timedelta) -> None:
        """See `ports.Store.set_clock_offset`."""
        await self._fetch(self._commands, "UPDATE installation SET clock_offset_seconds = $1", int(offset.total_seconds()))

    async def _fetch(self, door: Door, query: str, *values: Any) -> "list[asyncpg.Record]":
        async with door.connection() as connection:
            records: list[asyncpg.Record] = await connection.fetch(query, *values)
            return records
