"""Appends on PostgreSQL: one command alone, or many that share a flush."""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from erbium_kernel.decider import Claim, Guard, Release, SetTimer, TakeName
from erbium_kernel.errors import LostLease, Unavailable, VersionConflict
from erbium_kernel.log.doors import Door
from erbium_kernel.log_records import AfterAppend, Append, MoveCheckpoint, TimerFired
from erbium_kernel.ports import Clock

GROUP_COMMANDS_MAX = 64
WAITING_COMMANDS_MAX = 4_096
WRITERS = 2
STOP_SECONDS = 5.0

APPEND = "SELECT erbium_append({})".format(
    ", ".join(
        f"${place}::{kind}"
        for place, kind in enumerate(
            "uuid timestamptz text[] int[] timestamptz[] text[] text[] uuid[] uuid[] uuid[] text[] "
            "int[] uuid[] text[] int[] uuid[] uuid[] uuid[] text[] jsonb jsonb jsonb".split(),
            start=1,
        )
    )
)

# Compare-and-set; 1 if it has moved, else 0; read tables move theirs by it too. Only a first move makes the row: one that a rebuild is
# about to delete must not come back.
MOVE_CHECKPOINT = (
    "WITH moved AS (UPDATE checkpoints SET epoch = $2, tx = $3::text::xid8, position = $4, moved_at = clock_timestamp() "
    "WHERE subscriber = $1 AND (epoch, tx, position) = ($5, $6::text::xid8, $7) RETURNING subscriber), "
    "begun AS (INSERT INTO checkpoints (subscriber, epoch, tx, position) SELECT $1, $2, $3::text::xid8, $4 "
    "WHERE ($5::int, $6::text, $7::bigint) = (0, '0', 0) AND NOT EXISTS (SELECT FROM moved) ON CONFLICT DO NOTHING RETURNING subscriber) "
    "SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM begun)"
)

PARKED_ROW_DONE = "DELETE FROM parked_rows WHERE subscriber = $1 AND chain_id = $2 AND ordering_id = $3 AND event_id = $4"
FREE_KEY = (
    "DELETE FROM parked_keys k WHERE subscriber = $1 AND chain_id = $2 AND ordering_id = $3 AND NOT EXISTS "
    "(SELECT FROM parked_rows r WHERE (r.subscriber, r.chain_id, r.ordering_id) = (k.subscriber, k.chain_id, k.ordering_id))"
)


def arguments(group: Sequence[Append], recorded_at: datetime) -> tuple[Any, ...]:
    """The group as the arrays of `erbium_append`: commands first, then their events in order."""
    events = [(place, event) for place, work in enumerate(group, start=1) for event in work.events]
    guards = [_guard(guard) for work in group for guard in work.guards]
    timers = [_timer(place, work, *change) for place, work in enumerate(group, start=1) for change in work.timers]
    answers = [_answer(place, work) for place, work in enumerate(group, start=1) if work.answer]
    return (
        group[0].chain_id,
        recorded_at,
        [work.stream for work in group],
        [work.expected for work in group],
        [work.occurred_at for work in group],
        [work.actor.kind for work in group],
        [work.actor.id for work in group],
        [work.command_id for work in group],
        [work.correlation_id for work in group],
        [work.causation_id for work in group],
        [work.traceparent for work in group],
        [place for place, _ in events],
        [event.event_id for _, event in events],
        [event.type for _, event in events],
        [event.schema_version for _, event in events],
        [event.ordering_id for _, event in events],
        [event.clinic_id for _, event in events],
        [event.subject_id for _, event in events],
        [event.data.decode() for _, event in events],
        _json(guards),
        _json(timers),
        _json(answers),
    )


def _json(items: list[dict[str, Any]]) -> str | None:
    return json.dumps(items, default=str) if items else None


def _guard(guard: Guard) -> dict[str, Any]:
    op = {Claim: "claim", Release: "release", TakeName: "take"}.get(type(guard), "free")
    return {"op": op, **asdict(guard)}


def _timer(place: int, work: Append, set_by: UUID, change: Any) -> dict[str, Any]:
    head = {"command": place, "set_by": set_by, "key": change.key, "stream_id": work.stream[-36:]}
    return {**head, "type": change.type, "due_at": change.due_at, "ref": change.ref} if isinstance(change, SetTimer) else head


def _answer(place: int, work: Append) -> dict[str, Any]:
    assert work.answer is not None
    answer = asdict(work.answer)
    _, client, route, key = work.answer.key
    return {**answer, "command": place, "client": client, "route": route, "key": key, "fingerprint": work.answer.fingerprint.hex()}


async def append_alone(connection: "asyncpg.Connection[Any]", work: Append, recorded_at: datetime) -> int:
    """One command in its own transaction, with what must commit after it. Raises: VersionConflict, LostLease, and as `told`."""
    async with connection.transaction():
        for effect in work.after:
            if isinstance(effect, TimerFired):
                await _still_set(connection, effect)
        [version] = await connection.fetchval(APPEND, *arguments([work], recorded_at))
        if version is None:
            raise VersionConflict
        for effect in work.after:
            await after(connection, effect)
    return int(version)


