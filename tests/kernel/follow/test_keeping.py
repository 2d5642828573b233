"""Changes of read tables written together leave what they would have left one by one, byte for byte, on a real PostgreSQL."""

import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, MetaData, Table, Text, Uuid, delete, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.schema import CreateTable

from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.keeping import keep
from erbium_kernel.read_table import Amend, Change, Drop, Put, Revise, change, drop, put, read_table, revise

pytestmark = pytest.mark.servers
METADATA = MetaData()
ROUNDS, CHANGES_MAX = 25, 30
SHELVES = [UUID(int=n) for n in range(3)]
VALUES: dict[str, Sequence[Any]] = {
    "note": ["", "plain", 'ünï \u2028 "quoted" \\ back', "\U0001f989"],
    "count": [0, -(2**62), 2**53 + 1],
    "open": [True, False],
    "day": [date(1904, 2, 29), date(9999, 12, 30), None],
    "at": [datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC), None],
    "words": [[], ["a", 'b"', "c,d", "{}", "NULL"]],
    "document": [None, {}, {"n": 1.5, "t": "é\n", "l": [None, True, 10**20]}, "text", []],
    "perhaps": [None, {"v": 1}],
}


def shelf(name: str) -> Table:
    """One column of every kind that read tables have."""
    return read_table(
        name,
        METADATA,
        Column("shelf", Uuid(), nullable=False),
        Column("place", Integer(), nullable=False),
        Column("note", Text()),
        Column("count", BigInteger()),
        Column("open", Boolean()),
        Column("day", Date()),
        Column("at", DateTime(timezone=True)),
        Column("words", ARRAY(Text())),
        Column("document", JSONB()),
        Column("perhaps", JSONB(none_as_null=True)),
        key=("shelf", "place"),
    )


TOGETHER, SINGLY = shelf("shelves_together"), shelf("shelves_singly")


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[AsyncConnection]:
    """A transaction with both tables, rolled back."""
    engine = create_async_engine(sqlalchemy_url(postgres_url))
    async with engine.connect() as connection:
        for table in (TOGETHER, SINGLY):
            made = str(CreateTable(table).compile(dialect=postgresql.dialect()))
            await connection.execute(text(made.replace("CREATE TABLE", "CREATE TEMPORARY TABLE")))
        yield connection
        await connection.rollback()
    await engine.dispose()


def some_values(chance: random.Random, *, whole: bool) -> dict[str, Any]:
    """Of all columns, or of some."""
    names = list(VALUES) if whole else chance.sample(list(VALUES), chance.randint(1, 4))
    return {name: chance.choice(VALUES[name]) for name in names}


def counted(row: Any) -> dict[str, Any] | None:
    """Depends on what stands: one more word and document, nothing where there is none and no row either."""
    if row is None:
        return None
    return {"words": [*(row["words"] or []), "more"], "document": {"before": row["document"], "was": row["perhaps"]}}


def some_change(chance: random.Random) -> Change:
    """Few keys, so that changes meet."""
    key = {"shelf": chance.choice(SHELVES), "place": chance.randint(1, 3)}
    match chance.randint(0, 7):
        case 0 | 1 | 2:
            return put(TOGETHER, **key, **some_values(chance, whole=chance.random() < 0.5))
        case 3 | 4:
            return change(TOGETHER, key, **some_values(chance, whole=False))
        case 5:
            return revise(TOGETHER, key, counted if chance.random() < 0.5 else lambda row: counted(row) or {"note": "first"})
        case 6:
            return drop(TOGETHER, **key)
        case _:
            return drop(TOGETHER, shelf=key["shelf"]) if chance.random() < 0.7 else drop(TOGETHER, note=chance.choice(VALUES["note"]))


async def one_by_one(connection: AsyncConnection, chain_id: UUID, made: Change) -> None:
    """A statement of its own, as the words of `read_table` say."""
    table = SINGLY
    where = made.where if isinstance(made, Drop) else {} if isinstance(made, Put) else made.key
    equal = [table.c.chain_id == chain_id, *(table.c[name] == value for name, value in where.items())]
    match made:
        case Put(values=values):
            await upsert(connection, chain_id, values)
        case Amend(values=values):
            await connection.execute(update(table).where(*equal).values(**values))
        case Revise(key=key, revised=revised):
            row = (await connection.execute(select(table).where(*equal))).mappings().first()
            values = revised(row)
            if values is not None:
                await upsert(connection, chain_id, {**key, **values})
        case Drop():
            await connection.execute(delete(table).where(*equal))


async def upsert(connection: AsyncConnection, chain_id: UUID, values: Any) -> None:
    """The row under its key holds these values."""
    row = insert(SINGLY).values(chain_id=chain_id, **values)
    changed = {name: row.excluded[name] for name in values if name not in ("shelf", "place")}
    await connection.execute(row.on_conflict_do_update(index_elements=["chain_id", "shelf", "place"], set_=changed))


async def stored(connection: AsyncConnection, table: Table) -> list[str]:
    """Every row as PostgreSQL writes it."""
    rows = await connection.execute(text(f"SELECT t::text FROM {table.name} t ORDER BY 1"))  # a constant
    return list(rows.scalars())


@pytest.mark.parametrize("seed", range(3))
async def test_together_is_one_by_one(connection: AsyncConnection, seed: int) -> None:
    """Whatever meets in a batch, and whatever stood before it, the tables hold the same bytes."""
    chance, chains, seen = random.Random(seed), (uuid4(), uuid4()), set()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    for _ in range(ROUNDS):
        chain_id, batch = chance.choice(chains), [some_change(chance) for _ in range(chance.randint(1, CHANGES_MAX))]
        await keep(driver, chain_id, batch)
        for made in batch:
            await one_by_one(connection, chain_id, made)
        rows = await stored(connection, TOGETHER)
        assert rows == await stored(connection, SINGLY)
        seen.update(rows)
    assert len(seen) > ROUNDS


async def test_a_column_that_is_not_there(connection: AsyncConnection) -> None:
    """A value for a column that the table has not got is our own bug, told at once."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    with pytest.raises(KeyError, match="noet"):
        await keep(driver, uuid4(), [put(TOGETHER, shelf=SHELVES[0], place=1, noet="?")])
