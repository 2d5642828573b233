"""Schema changes: one Alembic history per service, run by the owner role only, one migration at a time.

Alembic is imported where it is used: it takes a tenth of a service's start, and only `migrate` needs it.
"""

import ast
import asyncio
import importlib
from contextlib import aclosing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from erbium_kernel.away import database_is_away
from erbium_kernel.data_folder import data_folder
from erbium_kernel.database_url import sqlalchemy_url, tls_refusal
from erbium_kernel.errors import Unavailable
from erbium_kernel.schema import package_of, role, statements
from erbium_kernel.settings import PREFIX, Settings, SettingsUnfit

if TYPE_CHECKING:
    from alembic.config import Config

    from erbium_kernel.service import Service

VERSION_TABLE = "schema_version"
TURN_TIMEOUT_MS = 60_000  # waiting for another process that migrates the same database
LOCK_TIMEOUT_MS = 5_000  # a migration that waits for a table longer than this would stop the clinics
STATEMENT_TIMEOUT_MS = 60_000
MIGRATION_LOCK = 4_917_230_115  # any number, the same in every version
OF_THE_CHAIN = "chain_id = nullif(current_setting('app.chain', true), '')::uuid"

_one_at_a_time = asyncio.Lock()  # Alembic's context is one global per process


def migrations_folder(service: str) -> Path:
    """Of this service's package. Raises: FileNotFoundError."""
    origin = importlib.import_module(package_of(service)).__file__
    assert origin is not None, f"{service} is not an ordinary package"
    return data_folder(Path(origin).parent, "migrations", "env.py")


def alembic_config(service: str, owner_url: str = "") -> "Config":
    """What Alembic's commands need, without any ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder(service)).replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", owner_url.replace("%", "%%"))
    return config


async def migrate(owner_url: str, service: str, revision: str = "head") -> None:
    """The database of `service` is at this revision when it returns; a second process waits for its turn.

    Raises: SettingsUnfit if TLS is refused; Unavailable if nobody answers; whatever a migration raises.
    """
    engine = create_async_engine(sqlalchemy_url(owner_url), poolclass=NullPool, hide_parameters=True)
    config = alembic_config(service, owner_url)
    try:
        async with _one_at_a_time, aclosing(await _connected(engine)) as connection:
            await connection.run_sync(_upgrade, config, revision)
            await connection.commit()
    finally:
        await engine.dispose()


async def _connected(engine: AsyncEngine) -> AsyncConnection:
    try:
        return await engine.connect()
    except Exception as error:
        if refusal := tls_refusal(error):
            raise SettingsUnfit(f"{PREFIX}DATABASE_OWNER_URL: {refusal}") from None
        if database_is_away(error):
            raise Unavailable(f"the database does not let us in: {type(getattr(error, 'orig', error)).__name__}") from error
        raise


def _upgrade(connection: Connection, config: "Config", revision: str) -> None:
    from alembic import command

    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@cache
def revisions(service: str) -> tuple[str, ...]:
    """All revisions that this code knows, the newest first: one chain, without branches. Raises: AssertionError if it is none."""
    told = [_told(file) for file in (migrations_folder(service) / "versions").glob("*.py")]
    after = {one["down_revision"]: str(one["revision"]) for one in told}
    chain: list[str] = []
    while (newer := after.get(chain[-1] if chain else None)) is not None:
        chain.append(newer)
        assert len(chain) <= len(told), f"{service}: migrations that follow each other in a circle"
    assert len(chain) == len(told), f"{service}: migrations beside the chain {chain}"
    return tuple(reversed(chain))


def _told(file: Path) -> dict[str, str | None]:
    """What a migration says of its place in the chain."""
    found = {}
    for line in ast.parse(file.read_text("utf-8")).body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in ("revision", "down_revision"):
                found[name] = ast.literal_eval(value)
    assert len(found) == 2, f"{file} does not say `revision = ` and `down_revision = `"
    return found


def head(service: str) -> str | None:
    """The newest revision that this code knows."""
    return next(iter(revisions(service)), None)


def run(context: Any, service: "Service") -> None:
    """What a service's `migrations/env.py` calls: on the connection given by `migrate`, else on one of its own."""
    given = context.config.attributes.get("connection")
    if given is not None:
        _migrate_on(given, context, service.metadata)
    else:
        asyncio.run(_connect_and_migrate(context, service))


async def _connect_and_migrate(context: Any, service: "Service") -> None:
    url = context.config.get_main_option("sqlalchemy.url") or Settings().database_owner_url
    engine = create_async_engine(sqlalchemy_url(str(url)), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate_on, context, service.metadata)
        await connection.commit()
    await engine.dispose()


def _migrate_on(connection: Connection, context: Any, metadata: MetaData) -> None:
    ours = frozenset(metadata.tables)
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        compare_type=True,
        include_name=lambda name, kind, _: kind != "table" or name in ours,
    )
    with context.begin_transaction():
        _limit(connection, TURN_TIMEOUT_MS)
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        _limit(connection, LOCK_TIMEOUT_MS)
        context.run_migrations()


def _limit(connection: Connection, lock_timeout_ms: int) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = {lock_timeout_ms}"))
    connection.execute(text(f"SET LOCAL statement_timeout = {max(lock_timeout_ms, STATEMENT_TIMEOUT_MS)}"))


def install_kernel(op: Any, service: str) -> None:
    """The first migration of every service: the log and what belongs to it, and who may see which revision is in force."""
    for script in statements(service):
        run_script(op, script)
    op.get_bind().exec_driver_sql(f'GRANT SELECT ON {VERSION_TABLE} TO "{role(service, "api")}", "{role(service, "work")}"')


def run_script(op: Any, script: str) -> None:
    """Several statements at once, inside the migration's transaction. Why not `op.execute`: a prepared statement holds only one."""
    bind = op.get_bind()
    bind.exec_driver_sql("SELECT 1")  # opens the transaction
    bind.connection.dbapi_connection.run_async(lambda connection: connection.execute(script))


def secure(op: Any, service: str, table: str) -> None:
    """A table with `chain_id` is read and written one chain at a time, by its owner too; `api` reads it, `work` keeps it."""
    for statement in (
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
        f'CREATE POLICY chain ON "{table}" USING ({OF_THE_CHAIN}) WITH CHECK ({OF_THE_CHAIN})',
        f'GRANT SELECT ON "{table}" TO "{role(service, "api")}"',
        f'GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON "{table}" TO "{role(service, "work")}"',
    ):
        op.get_bind().exec_driver_sql(statement)
