"""Two versions of a read table compared row by row, at one moment; keys and names of columns are told, values never."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from erbium_kernel.projecting import set_chain

LISTED_MAX = 1_000  # of one table

# Hops from chain to chain on the index of events: a log is much longer than the list of chains in it.
CHAINS = text(
    "WITH RECURSIVE chains AS ((SELECT chain_id FROM log ORDER BY chain_id LIMIT 1) UNION ALL "
    "SELECT (SELECT l.chain_id FROM log l WHERE l.chain_id > c.chain_id ORDER BY l.chain_id LIMIT 1) FROM chains c "
    "WHERE c.chain_id IS NOT NULL) SELECT chain_id FROM chains WHERE chain_id IS NOT NULL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One row. `missing`: only the live table has it; `extra`: only the new one; else the columns that differ."""

    kind: Literal["missing", "extra", "differing"]
    key: Mapping[str, str]
    columns: Sequence[str]


@dataclass(slots=True, kw_only=True)
class TableParity:
    """One table over all chains. Units: rows."""

    table: str
    live: int = 0
    new: int = 0
    missing: int = 0
    extra: int = 0
    differing: int = 0
    listed: list[Difference]

    @property
    def holds(self) -> bool:
        """Is every row the same on both sides?"""
        return not (self.missing or self.extra or self.differing)


async def compare(connection: AsyncConnection, tables: Sequence[Table], live: str, new: str, listed_max: int) -> Sequence[TableParity]:
    """`connection`: as `work`, in a transaction whose snapshot shows both schemas at one place. `listed_max`: differences told a table."""
    assert 0 <= listed_max <= LISTED_MAX, listed_max
    chains: Sequence[UUID] = (await connection.execute(CHAINS)).scalars().all()
    found = [TableParity(table=table.name, listed=[]) for table in tables]
    for chain_id in chains:
        await set_chain(connection, chain_id)
        for table, parity in zip(tables, found, strict=True):
            await _compare(connection, table, live, new, parity, listed_max)
    return found


async def _compare(connection: AsyncConnection, table: Table, live: str, new: str, parity: TableParity, listed_max: int) -> None:
    counts = (await connection.execute(text(_counts(table, live, new)))).mappings().one()
    for name, count in counts.items():
        setattr(parity, name, getattr(parity, name) + count)
    left = listed_max - len(parity.listed)
    if left > 0 and any(counts[name] for name in ("missing", "extra", "differing")):
        rows = await connection.execute(text(_list(table, live, new)), {"most": left})
        parity.listed += [Difference(kind=row.kind, key=row.key, columns=tuple(row.columns)) for row in rows]


def _columns(table: Table) -> tuple[list[str], list[str]]:
    key = [column.name for column in table.primary_key]
    return key, [column.name for column in table.columns if column.name not in key]


def _joined(table: Table, live: str, new: str) -> str:
    key, _ = _columns(table)
    on = " AND ".join(f'l."{name}" = n."{name}"' for name in key)
    return f'"{live}"."{table.name}" l FULL JOIN "{new}"."{table.name}" n ON {on}'


def _differs(table: Table) -> str:
    _, others = _columns(table)
    return " OR ".join(f'l."{name}" IS DISTINCT FROM n."{name}"' for name in others) or "false"


def _counts(table: Table, live: str, new: str) -> str:
    return (
        "SELECT count(l.chain_id) AS live, count(n.chain_id) AS new, "  # noqa: S608  # names out of our own metadata
        "count(*) FILTER (WHERE n.chain_id IS NULL) AS missing, count(*) FILTER (WHERE l.chain_id IS NULL) AS extra, "
        f"count(*) FILTER (WHERE l.chain_id IS NOT NULL AND n.chain_id IS NOT NULL AND ({_differs(table)})) AS differing "
        f"FROM {_joined(table, live, new)}"
    )


def _list(table: Table, live: str, new: str) -> str:
    key, others = _columns(table)
    named = ", ".join(f'\'{name}\', coalesce(l."{name}", n."{name}")::text' for name in key)
    differing = ", ".join(f'CASE WHEN l."{name}" IS DISTINCT FROM n."{name}" THEN \'{name}\' END' for name in others) or "NULL"
    return (
        "SELECT CASE WHEN n.chain_id IS NULL THEN 'missing' WHEN l.chain_id IS NULL THEN 'extra' ELSE 'differing' END AS kind, "  # noqa: S608
        f"jsonb_build_object({named}) AS key, CASE WHEN n.chain_id IS NULL OR l.chain_id IS NULL THEN ARRAY[]::text[] "
        f"ELSE array_remove(ARRAY[{differing}]::text[], NULL) END AS columns FROM {_joined(table, live, new)} "
        f"WHERE n.chain_id IS NULL OR l.chain_id IS NULL OR {_differs(table)} ORDER BY 2 LIMIT :most"
    )


def shown(parity: TableParity) -> dict[str, Any]:
    """As JSON."""
    counts = {name: getattr(parity, name) for name in ("table", "live", "new", "missing", "extra", "differing")}
    return counts | {"listed": [{"kind": each.kind, "key": dict(each.key), "columns": list(each.columns)} for each in parity.listed]}
