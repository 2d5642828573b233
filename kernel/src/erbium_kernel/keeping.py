"""Changes of read tables written together: what stands is read once, changed in memory, and written by one statement a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import JSON, Table
from sqlalchemy.dialects import postgresql

from erbium_kernel.read_table import CHAIN, Amend, Change, Drop, Put, Revise

Key = tuple[Any, ...]
Kept = dict[str, Any]
"""A row as it is written: a JSON column as text, everything else as it is."""


async def keep(connection: "asyncpg.Connection[Any]", chain_id: UUID, changes: Iterable[Change]) -> None:
    """All of them, in their order, inside the caller's transaction."""
    tables: dict[Table, list[Change]] = {}
    for change in changes:
        tables.setdefault(change.table, []).append(change)
    if not tables:
        return
    names = ", ".join(sorted(f'"{table.name}"' for table in tables))
    # Locked before anything is read: who exchanges a table holds it still first, and would wait for a reader that waits for him.
    # Not flushed: if a crash of the server takes rows of a read table, it takes the checkpoint with them, and they are made again.
    await connection.execute(
        f"SELECT set_config('app.chain', '{chain_id}', true), set_config('synchronous_commit', 'off', true); "  # a UUID
        f"LOCK TABLE {names} IN ROW EXCLUSIVE MODE"
    )
    for table, its in tables.items():
        await _keep(connection, _shape(table), chain_id, its)


async def _keep(connection: "asyncpg.Connection[Any]", shape: "_Shape", chain_id: UUID, changes: Sequence[Change]) -> None:
    page = _Page(shape, await _standing(connection, shape, chain_id, changes))
    for change in changes:
        page.make(change)
    for columns, wheres in page.dropped.items():
        await connection.execute(shape.delete(columns), chain_id, _document(wheres))
    rows = [row for row in page.rows.values() if row is not None]
    if rows:
        await connection.execute(shape.upsert, chain_id, _document(rows))


async def _standing(
    connection: "asyncpg.Connection[Any]", shape: "_Shape", chain_id: UUID, changes: Sequence[Change]
) -> dict[Key, Kept | None]:
    """The rows, as far as it matters what stands in them. Locked, so that none of another transaction's columns is written back."""
    first: dict[Key, bool] = {}
    for change in changes:
        key = shape.key_of(change)
        if key is not None and key not in first:
            whole = isinstance(change, Put) and len(change.values) == len(shape.columns)
            first[key] = not (whole or isinstance(change, Drop))
    asked = [dict(zip(shape.key, key, strict=True)) for key, matters in first.items() if matters]
    if not asked:
        return {}
    found = [dict(record) for record in await connection.fetch(shape.select, chain_id, _document(asked))]
    return {tuple(row[name] for name in shape.key): row for row in found}


class _Page:
    """The rows that a batch concerns, as the changes leave them. `rows`: None is gone. `dropped`: columns -> what they equal, to delete."""

    def __init__(self, shape: "_Shape", rows: dict[Key, Kept | None]) -> None:
        self._shape, self.rows = shape, rows
        self.dropped: dict[tuple[str, ...], list[Kept]] = {}

    def make(self, change: Change) -> None:
        match change:
            case Put():
                self._put(tuple(change.values[name] for name in self._shape.key), change.values)
            case Amend():
                key = self._shape.key_of(change)
                assert key is not None
                standing = self.rows.get(key)
                if standing is not None:
                    standing.update(self._shape.kept(change.values))
            case Revise():
                key = self._shape.key_of(change)
                assert key is not None
                standing = self.rows.get(key)
                values = change.revised(None if standing is None else self._shape.shown(standing))
                if values is not None:
                    self._put(key, {**change.key, **values})
            case Drop():
                self._drop(self._shape.kept(change.where))

    def _put(self, key: Key, values: Mapping[str, Any]) -> None:
        self.rows[key] = (self.rows.get(key) or self._shape.empty) | self._shape.kept(values)

    def _drop(self, where: Kept) -> None:
        """Deleted before anything is put: a row that a later change brings back is written whole."""
        self.dropped.setdefault(tuple(where), []).append(where)
        for key, row in self.rows.items():
            if row is not None and all(row[name] == value for name, value in where.items()):
                self.rows[key] = None
                self.dropped.setdefault(self._shape.key, []).append(dict(zip(self._shape.key, key, strict=True)))


