"""What an operator sees and does about parked keys, on PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

from erbium_kernel.errors import NotFound
from erbium_kernel.log.append import FREE_KEY, PARKED_ROW_DONE
from erbium_kernel.log.doors import Door
from erbium_kernel.log.lease import PARKED_ROWS
from erbium_kernel.log.rows import row_of
from erbium_kernel.log.skipping import NOTHING_PARKED, check_skip
from erbium_kernel.log_records import ParkedKey, Row

DETAIL_ROWS_MAX = 1_000


class Parking:
    """The operator's part of the PostgreSQL store."""

    def _background(self) -> Door:
        raise NotImplementedError

    async def parked(self) -> Sequence[ParkedKey]:
        """See `ports.Store.parked`."""
        async with self._background().connection() as connection:
            records = await connection.fetch(
                "SELECT k.*, (SELECT count(*) FROM parked_rows r WHERE (r.subscriber, r.chain_id, r.ordering_id) "
                "= (k.subscriber, k.chain_id, k.ordering_id)) AS rows FROM parked_keys k ORDER BY parked_at, subscriber"
            )
        return [
            ParkedKey(
                subscriber=record["subscriber"],
                chain_id=record["chain_id"],
                ordering_id=record["ordering_id"],
                reason=record["reason"],
                attempts=record["attempts"],
                parked_at=record["parked_at"],
                rows=record["rows"],
                released=record["released"],
            )
            for record in records
        ]

    async def parked_detail(self, subscriber: str, chain_id: UUID, ordering_id: UUID) -> Sequence[Row]:
        """See `ports.Store.parked_detail`."""
        async with self._background().connection() as connection:
            records = await connection.fetch(PARKED_ROWS, subscriber, chain_id, ordering_id, DETAIL_ROWS_MAX)
        return [row_of(record, record["chain_id"]) for record in records]

    async def skip_parked(self, subscriber: str, chain_id: UUID, ordering_id: UUID, event_id: UUID, by: str, reason: str) -> None:
        """See `ports.Store.skip_parked`."""
        key = (subscriber, chain_id, ordering_id)
        async with self._background().of_chain(chain_id) as connection:
            released = await connection.fetchval(
                "SELECT released FROM parked_keys WHERE subscriber = $1 AND chain_id = $2 AND ordering_id = $3 FOR UPDATE", *key
            )
            first = await connection.fetchval(
                "SELECT event_id FROM parked_rows WHERE subscriber = $1 AND chain_id = $2 AND ordering_id = $3 "
                "ORDER BY epoch, tx, position LIMIT 1",
                *key,
            )
            check_skip(event_id, first, released=bool(released))
            await connection.execute(PARKED_ROW_DONE, *key, event_id)
            await connection.execute(
                "UPDATE parked_keys SET released = true WHERE subscriber = $1 AND chain_id = $2 AND ordering_id = $3", *key
            )
            await connection.execute(
                "INSERT INTO skips (subscriber, chain_id, event_id, skipped_by, reason) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                subscriber,
                chain_id,
                event_id,
                by,
                reason,
            )
            await connection.execute(FREE_KEY, *key)

    async def retry_parked(self, subscriber: str, chain_id: UUID, ordering_id: UUID) -> None:
        """See `ports.Store.retry_parked`."""
        async with self._background().of_chain(chain_id) as connection:
            released = await connection.execute(
                "UPDATE parked_keys SET released = true WHERE subscriber = $1 AND chain_id = $2 AND ordering_id = $3",
                subscriber,
                chain_id,
                ordering_id,
            )
            if released.endswith(" 0"):
                raise NotFound(NOTHING_PARKED)
