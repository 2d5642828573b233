"""A read table's twin: the same tables in a schema of their own, and the moment in which the two are exchanged.

The code that keeps and reads a table names no schema; a connection whose search path begins with the twin's works on the twin.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from erbium_kernel.event import Cursor
from erbium_kernel.log.doors import set_chain
from erbium_kernel.log.rows import cursor_of
from erbium_kernel.subscribing import Projection

LIVE = "public"
FREEZE_LOCK_SECONDS = 10  # waiting for the batch that a worker has under way; readers do not wait meanwhile
EXCHANGE_LOCK_MS = 200  # waiting for readers that are under way; new ones wait behind us, so it must be short
EXCHANGE_ATTEMPTS_MAX = 40
EXCHANGE_PAUSE_SECONDS = 0.1  # between two attempts, in which those readers go on
NAME_CHARACTERS_MAX = 63  # PostgreSQL's own bound

COLUMNS = (
    "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
    "WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attname"
)
GRANTS = (
    "SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END AS grantee, "
    "g.privilege_type AS privilege, g.col FROM (SELECT (aclexplode(relacl)).*, NULL::text AS col, relowner FROM pg_class "
    "WHERE oid = to_regclass($1) UNION ALL SELECT (aclexplode(a.attacl)).*, quote_ident(a.attname), c.relowner "
    "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.oid = to_regclass($1) AND a.attnum > 0) g "
    "WHERE g.grantee <> g.relowner"
)
POLICIES = (
    "SELECT quote_ident(policyname) AS name, permissive, cmd, qual, with_check, "
    "(SELECT string_agg(CASE WHEN r = 'public' THEN 'PUBLIC' ELSE quote_ident(r) END, ', ') FROM unnest(roles) r) AS roles "
    "FROM pg_policies WHERE schemaname = $1 AND tablename = $2"
)
SECURITY = "SELECT relrowsecurity AS enabled, relforcerowsecurity AS forced FROM pg_class WHERE oid = to_regclass($1)"


class TablesDiffer(RuntimeError):
    """The read table in the database is not the one of this code: run `migrate` with the same build first."""


class AnotherBuild(RuntimeError):
    """A rebuild of this read table was begun by a build whose tables look otherwise: give it up with --abandon, and begin again."""


class SkippedMeanwhile(RuntimeError):
    """Rows were skipped since this rebuild began, and it may have applied them: give it up with --abandon, and begin again."""


class TableBusy(RuntimeError):
    """Readers hold the read table without a pause; nothing was changed, try again at a quieter time."""


class NobodyFollowed(RuntimeError):
    """No worker has followed this read table yet, so there is nothing to compare and nothing to exchange."""


class Twin:
    """The twin of one projection's tables. `owner` of its methods is a connection as the database's owner."""

    def __init__(self, live: Projection) -> None:
        """Nothing is made yet."""
        self.live = live
        self.schema = f"next_{re.sub(r'[^a-z0-9]+', '_', live.name)}"[:NAME_CHARACTERS_MAX]
        self.projection = replace(live, name=f"{live.name}.next")

    async def make(self, owner: "asyncpg.Connection[Any]") -> None:
        """The tables stand, made now or by a run before this one. Raises: TablesDiffer, AnotherBuild."""
        async with owner.transaction():
            await owner.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 3))", f"erbium.twin.{self.schema}")
            told = await self._told(owner)
            if told is None:
                await self._make(owner)
            elif told["shape"] != self._shape():
                raise AnotherBuild

    async def drop(self, owner: "asyncpg.Connection[Any]") -> bool:
        """Its tables are gone; was there a twin?"""
        there = await self._told(owner) is not None
        await owner.execute(f'DROP SCHEMA IF EXISTS "{self.schema}" CASCADE')
        return there

    async def analyze(self, owner: "asyncpg.Connection[Any]") -> None:
        """Why: readers of a table without statistics would be slow from the exchange on until the database gets to it by itself."""
        for table in self.live.tables:
            await owner.execute(f'ANALYZE "{self.schema}"."{table.name}"')

    @asynccontextmanager
    async def frozen(self, owner: "asyncpg.Connection[Any]") -> AsyncIterator[Cursor]:
        """One transaction in which the live tables stand still at the place that is yielded: workers wait, readers do not.

        Raises: NobodyFollowed, TableBusy; Unavailable if it lasts.
        """
        async with owner.transaction():
            await owner.execute(f"SET LOCAL lock_timeout = '{FREEZE_LOCK_SECONDS}s'")
            try:
                await owner.execute(f"LOCK TABLE {self._names(LIVE)} IN SHARE ROW EXCLUSIVE MODE")
                place = await owner.fetchrow(  # a worker that passes rows of no interest writes only here
                    "SELECT epoch, tx::text::bigint AS tx, position FROM checkpoints WHERE subscriber = $1 FOR UPDATE", self.live.name
                )
            except asyncpg.LockNotAvailableError:
                raise TableBusy from None
            if place is None:
                raise NobodyFollowed
            yield cursor_of(place)

    async def exchange(self, owner: "asyncpg.Connection[Any]", chains: Sequence[UUID]) -> None:
        """Inside `frozen`, the twin at the same place: it becomes the live table when that transaction commits, the old one is gone.

        `chains`: those with parked keys of either or skips. Raises: TableBusy, SkippedMeanwhile.
        """
        await self._check_skips(owner, chains)
        await self._take_over(owner, chains)
        script = "; ".join(  # in one message: readers wait from its first lock until the commit
            [
                f"SET LOCAL lock_timeout = {EXCHANGE_LOCK_MS}",
                f"LOCK TABLE {self._names(LIVE)}, {self._names(self.schema)} IN ACCESS EXCLUSIVE MODE",
                f"DROP TABLE {self._names(LIVE)}",
                *(f'ALTER TABLE "{self.schema}"."{table.name}" SET SCHEMA "{LIVE}"' for table in self.live.tables),
                f'DROP SCHEMA "{self.schema}"',
            ]
        )
        for _ in range(EXCHANGE_ATTEMPTS_MAX):
            try:
                async with owner.transaction():
                    await owner.execute(script)
                return
            except asyncpg.LockNotAvailableError:
                await asyncio.sleep(EXCHANGE_PAUSE_SECONDS)
        raise TableBusy

    async def _take_over(self, owner: "asyncpg.Connection[Any]", chains: Sequence[UUID]) -> None:
        """Why one place back where the twin has parked keys: the worker must notice, and asks again which keys are parked.

        It may then apply the last row again, which changes nothing.
        """
        parked = 0
        for chain_id in chains:
            await set_chain(owner, chain_id)
            for table in ("parked_rows", "parked_keys"):
                await owner.execute(f"DELETE FROM {table} WHERE subscriber = $1", self.live.name)  # noqa: S608  # a constant
                done = await owner.execute(
                    f"UPDATE {table} SET subscriber = $1 WHERE subscriber = $2",  # noqa: S608  # a constant
                    self.live.name,
                    self.projection.name,
                )
                parked += int(done.rpartition(" ")[2])
        if parked:
            await owner.execute("UPDATE checkpoints SET position = position - 1 WHERE subscriber = $1", self.live.name)
        await owner.execute("DELETE FROM checkpoints WHERE subscriber = $1", self.projection.name)

    async def _check_skips(self, owner: "asyncpg.Connection[Any]", chains: Sequence[UUID]) -> None:
        told = await self._told(owner)
        assert told is not None, "exchanged without having been made"
        begun = datetime.fromisoformat(told["begun"])
        for chain_id in chains:
            await set_chain(owner, chain_id)
            if await owner.fetchval("SELECT EXISTS (SELECT FROM skips WHERE subscriber = $1 AND skipped_at > $2)", self.live.name, begun):
                raise SkippedMeanwhile

    def _names(self, schema: str) -> str:
        return ", ".join(f'"{schema}"."{table.name}"' for table in self.live.tables)

    async def _told(self, owner: "asyncpg.Connection[Any]") -> dict[str, str] | None:
        """What the one who made it has left as a note."""
        note = await owner.fetchval("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = $1", self.schema)
        found: dict[str, str] | None = json.loads(note) if note else None
        return found

    def _statements(self) -> list[str]:
        copies = [table.to_metadata(MetaData(), schema=self.schema) for table in self.live.tables]
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        made = [str(CreateTable(copy).compile(dialect=dialect)) for copy in copies]
        indexes = sorted((index for copy in copies for index in copy.indexes), key=lambda index: str(index.name))
        return [*made, *(str(CreateIndex(index).compile(dialect=dialect)) for index in indexes)]

    def _shape(self) -> str:
        return hashlib.sha256("\n".join(self._statements()).encode()).hexdigest()

    async def _make(self, owner: "asyncpg.Connection[Any]") -> None:
        await owner.execute(f'CREATE SCHEMA "{self.schema}"')
        for statement in self._statements():
            await owner.execute(statement)
        for table in self.live.tables:
            await self._as_the_live(owner, table.name)
        begun = await owner.fetchval("SELECT clock_timestamp()")
        note = json.dumps({"subscriber": self.live.name, "begun": begun.isoformat(), "shape": self._shape()})
        await owner.execute(f"COMMENT ON SCHEMA \"{self.schema}\" IS '{note}'")

    async def _as_the_live(self, owner: "asyncpg.Connection[Any]", table: str) -> None:
        """Row-level security, policies and grants. Raises: TablesDiffer."""
        live, twin = f'"{LIVE}"."{table}"', f'"{self.schema}"."{table}"'
        if await owner.fetch(COLUMNS, live) != await owner.fetch(COLUMNS, twin):
            raise TablesDiffer
        security = await owner.fetchrow(SECURITY, live)
        assert security is not None
        for wanted, what in ((security["enabled"], "ENABLE"), (security["forced"], "FORCE")):
            if wanted:
                await owner.execute(f"ALTER TABLE {twin} {what} ROW LEVEL SECURITY")
        for policy in await owner.fetch(POLICIES, LIVE, table):
            using = f" USING ({policy['qual']})" if policy["qual"] else ""
            check = f" WITH CHECK ({policy['with_check']})" if policy["with_check"] else ""
            await owner.execute(
                f"CREATE POLICY {policy['name']} ON {twin} AS {policy['permissive']} FOR {policy['cmd']} TO {policy['roles']}{using}{check}"
            )
        for grant in await owner.fetch(GRANTS, live):
            column = f" ({grant['col']})" if grant["col"] else ""
            await owner.execute(f"GRANT {grant['privilege']}{column} ON {twin} TO {grant['grantee']}")
            await owner.execute(f'GRANT USAGE ON SCHEMA "{self.schema}" TO {grant["grantee"]}')
