"""Persons' keys on PostgreSQL: those that many ask for, and new ones, in one round trip."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from erbium_kernel.log.doors import Door
from erbium_kernel.log.grouping import Grouping
from erbium_kernel.log.rows import key_of
from erbium_kernel.log_records import Key

KEYS = "SELECT * FROM erbium_keys($1, $2, $3)"


class AskedFor(NamedTuple):
    """The keys of these persons; `new` is stored first, unless its person, who is one of them, has one."""

    chain_id: UUID
    subject_ids: tuple[UUID, ...]
    new: Key | None = None


class KeepingKeys(Grouping[AskedFor, Mapping[UUID, Key]]):
    """Whoever waits for a key at the same moment shares a round trip, and new keys a flush."""

    def __init__(self, door: Door) -> None:
        """`door` is where commands go."""
        super().__init__("keys", door)

    def _place(self, work: AskedFor) -> Hashable:
        return work.new.subject_id if work.new else id(work)

    async def _done(self, connection: "asyncpg.Connection[Any]", group: Sequence[AskedFor]) -> Sequence[Mapping[UUID, Key] | Exception]:
        subjects = sorted({subject for asked in group for subject in asked.subject_ids})
        new = sorted((asked.new for asked in group if asked.new), key=lambda key: key.subject_id)
        records = await connection.fetch(KEYS, group[0].chain_id, subjects, _json(new))
        found = {record["subject_id"]: key_of(record) for record in records}
        return [{subject: found[subject] for subject in asked.subject_ids if subject in found} for asked in group]


def _json(new: Sequence[Key]) -> str | None:
    if not new:
        return None
    told = [{"subject": k.subject_id, "wrapped": k.wrapped and k.wrapped.hex(), "erased": k.erased, "shared": k.shared} for k in new]
    return orjson.dumps(told).decode()
