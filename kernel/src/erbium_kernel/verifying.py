"""Before a process serves: is the schema what this code needs, are the chains kept apart, does the log's order belong to this cluster?"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from erbium_kernel.migrating import VERSION_TABLE, head, revisions
from erbium_kernel.projecting import transaction
from erbium_kernel.schema import package_of

_VERSION_TABLE_THERE = text(f"SELECT to_regclass('{VERSION_TABLE}') IS NOT NULL")
_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608  # a constant
_ROLE = text("SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
# Tables that this role may touch; partitions are reached through their parent, whose policies then hold.
_OPEN_TABLES = text(
    "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'chain_id' AND NOT a.attisdropped "
    "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace "
    "AND has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE') AND NOT (c.relrowsecurity AND c.relforcerowsecurity) "
    "ORDER BY c.relname"
)
# A row that can be seen has committed, so its transaction id lies before the snapshot's end, unless another cluster gave it.
# `api` sees no row of the log without a chain, but it sees where subscribers stand: places of rows all the same.
_BEYOND = "EXISTS (SELECT FROM {} WHERE epoch = (SELECT epoch FROM installation) AND tx >= pg_snapshot_xmax(pg_current_snapshot()))"
_FROM_ANOTHER_CLUSTER = text(f"SELECT {_BEYOND.format('log')} OR {_BEYOND.format('checkpoints')}")  # constants


class Unfit(RuntimeError):
    """The database is not what this code needs; the message says what to do."""


async def check_revision(engine: AsyncEngine, service: str) -> str | None:
    """None if the schema is at this code's revision, else a sentence. Raises: Unavailable.

    A revision that this code does not know is newer, and fits: schemas expand in one deploy and contract in a later one.
    """
    needed = head(service)
    async with transaction(engine) as connection:
        there = (await connection.execute(_VERSION_TABLE_THERE)).scalar_one()
        found = (await connection.execute(_VERSION)).scalar_one_or_none() if there else None
    if found == needed or (found is not None and found not in revisions(service)):
        return None
    how = f"run `python -m {package_of(service)} migrate` with the owner's URL"
    return f"The database of {service} is at revision {found or 'none'}, this code needs {needed}: {how}."


async def check_isolation(engine: AsyncEngine) -> str | None:
    """None if row-level security is in force for this role on every table with a chain, else a sentence. Raises: Unavailable."""
    async with transaction(engine) as connection:
        role, bypasses = (await connection.execute(_ROLE)).one()
        open_tables = [name for (name,) in await connection.execute(_OPEN_TABLES)]
    if bypasses:
        return f"The database role {role} bypasses row-level security: connect as a role that is NOSUPERUSER NOBYPASSRLS."
    if open_tables:
        names = ", ".join(open_tables)
        return f"Row-level security is not in force on {names}: a migration must call secure(op, service, table) for each."
    return None


async def check_epoch(engine: AsyncEngine, service: str) -> str | None:
    """None if the current epoch's transaction ids are this cluster's, else a sentence. Raises: Unavailable.

    Why: new rows would get lower ids than those already there, and every reader would pass over them in silence.
    """
    async with transaction(engine) as connection:
        foreign = (await connection.execute(_FROM_ANOTHER_CLUSTER)).scalar_one()
    if not foreign:
        return None
    how = "while all its processes are stopped, run `UPDATE installation SET epoch = epoch + 1` in it as its owner, then start them"
    return f"The database of {service} was restored into another cluster, where transaction ids start again: {how}."


async def verify(engine: AsyncEngine, service: str) -> None:
    """Raises: Unfit with a sentence; Unavailable."""
    sentence = await check_revision(engine, service) or await check_isolation(engine) or await check_epoch(engine, service)
    if sentence:
        raise Unfit(sentence)
