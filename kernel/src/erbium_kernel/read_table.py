"""Read tables: what a projection keeps and a GET reads. `chain_id` comes first in every key; row-level security filters by it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, MetaData, PrimaryKeyConstraint, Select, Table, Uuid, delete, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.schema import SchemaItem

KEYSET_ROWS_MAX = 1_001  # rows of one page, the one that tells of a next page included


def read_table(name: str, metadata: MetaData, *columns: SchemaItem, key: Sequence[str]) -> Table:
    """A table with the column `chain_id` in front, whose primary key is (`chain_id`, *`key`)."""
    marked = [column.name for column in columns if isinstance(column, Column) and column.primary_key]
    assert not marked, f"{name}: the key is named by key=, not by primary_key=True on {marked}"
    chain = Column("chain_id", Uuid(), nullable=False)
    return Table(name, metadata, chain, *columns, PrimaryKeyConstraint("chain_id", *key, name=f"{name}_pkey"))


async def put(conn: AsyncConnection, table: Table, chain_id: UUID, **values: Any) -> None:
    """The row under its key now holds these values; columns not named keep theirs. A new row needs all that may not be null."""
    key = [column.name for column in table.primary_key]
    row = insert(table).values(chain_id=chain_id, **values)
    changed = {name: row.excluded[name] for name in values if name not in key}
    if changed:
        await conn.execute(row.on_conflict_do_update(index_elements=key, set_=changed))
    else:
        await conn.execute(row.on_conflict_do_nothing(index_elements=key))


async def change(conn: AsyncConnection, table: Table, chain_id: UUID, where: Mapping[str, Any], **values: Any) -> int:
    """The rows whose columns equal `where` hold these values now; returns how many they are."""
    done = await conn.execute(update(table).where(*_equal(table, chain_id, where)).values(**values))
    return done.rowcount


async def drop(conn: AsyncConnection, table: Table, chain_id: UUID, **key: Any) -> int:
    """The rows whose columns equal `key` are gone; returns how many they were."""
    done = await conn.execute(delete(table).where(*_equal(table, chain_id, key)))
    return done.rowcount


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


def _equal(table: Table, chain_id: UUID, where: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    return [table.c.chain_id == chain_id, *(table.c[name] == value for name, value in where.items())]
