"""Read tables: what a projection keeps and a GET reads. `chain_id` comes first in every key; row-level security filters by it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, Select, Table, Uuid, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.schema import SchemaItem

from erbium_kernel.personal import PersonalData, Sealed

CHAIN: Final = "chain_id"
KEYSET_ROWS_MAX = 1_001  # rows of one page, the one that tells of a next page included


def read_table(name: str, metadata: MetaData, *columns: SchemaItem, key: Sequence[str]) -> Table:
    """A table with the column `chain_id` in front, whose primary key is (`chain_id`, *`key`)."""
    marked = [column.name for column in columns if isinstance(column, Column) and column.primary_key]
    assert not marked, f"{name}: the key is named by key=, not by primary_key=True on {marked}"
    chain = Column(CHAIN, Uuid(), nullable=False)
    return Table(name, metadata, chain, *columns, PrimaryKeyConstraint(CHAIN, *key, name=f"{name}_pkey"))


class Put(NamedTuple):
    """See `put`."""

    table: Table
    values: Mapping[str, Any]


class Amend(NamedTuple):
    """See `change`."""

    table: Table
    key: Mapping[str, Any]
    values: Mapping[str, Any]


class Revise(NamedTuple):
    """See `revise`."""

    table: Table
    key: Mapping[str, Any]
    revised: Callable[[Mapping[str, Any] | None], Mapping[str, Any] | None]


class Drop(NamedTuple):
    """See `drop`."""

    table: Table
    where: Mapping[str, Any]


Change = Put | Amend | Revise | Drop


def put(table: Table, **values: Any) -> Change:
    """The row under its key now holds these values; columns not named keep theirs. A new row needs all that may not be null."""
    return Put(table, values)


def change(table: Table, key: Mapping[str, Any], **values: Any) -> Change:
    """The row under this key, if there is one, holds these values now."""
    return Amend(table, key, values)


def revise(table: Table, key: Mapping[str, Any], revised: Callable[[Mapping[str, Any] | None], Mapping[str, Any] | None]) -> Change:
    """The row under this key holds what `revised` makes of the one that stands (None: there is none); None from it changes nothing."""
    return Revise(table, key, revised)


def drop(table: Table, **where: Any) -> Change:
    """The rows whose columns equal these values are gone."""
    return Drop(table, where)


def sealed(value: PersonalData | None) -> dict[str, Any] | None:
    """A sealed value as a JSON column keeps it, verbatim, for `Call.open`; None when there is none, or its person was erased."""
    return msgspec.to_builtins(value) if isinstance(value, Sealed) else None


async def all_of(connection: AsyncConnection, query: Select[Any]) -> list[dict[str, Any]]:
    """Every row, under the names of its columns."""
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def one_of(connection: AsyncConnection, query: Select[Any]) -> dict[str, Any] | None:
    """The first row, under the names of its columns, if there is one."""
    row = (await connection.execute(query)).mappings().first()
    return dict(row) if row else None


def page(query: Select[Any], columns: Sequence[Column[Any]], after: Sequence[Any] | None, limit: int) -> Select[Any]:
    """At most `limit` rows in the order of `columns` (none of them null), those after the row whose columns equal `after`.

    Raises: ValueError if `after` does not fit `columns`: a cursor that somebody has made up.
    """
    assert 0 < limit <= KEYSET_ROWS_MAX, f"a page of {limit} rows"
    if after is not None:
        if len(after) != len(columns) or not all(isinstance(v, c.type.python_type) for v, c in zip(after, columns, strict=True)):
            raise ValueError("this cursor belongs to another list")
        query = query.where(tuple_(*columns) > tuple_(*after))
    return query.order_by(*columns).limit(limit)
