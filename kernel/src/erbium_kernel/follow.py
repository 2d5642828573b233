"""The one follower of reactions and projections: reads the log in order, parks what fails, never lets a key overtake itself."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Protocol
from uuid import UUID

import structlog

from erbium_kernel.errors import LostLease, NotHereYet, Unavailable, Undecodable, VersionConflict
from erbium_kernel.event import Cursor
from erbium_kernel.log_records import MoveCheckpoint, Park, ParkedRowDone, Row
from erbium_kernel.ports import Clock, Lease
from erbium_kernel.progress import IDLE, WORKED, WORKED_OFF, Progress, blocked
from erbium_kernel.trying_again import TryingAgain
from erbium_kernel.whereabouts import reason_of

LOOK_ROWS_MAX = 1_000  # of the log, passed over in one go
RELEASED_ROWS_MAX = 50  # rows of released keys worked off in one step
RELEASED_KEYS_MAX = 50  # released keys tried in one step, whatever comes of it
ATTEMPTS_MAX = 3  # a row that fails so often by our own fault is parked with its key

LOST_RACE = "lost a race, three times in a row"

log = structlog.get_logger(__name__)
OrderedKey = tuple[UUID, UUID]  # (chain, ordering id)


class Effect(Protocol):
    """What following a row means: a command of ours, rows of a read table, a destroyed key."""

    name: str
    hears: frozenset[str]
    rows_max: int  # rows whose effects may commit together
    turns_max: int  # transactions in one step
    aside_after_seconds: float | None  # a row whose own data is not here so long waits aside; None: it is waited for

    async def work(self, lease: Lease, rows: Sequence[Row], move: MoveCheckpoint) -> Cursor:
        """The rows' effects commit together with the move; returns where the checkpoint stands now.

        Unmoved: nothing to commit. Before `move.to`: only the rows up to there were taken, the others come again.
        """
        ...

    async def work_parked(self, lease: Lease, row: Row, done: ParkedRowDone) -> None:
        """The effect of one row of a released key; the row is done when it returns."""
        ...


class Follower:
    """One subscriber at work under its lease. A driver calls `step` again and again; between two calls anything may crash."""

    def __init__(self, effect: Effect, lease: Lease, clock: Clock) -> None:
        """Nothing is read yet."""
        self._effect, self._lease, self._clock = effect, lease, clock
        self._at: Cursor | None = None  # the committed checkpoint
        self._reached = Cursor()  # rows up to here are handled; not necessarily committed
        self._rows: deque[Row] = deque()  # of interest, and not handled yet
        self._looked_to = Cursor()  # nothing but `_rows` is of interest up to here
        self._at_the_end = False  # of what could be read then
        self._owed = False  # was a heard row passed since the last commit? somebody may wait until it is followed
        self._skips: frozenset[tuple[UUID, UUID]] = frozenset()  # (chain, event)
        self._pending: list[Park] = []
        self._parked: Mapping[OrderedKey, bool] = {}
        self._singly = 0  # so many rows go one by one, because one of them spoiled a batch
        self._attempts: Counter[UUID] = Counter()
        self._waiting_since: dict[UUID, datetime] = {}
        self._again: TryingAgain[OrderedKey] = TryingAgain()  # released keys whose next row cannot have its effect yet
        self.parked_total = 0

    async def step(self) -> Progress:
        """Works off one bounded piece. Raises: Unavailable when the lease's own connection fails (take a new lease)."""
        try:
            if self._at is None:
                await self._begin()
            elif self._parked:
                self._parked = await self._lease.parked_keys()  # only we add to it: an empty one needs no look
            worked_off = await self._work_off()
            progress = await self._follow()
            return WORKED if worked_off and progress.kind != "blocked" else progress
        except (LostLease, VersionConflict):
            self._at = None
            return blocked("somebody else moved the checkpoint")

    async def _begin(self) -> None:
        self._rows.clear()
        self._pending.clear()
        self._owed = False
        # First: what a rebuild sends us back over may have been skipped a moment before.
        at = self._reached = self._looked_to = await self._lease.checkpoint()
        self._parked, self._skips = await self._lease.parked_keys(), await self._lease.skips()
        self._at = at

    async def _follow(self) -> Progress:
        if not self._rows and not await self._look():
            return await self._rest()
        trouble, had_effect = None, False
        for _ in range(self._effect.turns_max):
            batch = self._next_batch()
            if not batch or trouble:
                break
            trouble = await self._work(batch)
            had_effect = True
        if trouble and self._rows:
            self._reached = _just_before(self._rows[0])
        if self._owed or trouble or not had_effect:
            await self._flush()  # else what was passed behind the last effect is committed with the next one, or at rest
        if trouble:
            return blocked(trouble)
        return WORKED_OFF if self._at_the_end and not self._rows else WORKED

    async def _rest(self) -> Progress:
        """Nothing to do. Heartbeats count, and lag is measured, by the checkpoint: no row that was passed waits longer for its commit."""
        await self._flush()
        if await self._lease.checkpoint() != self._at:
            raise LostLease  # a rebuild has sent us back to the beginning
        return IDLE

    async def _look(self) -> bool:
        found = await self._lease.look(self._looked_to, LOOK_ROWS_MAX, self._effect.hears)
        passed, self._looked_to, self._at_the_end = found.reached != self._looked_to, found.reached, found.at_the_end
        self._rows.extend(row for row in found.rows if not self._is_skipped(row))
        self._owed |= len(self._rows) < len(found.rows)
        self._handled(0)
        return passed

    def _is_skipped(self, row: Row) -> bool:
        return (row.envelope.chain_id, row.envelope.event_id) in self._skips

    def _next_batch(self) -> list[Row]:
        """Parks what stands behind a parked row, and takes the rows up to the next of those."""
        while self._rows and _key(self._rows[0]) in self._parked:
            self._pending.append(Park(row=self._rows[0], reason=None))
            self._handled(1)
        limit = 1 if self._singly else self._effect.rows_max
        return list(takewhile(lambda row: _key(row) not in self._parked, islice(self._rows, limit)))

    async def _work(self, batch: Sequence[Row]) -> str | None:
        """One transaction; says what is in the way, if anything is."""
        if self._pending:
            await self._flush()
        assert self._at is not None
        move = MoveCheckpoint(self._effect.name, self._at, self._place_behind(batch))
        try:
            self._at = await self._effect.work(self._lease, batch, move)
        except LostLease:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, one key waits and everybody else goes on
            return await self._troubled(batch, error)
        taken = len(batch) if self._at in (move.expected, move.to) else sum(row.cursor <= self._at for row in batch)
        self._forget(batch[0])
        self._done_with(taken)
        return None

    def _place_behind(self, batch: Sequence[Row]) -> Cursor:
        """Where the checkpoint is when these have had their effect: behind what is of no interest, too."""
        return self._looked_to if len(batch) == len(self._rows) else batch[-1].cursor

    async def _troubled(self, batch: Sequence[Row], error: Exception) -> str | None:
        if len(batch) > 1 and not _concerns_all(error):
            self._singly = len(batch)
            return None
        match error:
            case VersionConflict():
                return LOST_RACE
            case Unavailable():
                return await self._waited(batch[0], error)
            case _:
                return await self._failed(batch[0], error)

    async def _waited(self, row: Row, error: Unavailable) -> str | None:
        """Why aside: a patient whose key has yet to arrive must hold up nobody else; his rows are tried again, ever more rarely."""
        if self._effect.aside_after_seconds is None or not isinstance(error, NotHereYet):
            return reason_of(error)
        now = self._clock.machine()
        since = self._waiting_since.setdefault(row.envelope.event_id, now)
        if now - since < timedelta(seconds=self._effect.aside_after_seconds):
            return reason_of(error)
        await self._put_aside(Park(row=row, reason=None), released=True)
        self._again.later(_key(row), now)
        return None

    async def _failed(self, row: Row, error: Exception) -> str | None:
        if not self._beyond_budget(row, error):
            return reason_of(error)
        await self._put_aside(Park(row=row, reason=reason_of(error), attempts=self._attempts[row.envelope.event_id]), released=False)
        self._report("parked", row, error)
        return None

    async def _put_aside(self, park: Park, *, released: bool) -> None:
        self._pending.append(park)
        self._parked = {**self._parked, _key(park.row): released}
        self._forget(park.row)
        self._done_with(1)
        await self._flush()

    def _done_with(self, count: int) -> None:
        self._singly = max(0, self._singly - 1)
        self._handled(count)

    def _handled(self, count: int) -> None:
        for _ in range(count):
            self._reached = self._rows.popleft().cursor
            self._owed = True
        if not self._rows:
            self._reached = self._looked_to

    async def _flush(self) -> None:
        """Commits the rows that were passed or put aside."""
        assert self._at is not None
        if self._reached != self._at or self._pending:
            await self._lease.move(self._at, self._reached, tuple(self._pending))
            self._at = self._reached
        self._pending.clear()
        self._owed = False

    async def _work_off(self) -> bool:
        """Rows of released keys, oldest first, before anything newer of these keys; has any had its effect?

        Why a key in trouble is no trouble of the step: it is tried again later, and nobody else waits for it.
        """
        released = [key for key, let_go in self._parked.items() if let_go]
        self._again.keep(released)
        due, left = self._again.due(released, self._clock.machine(), RELEASED_KEYS_MAX), RELEASED_ROWS_MAX
        for chain_id, ordering_id in due:
            trouble = None
            for row in await self._lease.parked_rows(chain_id, ordering_id, left):
                trouble = await self._work_parked(row)
                if trouble:
                    break
                left -= 1
            if not left or _concerns_all(trouble):
                break
        if due:
            self._parked = await self._lease.parked_keys()
        return left < RELEASED_ROWS_MAX

    async def _work_parked(self, row: Row) -> Exception | None:
        """The effect of one row of a released key, or what is in its way: then the key is tried again later."""
        envelope = row.envelope
        done = ParkedRowDone(self._effect.name, envelope.chain_id, envelope.ordering_id, envelope.event_id)
        try:
            await self._effect.work_parked(self._lease, row, done)
        except LostLease:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, this key waits and everybody else goes on
            self._again.later(_key(row), self._clock.machine())
            if not isinstance(error, VersionConflict | Unavailable) and self._beyond_budget(row, error):
                await self._lease.park_again(envelope.chain_id, envelope.ordering_id, reason_of(error))
                self._report("parked again", row, error)
            return error
        self._forget(row)
        self._again.forget(_key(row))
        return None

    def _beyond_budget(self, row: Row, error: Exception) -> bool:
        self._attempts[row.envelope.event_id] += 1
        return isinstance(error, Undecodable) or self._attempts[row.envelope.event_id] >= ATTEMPTS_MAX

    def _forget(self, row: Row) -> None:
        self._attempts.pop(row.envelope.event_id, None)
        self._waiting_since.pop(row.envelope.event_id, None)

    def _report(self, what: str, row: Row, error: Exception) -> None:
        self._forget(row)
        self.parked_total += 1
        event_id = str(row.envelope.event_id)
        log.error(what, subscriber=self._effect.name, type=row.envelope.type, event_id=event_id, reason=reason_of(error))


def _concerns_all(trouble: Exception | None) -> bool:
    """Is the database away, so that the next key would only wait for it too?"""
    return isinstance(trouble, Unavailable) and not isinstance(trouble, NotHereYet)


def _just_before(row: Row) -> Cursor:
    """No row is between this place and the row, and none before it is behind this place."""
    return row.cursor._replace(position=row.cursor.position - 1)


def _key(row: Row) -> OrderedKey:
    return row.envelope.chain_id, row.envelope.ordering_id
