"""The look at a batch's surroundings in PostgreSQL: one statement, one moment."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from device_telemetry.frames.absorbing import BootSoFar
from device_telemetry.frames.codec import Header
from device_telemetry.frames.looking import Head, Look
from device_telemetry.frames.ranges import Range
from device_telemetry.frames.store import Seen
from device_telemetry.frames.totals import Sum
from erbium_kernel.away import database_is_away
from erbium_kernel.errors import Unavailable

_LOOK = "SELECT * FROM frames_look($1, $2, $3, $4, $5)"


class PostgresLooks:
    """See `Looks`. `engine` connects as the role `api`."""

    def __init__(self, engine: AsyncEngine | None) -> None:
        """None: this process has no read tables."""
        self._engine = engine

    async def look(self, chain_id: UUID, header: Header, streams: Sequence[str]) -> Look:
        """See `Looks`."""
        if self._engine is None:
            raise Unavailable("this process has no read tables")
        this = (chain_id, header.device_id, header.boot_id, header.treatment_id, list(streams))
        try:
            async with self._engine.connect() as conn:
                # Why past SQLAlchemy: its transaction around one statement takes three more round trips and five times the work.
                driver: Any = (await conn.get_raw_connection()).driver_connection
                try:
                    row = await driver.fetchrow(_LOOK, *this)
                except BaseException:
                    await conn.invalidate()  # SQLAlchemy has not seen the error, and would lend a dead connection for ever
                    raise
        except Exception as error:
            if database_is_away(error):
                raise Unavailable(f"database: {type(error).__name__}") from error
            raise
        return _look(row)


def _look(row: Any) -> Look:
    received = tuple(Range(first, last) for first, last in msgspec.json.decode(row["received"]))
    zones = {zone: Sum(*sums) for zone, *sums in msgspec.json.decode(row["zones"])}
    cells = {(zone, at, across): Sum(*sums) for zone, at, across, *sums in msgspec.json.decode(row["cells"])}
    heads = [Head(version, event_id) for version, event_id in zip(row["versions"], row["event_ids"], strict=True)]
    return Look(Seen(BootSoFar(received, row["newest_ms"]), zones, cells), heads)
