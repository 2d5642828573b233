"""As recorded at an instant: the fold of what the stream held then, and read tables kept by the projections' own code for one question."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from erbium_kernel.decider import Decider
from erbium_kernel.errors import NotFound
from erbium_kernel.folding import state_of
from erbium_kernel.log_records import Row
from erbium_kernel.projecting import apply, set_chain
from erbium_kernel.runtime import Runtime
from erbium_kernel.subscribing import Projection

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")

# The code that keeps and reads a table names no schema, so that it finds the one of this transaction first.
_PATH = text("SELECT set_config('search_path', 'pg_temp, public', true)")


@dataclass(frozen=True, slots=True, kw_only=True)
class AsRecorded:
    """A resource that can be read as it was recorded at an instant.

    `decider`, `by`: its stream; `by` names the parameter of the path that holds the stream's id. `projections`: those whose tables the
    handler reads; none where it reads the stream itself. What they have from other streams and services is not in such an answer.
    """

    decider: Decider[Any, Any, Any]
    by: str
    projections: tuple[Projection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One question about the past. `at`: UTC, domain time."""

    declared: AsRecorded
    stream_id: UUID
    at: datetime


async def rows_then(runtime: Runtime, chain_id: UUID, stream: str, at: datetime) -> Sequence[Row]:
    """The stream's rows that were recorded by then: a prefix, since inside a stream no row is recorded before an earlier one.

    Raises: NotFound where it speaks of a person who is erased by now, whenever that was; Unavailable.
    """
    rows = (await runtime.store.load(chain_id, stream)).rows
    persons = {person for row in rows for person in (row.envelope.ordering_id, row.envelope.subject_id) if person is not None}
    if any(key.erased for key in (await runtime.store.keys(chain_id, list(persons))).values()):
        raise NotFound
    return list(takewhile(lambda row: row.envelope.recorded_at <= at, rows))


async def state_then(runtime: Runtime, chain_id: UUID, decider: Decider[C, S, E], stream_id: UUID, at: datetime) -> tuple[S, int]:
    """The folded state then and its version; the initial state and 0 before the first event. Raises: as `rows_then`, Undecodable."""
    rows = await rows_then(runtime, chain_id, decider.stream(stream_id), at)
    return await state_of(runtime, chain_id, decider, stream_id, upto=len(rows))


@asynccontextmanager
async def tables_then(engine: AsyncEngine, runtime: Runtime, chain_id: UUID, past: Past) -> AsyncIterator[AsyncConnection]:
    """A transaction in which the declared read tables hold what their projections make of the stream then, and which is rolled back.

    Every other table is as it is now. Raises: as `rows_then`, Undecodable.
    """
    rows = await rows_then(runtime, chain_id, past.declared.decider.stream(past.stream_id), past.at)
    records = [runtime.codec.decode(row) for row in rows]
    async with engine.connect() as connection:
        await connection.begin()
        try:
            await set_chain(connection, chain_id)
            for projection in past.declared.projections:
                for table in projection.tables:
                    await connection.exec_driver_sql(f'CREATE TEMPORARY TABLE "{table.name}" (LIKE public."{table.name}" INCLUDING ALL)')
            await connection.execute(_PATH)
            for row, record in zip(rows, records, strict=True):
                for projection in past.declared.projections:
                    if row.envelope.type in projection.hears:
                        await apply(connection, projection, row.envelope, record)
            yield connection
        finally:
            await connection.rollback()
