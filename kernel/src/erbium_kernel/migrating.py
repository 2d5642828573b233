"""Schema changes: one Alembic history per service, run by the owner role only, one migration at a time."""

import asyncio
import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from erbium_kernel.service import Service

VERSION_TABLE = "schema_version"
TURN_TIMEOUT_MS = 60_000  # waiting for another process that migrates the same database
LOCK_TIMEOUT_MS = 5_000  # a migration that waits for a table longer than this would stop the clinics
STATEMENT_TIMEOUT_MS = 60_000
MIGRATION_LOCK = 4_917_230_115  # any number, the same in every version
OF_THE_CHAIN = "chain_id = nullif(current_setting('app.chain', true), '')::uuid"

_one_at_a_time = asyncio.Lock()  # Alembic's context is one global per process


def package_of(service: str) -> str:
    """The Python package, and the prefix of the database roles, of a service: `device-telemetry` -> `device_telemetry`."""
    return service.replace("-", "_")


def sqlalchemy_url(url: str) -> str:
    """A plain `postgresql://` address for SQLAlchemy on asyncpg."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def migrations_folder(service: str) -> Path:
    """Beside the sources in a checkout, inside the package where it was installed as a wheel. Raises: FileNotFoundError."""
    origin = importlib.import_module(package_of(service)).__file__
    assert origin is not None, f"{service} is not an ordinary package"
    package = Path(origin).parent
    for folder in (package / "migrations", package.parents[1] / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise FileNotFoundError(f"no migrations of {service} near {package}")


def alembic_config(service: str, owner_url: str = "") -> Config:
    """What Alembic's commands need, without any ini file."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder(service)).replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", owner_url.replace("%", "%%"))
    return config


async def migrate(owner_url: str, service: str, revision: str = "head") -> None:
    """The database of `service` is at this revision when it returns; a second process waits for its turn."""
    engine = create_async_engine(sqlalchemy_url(owner_url), poolclass=NullPool)
    config = alembic_config(service, owner_url)
    try:
        async with _one_at_a_time, engine.connect() as connection:
            await connection.run_sync(_upgrade, config, revision)
            await connection.commit()
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, config: Config, revision: str) -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@cache
def revisions(service: str) -> tuple[str, ...]:
    """All revisions that this code knows, the newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(alembic_config(service)).walk_revisions())


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
    from erbium_kernel.settings import Settings

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
    from erbium_kernel.schema import statements

    for script in statements(service):
        run_script(op, script)
    role = package_of(service)
    op.get_bind().exec_driver_sql(f'GRANT SELECT ON {VERSION_TABLE} TO "{role}_api", "{role}_work"')


def run_script(op: Any, script: str) -> None:
    """Several statements at once, inside the migration's transaction. Why not `op.execute`: a prepared statement holds only one."""
    bind = op.get_bind()
    bind.exec_driver_sql("SELECT 1")  # opens the transaction
    bind.connection.dbapi_connection.run_async(lambda connection: connection.execute(script))


def secure(op: Any, service: str, table: str) -> None:
    """A table with `chain_id` is read and written one chain at a time, by its owner too; `api` reads it, `work` keeps it."""
    role = package_of(service)
    for statement in (
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
        f'CREATE POLICY chain ON "{table}" USING ({OF_THE_CHAIN}) WITH CHECK ({OF_THE_CHAIN})',
        f'GRANT SELECT ON "{table}" TO "{role}_api"',
        f'GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON "{table}" TO "{role}_work"',
    ):
        op.get_bind().exec_driver_sql(statement)