async def after(connection: "asyncpg.Connection[Any]", effect: AfterAppend) -> None:
    """One effect that commits with the append. Raises: LostLease if somebody else was there first."""
    if isinstance(effect, MoveCheckpoint):
        await move_checkpoint(connection, effect)
        return
    await connection.execute("SELECT set_config('app.chain', $1, true)", str(effect.chain_id))
    if isinstance(effect, TimerFired):  # gone already where the command has set its successor under the same key
        await connection.execute("DELETE FROM timers WHERE chain_id = $1 AND key = $2 AND set_by = $3", *effect)
        return
    done = await connection.execute(PARKED_ROW_DONE, *effect)
    await connection.execute(FREE_KEY, *effect[:3])
    if done.endswith(" 0"):
        raise LostLease


async def _still_set(connection: "asyncpg.Connection[Any]", fired: TimerFired) -> None:
    """Reads only: nothing may be written before the append. Raises: LostLease if the timer was cancelled, set anew or fired meanwhile."""
    # Two workers that fire one timer wait for each other here; an advisory lock gives no transaction id.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 2))", f"{fired.chain_id}={fired.key}")
    await connection.execute("SELECT set_config('app.chain', $1, true)", str(fired.chain_id))
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM timers WHERE chain_id = $1 AND key = $2 AND set_by = $3)", *fired):
        raise LostLease


async def move_checkpoint(connection: "asyncpg.Connection[Any]", move: MoveCheckpoint) -> None:
    """See `MOVE_CHECKPOINT`. Raises: LostLease."""
    if not await connection.fetchval(MOVE_CHECKPOINT, *move_arguments(move)):
        raise LostLease


def move_arguments(move: MoveCheckpoint) -> tuple[Any, ...]:
    """What `MOVE_CHECKPOINT` is given."""
    to, was = move.to, move.expected
    return move.subscriber, to.epoch, str(to.tx), to.position, was.epoch, str(was.tx), was.position


class GroupAppender:
    """Commands without guards wait here for a writer and share its flush; each is told its own outcome after the commit."""

    def __init__(self, door: Door, clock: Clock) -> None:
        """Writers start with the first command."""
        self._door, self._clock = door, clock
        self._waiting: deque[tuple[Append, asyncio.Future[int]]] = deque()
        self._wake = asyncio.Event()
        self._writers: list[asyncio.Task[None]] = []
        self._closing = False

    async def append(self, work: Append) -> int:
        """Raises: as `append_alone`; Unavailable when too many commands wait already."""
        if self._closing or len(self._waiting) >= WAITING_COMMANDS_MAX:
            raise Unavailable("this process is stopping, or too many commands wait for the database")
        if not self._writers:
            self._writers = [asyncio.create_task(self._write(), name=f"append-{n}") for n in range(WRITERS)]
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        self._wake.set()
        return await future

    async def close(self) -> None:
        """The writers work off what waits, then stop."""
        self._closing = True
        self._wake.set()
        if self._writers:
            _, late = await asyncio.wait(self._writers, timeout=STOP_SECONDS)
            for writer in late:
                writer.cancel()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            group = self._next_group()
            if not group:
                if self._closing:
                    return
                self._wake.clear()
                continue
            await self._together(group)

    def _next_group(self) -> list[tuple[Append, asyncio.Future[int]]]:
        """The next commands of one chain, never two of one stream, sorted by stream; the others keep their place."""
        group: dict[str, tuple[Append, asyncio.Future[int]]] = {}
        later: list[tuple[Append, asyncio.Future[int]]] = []
        while self._waiting and len(group) < GROUP_COMMANDS_MAX:
            work, future = self._waiting.popleft()
            if future.done():
                continue
            chain_id = next(iter(group.values()))[0].chain_id if group else work.chain_id
            if work.stream in group or work.chain_id != chain_id:
                later.append((work, future))
            else:
                group[work.stream] = (work, future)
        self._waiting.extendleft(reversed(later))
        return [group[stream] for stream in sorted(group)]

    async def _together(self, group: list[tuple[Append, asyncio.Future[int]]]) -> None:
        try:
            async with self._door.connection() as connection:
                versions = await connection.fetchval(APPEND, *arguments([work for work, _ in group], self._clock.now()))
        except Unavailable as away:
            for _, future in group:
                _tell(future, away)
        except Exception:  # noqa: BLE001  # whatever one member did, it rolled back all: each alone is told its own error
            await self._one_by_one(group)
        else:
            for (_, future), version in zip(group, versions, strict=True):
                _tell(future, VersionConflict() if version is None else version)

    async def _one_by_one(self, group: list[tuple[Append, asyncio.Future[int]]]) -> None:
        for work, future in group:
            try:
                async with self._door.connection() as connection:
                    _tell(future, await append_alone(connection, work, self._clock.now()))
            except Exception as error:  # noqa: BLE001  # handed to the caller that waits for it
                _tell(future, error)


def _tell(future: "asyncio.Future[int]", outcome: int | Exception) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
