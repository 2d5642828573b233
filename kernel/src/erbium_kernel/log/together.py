"""Commands of one chain, each on a stream of its own, that commit together with the checkpoint of the subscriber that made them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from erbium_kernel.errors import VersionConflict
from erbium_kernel.log.append import APPEND, arguments, move_checkpoint
from erbium_kernel.log_records import Append, MoveCheckpoint


async def append_together(
    connection: "asyncpg.Connection[Any]", group: Sequence[Append], move: MoveCheckpoint, recorded_at: datetime
) -> None:
    """All or nothing. Raises: VersionConflict if one of them was decided on a version that is no longer the last, LostLease."""
    async with connection.transaction():
        versions = await connection.fetchval(APPEND, *arguments(sorted(group, key=lambda work: work.stream), recorded_at))
        if None in versions:
            raise VersionConflict
        await move_checkpoint(connection, move)
