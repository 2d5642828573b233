"""One subscriber's exclusive place in the memory store's log."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from uuid import UUID

from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Cursor
from erbium_kernel.log.memory_append import move_checkpoint, write_after
from erbium_kernel.log.memory_parking import park_again, park_rows
from erbium_kernel.log.memory_tables import Change, ParkedPlace, Tables
from erbium_kernel.log.memory_transactions import Pause, Transactions
from erbium_kernel.log_records import Looked, MoveCheckpoint, Park, ParkedRowDone, Row
from erbium_kernel.ports import Clock


@dataclass(slots=True, eq=False)
class MemoryLease:
    """Ends with its `with` block, or before, when its connection is cut: from then on every call is `Unavailable`."""

    subscriber: str
    tables: Tables
    transactions: Transactions
    clock: Clock
    pause: Pause
    alive: bool = True

    async def checkpoint(self) -> Cursor:
        """Where the subscriber is; `Cursor()` at first. Raises: Unavailable."""
        await self._begin("checkpoint")
        return self.tables.checkpoints.get(self.subscriber, Cursor())

    async def read(self, after: Cursor, limit: int) -> Sequence[Row]:
        """The next rows in order, stopping below the oldest open transaction. Raises: Unavailable."""
        await self._begin("read")
        readable = takewhile(lambda row: self.transactions.readable(row.cursor), self.tables.log.after(after))
        return tuple(islice(readable, limit))

    async def look(self, after: Cursor, limit: int, hears: Collection[str]) -> Looked:
        """Of the next `limit` rows those of these types, and how far the look went. Raises: Unavailable."""
        rows = await self.read(after, limit)
        reached = rows[-1].cursor if rows else after
        return Looked([row for row in rows if row.envelope.type in hears], reached, at_the_end=len(rows) < limit)

    async def hides(self, after: Cursor) -> bool:
        """Is a committed row after this place, readable or not? Raises: Unavailable."""
        await self._begin("hides")
        return next(iter(self.tables.log.after(after)), None) is not None

    async def move(self, expected: Cursor, to: Cursor, park: Sequence[Park] = ()) -> None:
        """Compare-and-set of the checkpoint, with rows parked in the same transaction. Raises: LostLease, Unavailable."""
        await self._begin("move")
        with Change() as change:
            move_checkpoint(change, self.tables, MoveCheckpoint(self.subscriber, expected, to))
            park_rows(change, self.tables, self.subscriber, park, self.clock.machine())
        await self.pause("move: committed")

    async def parked_keys(self) -> Mapping[tuple[UUID, UUID], bool]:
        """(chain, ordering id) -> released by an operator? of this subscriber. Raises: Unavailable."""
        await self._begin("parked keys")
        parked = self.tables.parked.items()
        return {(place.chain_id, place.ordering_id): state.released for place, state in parked if place.subscriber == self.subscriber}

    async def skips(self) -> frozenset[tuple[UUID, UUID]]:
        """(chain, event): what this subscriber passes over for ever. Raises: Unavailable."""
        await self._begin("skips")
        return frozenset((chain_id, event_id) for subscriber, chain_id, event_id in self.tables.skips if subscriber == self.subscriber)

    async def parked_rows(self, chain_id: UUID, ordering_id: UUID, limit: int) -> Sequence[Row]:
        """The rows of a parked key, oldest first. Raises: Unavailable."""
        await self._begin("parked rows")
        return self.tables.parked_rows.get(ParkedPlace(self.subscriber, chain_id, ordering_id), ())[:limit]

    async def parked_row_done(self, done: ParkedRowDone) -> None:
        """The row leaves its key. Raises: LostLease if it has left already, Unavailable."""
        await self._begin("parked row done")
        with Change() as change:
            write_after(change, self.tables, [done])
        await self.pause("parked row done: committed")

    async def park_again(self, chain_id: UUID, ordering_id: UUID, reason: str) -> None:
        """A released key waits for the operator as before. Raises: Unavailable."""
        await self._begin("park again")
        with Change() as change:
            park_again(change, self.tables, ParkedPlace(self.subscriber, chain_id, ordering_id), reason)
        await self.pause("park again: committed")

    async def _begin(self, what: str) -> None:
        await self.pause(f"{what}: begin")
        if not self.alive:
            raise Unavailable(f"the lease of {self.subscriber} is over")
