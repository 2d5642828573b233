"""What commands are decided on, from PostgreSQL: many callers' streams, and what their keys were answered before, in one round trip."""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from erbium_kernel.log.doors import Door
from erbium_kernel.log.grouping import Grouping
from erbium_kernel.log.rows import answer_of, row_of
from erbium_kernel.log_records import Answer, AnswerKey, Loaded, Row

LOAD = "SELECT * FROM erbium_load_group($1, $2, $3, $4, $5)"
WHOLE = 2**31 - 1  # above every version


class Asked(NamedTuple):
    """One stream up to version `upto`, from its last event of type `since` on, and what this key was answered before."""

    chain_id: UUID
    stream: str
    upto: int
    since: str | None
    key: AnswerKey | None


class Loading(Grouping[Asked, Loaded]):
    """Streams that many ask for at the same moment, a clinic's for example, are read once for all of them."""

    def __init__(self, door: Door) -> None:
        """`door` is where commands go."""
        super().__init__("load", door)

    def _place(self, work: Asked) -> Hashable:
        return id(work)  # whoever asks may stand in any group

    async def _done(self, connection: "asyncpg.Connection[Any]", group: Sequence[Asked]) -> Sequence[Loaded | Exception]:
        streams = list({asked[1:4]: None for asked in group})
        keys = [(place, asked.key) for place, asked in enumerate(group) if asked.key is not None]
        told = orjson.dumps([{"place": place, "client": key.client, "route": key.route, "key": key.key} for place, key in keys]).decode()
        records = await connection.fetch(
            LOAD, group[0].chain_id, *([stream[n] for stream in streams] for n in range(3)), told if keys else None
        )
        rows: list[list[Row]] = [[] for _ in streams]
        answers: dict[int, Answer] = {}
        for record in records:
            if record["answer"] is None:
                rows[record["place"] - 1].append(row_of(record, group[0].chain_id, own=True))
            else:
                answers[record["place"]] = answer_of(record["answer"])
        found = {asked: tuple(own) for asked, own in zip(streams, rows, strict=True)}
        return [Loaded(rows=found[asked[1:4]], answer=answers.get(place)) for place, asked in enumerate(group)]
