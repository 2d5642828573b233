"""When rows were committed, by PostgreSQL's own note (`track_commit_timestamp`): nobody has to look while it is measured.

The note is made just before the commit is flushed, in both services alike, so a delay is right to within one flush.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from bench.ground import Ground, connect
from bench.patience import until

SECONDS_MAX: Final = 40.0
AT: Final = "extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at_s"


async def delays(
    ground: Ground, begins: tuple[str, str, Sequence[Any]], ends: tuple[str, str, Sequence[Any]], keys: Sequence[UUID]
) -> list[float]:
    """(service, query, ids) of both ends; each query gives `id` and `AT` of the rows of $1 chain and $2 ids.

    Seconds from one commit to the other, for every key. Raises: TimeoutError unless all have arrived within 40 s.
    """
    came: Mapping[UUID, float] = {}

    async def all_came() -> bool:
        nonlocal came
        came = await _times(ground, *ends)
        return len(came) >= len(keys)

    await until(all_came, seconds_max=SECONDS_MAX)
    began = await _times(ground, *begins)
    return [came[key] - began[key] for key in keys]


async def _times(ground: Ground, service: str, query: str, ids: Sequence[Any]) -> dict[UUID, float]:
    connection = await connect(ground.superuser(service))
    try:
        return {row["id"]: row["at_s"] for row in await connection.fetch(query, ground.chain, ids)}
    finally:
        await connection.close()
