"""The kernel's own tables and functions, one numbered SQL file a step. The first ones, each service's first migration, never change."""

from importlib.resources import files
from typing import Any

STEP_NAMES = ("001_log.sql", "002_append.sql", "003_rights.sql")
# Each is a migration of its own in every service.
LATER_STEP_NAMES = (
    "004_heartbeats.sql", "005_looking_back.sql", "006_load.sql", "007_commands.sql", "008_erasures.sql", "009_keys.sql",
)  # fmt: skip


def package_of(service: str) -> str:
    """The Python package, and the prefix of the database roles, of a service: `device-telemetry` -> `device_telemetry`."""
    return service.replace("-", "_")


def role(service: str, kind: str) -> str:
    """The database role of a service: `owner` (migrations), `api`, `work`, `frames` (telemetry only)."""
    return f"{package_of(service)}_{kind}"


def text(service: str, step: str) -> str:
    """The SQL of one step for this service's roles."""
    sql = (files(__package__) / step).read_text()
    for kind in ("api", "work"):
        sql = sql.replace("{" + kind + "}", role(service, kind))
    return sql


def statements(service: str) -> list[str]:
    """The first steps in order; each is one script of several statements."""
    return [text(service, step) for step in STEP_NAMES]


async def install(connection: Any, service: str) -> None:
    """Creates everything in an empty database, as its owner. `connection`: asyncpg."""
    for script in (*statements(service), *(text(service, step) for step in LATER_STEP_NAMES)):
        await connection.execute(script)
