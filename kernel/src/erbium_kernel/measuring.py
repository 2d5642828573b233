"""Numbers that operations watches: how far behind each subscriber is, what is parked, what is due, what holds readers back."""

import contextlib
from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Cursor
from erbium_kernel.observing import metrics
from erbium_kernel.ports import Clock, Store
from erbium_kernel.progress import IDLE, Progress
from erbium_kernel.projecting import transaction
from erbium_kernel.relay import SUBSCRIBER
from erbium_kernel.topic_port import Inlet

LAG_EVENTS_COUNTED_MAX = 10_000
INTAKE_LAG_SECONDS = 5.0
SHIFTS_KEPT_MAX = 100  # of development's clock

_AFTER = "(l.epoch, l.tx, l.position) > (:epoch, CAST(CAST(:tx AS text) AS xid8), :position)"
_CHECKPOINTS = text("SELECT subscriber, epoch, tx::text::bigint, position FROM checkpoints")
_OLDEST = text(f"SELECT l.recorded_at FROM log l WHERE {_AFTER} ORDER BY l.epoch, l.tx, l.position LIMIT 1")  # noqa: S608  # constants
_TO_PUBLISH = text(
    "SELECT count(*), (array_agg(recorded_at ORDER BY epoch, tx, position))[1] FROM "  # noqa: S608  # constants
    f"(SELECT * FROM log l WHERE {_AFTER} AND origin IS NULL ORDER BY l.epoch, l.tx, l.position LIMIT :most) AS waiting"
)
_PARKED = text("SELECT subscriber, count(*) FROM parked_keys GROUP BY subscriber")
_OVERDUE = text("SELECT count(*) FROM timers WHERE due_at <= :now")
_HORIZON = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint")


class MachineTime:
    """When a row was recorded on the machine's clock; rows carry the domain's, which development shifts.

    Why: a clock that was just set a month on would show as a month of lag. In production both are the same.
    """

    def __init__(self, clock: Clock) -> None:
        """Shifts before now are unknown: older rows count as recorded under today's offset."""
        self._clock = clock
        self._looked_at = clock.machine()
        self._offsets = deque([(datetime.min.replace(tzinfo=UTC), self._offset())], SHIFTS_KEPT_MAX)  # (in force from, offset)

    def look(self) -> None:
        """To be called often: a shift is dated to the look before the one that notices it."""
        offset = self._offset()
        if offset != self._offsets[-1][1]:
            self._offsets.append((self._looked_at, offset))
        self._looked_at = self._clock.machine()

    def age_seconds(self, recorded_at: datetime) -> float:
        """How long ago, machine time; never below zero."""
        until = now = self._clock.machine()
        found = []  # per offset, the newest first: how far the row misses the time it was in force, the nearest instant in it
        for since, offset in reversed(self._offsets):
            at = recorded_at - offset
            nearest = min(max(at, since), until)
            found.append((abs(at - nearest), nearest))
            until = since
        return (now - min(found, key=lambda each: each[0])[1]).total_seconds()

    def _offset(self) -> timedelta:
        """In whole seconds: the two times are read one after the other."""
        return timedelta(seconds=round((self._clock.now() - self._clock.machine()).total_seconds()))


class Measures:
    """Asks the database now and then; each question is bounded."""

    def __init__(self, engine: AsyncEngine, clock: Clock, subscribers: Sequence[str]) -> None:
        """`engine` connects as `work`, which sees all chains."""
        self._engine, self._clock, self._subscribers = engine, clock, subscribers
        self._recorded = MachineTime(clock)
        self._horizon: tuple[int, datetime] | None = None

    async def step(self) -> Progress:
        """Takes all measures once. Raises: Unavailable."""
        self._recorded.look()
        async with transaction(self._engine) as connection:
            places = {name: Cursor(*place) for name, *place in await connection.execute(_CHECKPOINTS)}
            for name in self._subscribers:
                await self._lag(connection, name, places.get(name, Cursor()))
            await self._relay(connection, places.get(SUBSCRIBER, Cursor()))
            parked = Counter({name: count for name, count in await connection.execute(_PARKED)})
            for name in (*self._subscribers, SUBSCRIBER):
                metrics.parked_keys(name, parked[name])
            metrics.timers_overdue((await connection.execute(_OVERDUE, {"now": self._clock.now()})).scalar_one())
        async with transaction(self._engine) as connection:  # a snapshot without our own transaction in it
            self._held_back(*(await connection.execute(_HORIZON)).one())
        return IDLE

    async def _lag(self, connection: AsyncConnection, name: str, place: Cursor) -> None:
        recorded_at = (await connection.execute(_OLDEST, _place(place))).scalar_one_or_none()
        metrics.follow_lag(name, self._age(recorded_at))

    async def _relay(self, connection: AsyncConnection, place: Cursor) -> None:
        count, recorded_at = (await connection.execute(_TO_PUBLISH, {**_place(place), "most": LAG_EVENTS_COUNTED_MAX})).one()
        metrics.relay_lag(count, self._age(recorded_at))

    def _age(self, recorded_at: datetime | None) -> float:
        return 0.0 if recorded_at is None else self._recorded.age_seconds(recorded_at)

    def _held_back(self, oldest: int, next_: int) -> None:
        """How long readers have not got past the same open transaction. Why so: `work` may not see other roles' transactions."""
        now = self._clock.machine()
        if oldest == next_:
            self._horizon = None
        elif self._horizon is None or self._horizon[0] != oldest:
            self._horizon = (oldest, now)
        metrics.oldest_transaction((now - self._horizon[1]).total_seconds() if self._horizon else 0.0)


class IntakeLag:
    """How many records of each of our partitions have yet to be taken in."""

    def __init__(self, store: Store, inlet: Inlet, clock: Clock) -> None:
        """`inlet` is the one that intake reads."""
        self._store, self._inlet, self._clock = store, inlet, clock
        self._measured_at: datetime | None = None

    async def measure(self) -> None:
        """Now and then, between two steps of intake. The broker is not asked: while it is away, what was seen last counts.

        A database that does not answer is intake's own matter.
        """
        now = self._clock.machine()
        if self._measured_at is not None and now - self._measured_at < timedelta(seconds=INTAKE_LAG_SECONDS):
            return
        self._measured_at = now
        ends = self._inlet.ends_seen()
        with contextlib.suppress(Unavailable):
            for topic in {topic for topic, _ in ends}:
                positions = await self._store.positions(topic)
                for (of, partition), end in ends.items():
                    if of == topic:
                        metrics.intake_lag(topic, partition, max(0, end - positions.get(partition, 0)))


def _place(place: Cursor) -> dict[str, Any]:
    return {"epoch": place.epoch, "tx": str(place.tx), "position": place.position}