@dataclass(frozen=True, slots=True)
class _Shape:
    """A read table's columns but the chain's, and the statements that read and write its rows."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, str]  # name -> type in PostgreSQL
    json: Mapping[str, bool]  # name of a JSON column -> is None kept as no value, and not as JSON's null?
    empty: Kept
    select: str
    upsert: str

    def key_of(self, change: Change) -> Key | None:
        """Of the one row that it concerns; None if it concerns whichever rows are like that."""
        match change:
            case Put(values=found) | Amend(key=found) | Revise(key=found) | Drop(where=found):
                if isinstance(change, Drop) and set(found) != set(self.key):
                    return None
                return tuple(found[name] for name in self.key)

    def kept(self, values: Mapping[str, Any]) -> Kept:
        """As they are written. Raises: KeyError if the table has no such column."""
        return {name: self._text(name, value) if name in self.json else value for name, value in values.items() if self.columns[name]}

    def shown(self, row: Kept) -> Mapping[str, Any]:
        """As a query shows it."""
        return {name: msgspec.json.decode(value) if name in self.json and value is not None else value for name, value in row.items()}

    def delete(self, columns: tuple[str, ...]) -> str:
        """$1 the chain, $2 what these columns equal."""
        return f'DELETE FROM "{self.name}" t USING {self.told(columns)} WHERE {self.same(columns)}'  # noqa: S608  # names of our own

    def told(self, columns: Iterable[str]) -> str:
        """The parameter $2 as rows `r`. Why as JSON: one parameter and one statement, however many rows, whatever their types."""
        listed = ", ".join(f'"{name}" {"text" if name in self.json else self.columns[name]}' for name in columns)
        return f"json_to_recordset($2::text::json) AS r({listed})"

    def same(self, columns: Iterable[str]) -> str:
        """The table's row `t` is of the chain and like `r`."""
        return " AND ".join([f't."{CHAIN}" = $1', *(f't."{name}" = r."{name}"' for name in columns)])

    def _text(self, name: str, value: Any) -> str | None:
        return None if value is None and self.json[name] else msgspec.json.encode(value).decode()


@lru_cache(maxsize=1_000)
def _shape(table: Table) -> _Shape:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    kinds = {column.name: column.type for column in table.columns if column.name != CHAIN}
    columns = {name: str(kind.compile(dialect=dialect)) for name, kind in kinds.items()}
    documents = {name: kind.none_as_null for name, kind in kinds.items() if isinstance(kind, JSON)}
    key = tuple(column.name for column in table.primary_key if column.name != CHAIN)
    shape = _Shape(table.name, key, columns, documents, dict.fromkeys(columns), "", "")
    shown = ", ".join(f't."{name}"::text' if name in documents else f't."{name}"' for name in columns)
    given = ", ".join(f'r."{name}"::jsonb' if name in documents else f'r."{name}"' for name in columns)
    listed = ", ".join(f'"{name}"' for name in (CHAIN, *columns))
    others = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in key)
    conflict = f"({', '.join(f'{chr(34)}{name}{chr(34)}' for name in (CHAIN, *key))}) DO {'UPDATE SET ' + others if others else 'NOTHING'}"
    select = f'SELECT {shown} FROM "{table.name}" t, {shape.told(key)} WHERE {shape.same(key)} FOR UPDATE OF t'  # noqa: S608
    upsert = f'INSERT INTO "{table.name}" ({listed}) SELECT $1, {given} FROM {shape.told(columns)} ON CONFLICT {conflict}'  # noqa: S608
    return _Shape(table.name, key, columns, documents, dict.fromkeys(columns), select, upsert)


def _document(rows: Sequence[Kept]) -> str:
    return msgspec.json.encode(rows).decode()
