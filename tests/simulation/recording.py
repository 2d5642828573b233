"""What stands for read tables: rows that commit together with the checkpoint, as a projection's do.

Why: SQL projections are tested on PostgreSQL; here it counts that each row reaches each of them, in order, once.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from erbium_kernel.event import Cursor
from erbium_kernel.log.memory_append import move_checkpoint
from erbium_kernel.log.memory_tables import Change
from erbium_kernel.log_records import MoveCheckpoint, ParkedRowDone, Row
from erbium_kernel.ports import Lease
from erbium_kernel.projecting import ROWS_PER_TRANSACTION_MAX, TRANSACTIONS_PER_STEP_MAX

if TYPE_CHECKING:
    from tests.simulation.sites import Site


class Recording:
    """A projection's name and ears. Its table: per chain and ordering id, the events it was told, each once."""

    rows_max = ROWS_PER_TRANSACTION_MAX
    turns_max = TRANSACTIONS_PER_STEP_MAX
    aside_after_seconds: float | None = None

    def __init__(self, site: "Site", name: str, hears: frozenset[str]) -> None:
        """`hears` as the wiring says."""
        self._site, self.name, self.hears = site, name, hears

    async def work(self, _: Lease, rows: Sequence[Row], move: MoveCheckpoint) -> Cursor:
        """Raises: Undecodable, LostLease, Unavailable, InjectedBug."""
        self._met(rows)
        await self._site.pause("projection: written")
        with Change() as change:
            move_checkpoint(change, self._site.store.tables, move)
            self._put(change, rows)
        await self._site.pause("projection: committed")
        return move.to

    async def work_parked(self, lease: Lease, row: Row, done: ParkedRowDone) -> None:
        """Raises: as `work`."""
        self._met([row])
        with Change() as change:
            self._put(change, [row])
        await self._site.pause("projection of a parked row: committed")
        await lease.parked_row_done(done)

    def _met(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._site.burns(self.name, row.envelope.event_id)
            self._site.codec.decode(row)

    def _put(self, change: Change, rows: Sequence[Row]) -> None:
        tables: dict[Any, Any] = self._site.read_tables
        for row in rows:
            place = self.name, row.envelope.chain_id, row.envelope.ordering_id
            told = tables.get(place, ())
            if row.envelope.event_id not in told:  # an upsert: repeating it changes nothing
                change.put(tables, place, (*told, row.envelope.event_id))
