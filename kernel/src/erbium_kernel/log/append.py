"""Appends on PostgreSQL: one command alone, those of one subscriber together, or many that share a flush."""

from collections.abc import Hashable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from erbium_kernel.decider import Claim, Guard, Release, SetTimer, TakeName
from erbium_kernel.errors import LostLease, VersionConflict
from erbium_kernel.log.doors import Door, set_chain
from erbium_kernel.log.grouping import Grouping
from erbium_kernel.log_records import AfterAppend, Answer, Append, MoveCheckpoint, NewEvent, TimerFired
from erbium_kernel.ports import Clock

APPEND = "SELECT erbium_append_group($1, $2, $3, $4, $5, $6)"

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
    """The group as `erbium_append_group` takes it."""
    numbered = list(enumerate(group, start=1))
    return (
        group[0].chain_id,
        recorded_at,
        _json([_command(place, work) for place, work in numbered]),
        _json([_guard(guard) for work in group for guard in work.guards]),
        _json([_timer(place, work, *change) for place, work in numbered for change in work.timers]),
        _json([_answer(place, work.answer) for place, work in numbered if work.answer]),
    )


def _json(items: list[dict[str, Any]]) -> str | None:
    return orjson.dumps(items, default=str).decode() if items else None


def _command(place: int, work: Append) -> dict[str, Any]:
    return {
        "place": place, "stream": work.stream, "expected": work.expected, "occurred_at": work.occurred_at, "command_id": work.command_id,
        "correlation_id": work.correlation_id, "causation_id": work.causation_id, "actor_kind": work.actor.kind, "actor_id": work.actor.id,
        "traceparent": work.traceparent, "events": [_event(nth, event) for nth, event in enumerate(work.events, start=1)],
    }  # fmt: skip


def _event(nth: int, event: NewEvent) -> dict[str, Any]:
    return {
        "nth": nth, "event_id": event.event_id, "type": event.type, "schema_version": event.schema_version,
        "ordering_id": event.ordering_id, "clinic_id": event.clinic_id, "subject_id": event.subject_id, "data": orjson.Fragment(event.data),
    }  # fmt: skip


def _guard(guard: Guard) -> dict[str, Any]:
    op = {Claim: "claim", Release: "release", TakeName: "take"}.get(type(guard), "free")
    return {"op": op, **asdict(guard)}


def _timer(place: int, work: Append, set_by: UUID, change: Any) -> dict[str, Any]:
    head = {"command": place, "set_by": set_by, "key": change.key, "stream_id": work.stream[-36:]}
    return {**head, "type": change.type, "due_at": change.due_at, "ref": change.ref} if isinstance(change, SetTimer) else head


def _answer(place: int, answer: Answer) -> dict[str, Any]:
    _, client, route, key = answer.key
    return {
        "place": place, "client": client, "route": route, "key": key, "fingerprint": answer.fingerprint.hex(), "status": answer.status,
        "stream": answer.stream, "version": answer.version, "event_id": answer.event_id, "slug": answer.slug, "detail": answer.detail,
        "facts": answer.facts,
    }  # fmt: skip


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


async def append_together(
    connection: "asyncpg.Connection[Any]", group: Sequence[Append], move: MoveCheckpoint, recorded_at: datetime
) -> None:
    """Commands of one chain, each on a stream of its own, and the checkpoint of the subscriber that made them: all or nothing.

    Raises: VersionConflict if one of them was decided on a version that is no longer the last, LostLease, and as `told`.
    """
    async with connection.transaction():
        versions = await connection.fetchval(APPEND, *arguments(sorted(group, key=lambda work: work.stream), recorded_at))
        if None in versions:
            raise VersionConflict
        await move_checkpoint(connection, move)


async def after(connection: "asyncpg.Connection[Any]", effect: AfterAppend) -> None:
    """One effect that commits with the append. Raises: LostLease if somebody else was there first."""
    if isinstance(effect, MoveCheckpoint):
        await move_checkpoint(connection, effect)
        return
    await set_chain(connection, effect.chain_id)
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
    await set_chain(connection, fired.chain_id)
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


class Appending(Grouping[Append, int]):
    """Commands without guards share a flush; each is told its own outcome after the commit. Raises: VersionConflict, and as `told`."""

    def __init__(self, door: Door, clock: Clock) -> None:
        """`door` is where commands go."""
        super().__init__("append", door)
        self._clock = clock

    def _place(self, work: Append) -> Hashable:
        return work.stream  # of two commands on one stream the second would be decided on a version that is no more

    async def _done(self, connection: "asyncpg.Connection[Any]", group: Sequence[Append]) -> Sequence[int | Exception]:
        by_stream = sorted(group, key=lambda work: work.stream)  # two groups that meet wait for each other in one order
        versions = await connection.fetchval(APPEND, *arguments(by_stream, self._clock.now()))
        found = {work.stream: version for work, version in zip(by_stream, versions, strict=True)}
        return [VersionConflict() if found[work.stream] is None else found[work.stream] for work in group]
