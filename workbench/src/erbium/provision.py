"""The four databases and their roles: made once, corrected every time, never more rights than a role needs."""

import base64
import dataclasses
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg

SERVICES = ("screening", "scheduling", "device_telemetry", "aftercare")
CONNECT_SECONDS_MAX = 10.0
_LOCK_KEY = 0x657262  # one provisioning at a time in a cluster: roles belong to all its databases
_SUFFIX = re.compile(r"[a-z0-9_]{0,24}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUrls:
    """How each role of one service reaches its database. `owner` is for migrations only, `frames` for device_telemetry only."""

    owner: str
    api: str
    work: str
    frames: str | None


# Why timeouts on every role: the horizon of the gap-safe reader is server-wide, so one forgotten transaction, of any
# service, would hold back all readers. A migration and a rebuild run longer than a request, but never for ever.
_TIMEOUTS: Mapping[str, Mapping[str, str]] = {
    "owner": {"transaction_timeout": "15min", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "60s"},
    "api": {"transaction_timeout": "30s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "10s"},
    "work": {"transaction_timeout": "60s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "30s"},
    "frames": {"transaction_timeout": "60s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "30s"},
}


def roles_of(service: str) -> dict[str, str]:
    """What each role of a service is called: `{"owner": "screening_owner", ...}`."""
    kinds = ("owner", "api", "work", "frames") if service == "device_telemetry" else ("owner", "api", "work")
    return {kind: f"{service}_{kind}" for kind in kinds}


def database_of(service: str, suffix: str = "") -> str:
    """The database of a service; `suffix` tells those of one test run from another's."""
    return f"erbium_{service}_{suffix}" if suffix else f"erbium_{service}"


async def provision(superuser_url: str, state: Path, *, suffix: str = "") -> dict[str, ServiceUrls]:
    """Make what is missing and correct what differs; a second run changes nothing.

    `suffix`: other databases beside the usual ones (`erbium_screening_t1`), with the same roles.
    Returns the URLs of each service. Passwords are kept in `state`, mode 0600.
    """
    if not _SUFFIX.fullmatch(suffix):
        raise ValueError(f"a database suffix is up to 24 of a-z, 0-9 and _, and {suffix!r} is not")
    passwords = _passwords(state, superuser_url)
    connection = await asyncpg.connect(superuser_url, timeout=CONNECT_SECONDS_MAX)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        for service in SERVICES:
            for kind, role in roles_of(service).items():
                await _ensure_role(connection, role, passwords[role], _TIMEOUTS[kind])
            await _ensure_database(connection, superuser_url, service, database_of(service, suffix))
    finally:
        await connection.close()  # lets go of the lock
    return urls(superuser_url, state, suffix=suffix)


def urls(superuser_url: str, state: Path, *, suffix: str = "") -> dict[str, ServiceUrls]:
    """The URLs of what `provision` made; asks no server."""
    passwords = _passwords(state, superuser_url)
    return {service: _urls(superuser_url, service, database_of(service, suffix), passwords) for service in SERVICES}


async def drop(superuser_url: str, *, suffix: str) -> None:
    """Remove the databases of a suffix, whoever is connected. The usual ones have none, and stay."""
    if not suffix or not _SUFFIX.fullmatch(suffix):
        raise ValueError(f"only databases with a suffix of a-z, 0-9 and _ are dropped, and {suffix!r} is none")
    connection = await asyncpg.connect(superuser_url, timeout=CONNECT_SECONDS_MAX)
    try:
        for service in SERVICES:
            await connection.execute(f'DROP DATABASE IF EXISTS "{database_of(service, suffix)}" WITH (FORCE)')
    finally:
        await connection.close()


async def _ensure_role(connection: "asyncpg.Connection", role: str, password: str, timeouts: Mapping[str, str]) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f'CREATE ROLE "{role}"')
    await connection.execute(
        f'ALTER ROLE "{role}" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION INHERIT '
        f"PASSWORD {await _literal(connection, password)}"
    )
    for setting, value in timeouts.items():
        await connection.execute(f"ALTER ROLE \"{role}\" SET {setting} = '{value}'")


async def _ensure_database(connection: "asyncpg.Connection", superuser_url: str, service: str, database: str) -> None:
    owner, *others = roles_of(service).values()
    listed = ", ".join(f'"{role}"' for role in others)
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
        await connection.execute(f'CREATE DATABASE "{database}" OWNER "{owner}"')
    await connection.execute(f'ALTER DATABASE "{database}" OWNER TO "{owner}"')
    await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
    await connection.execute(f'GRANT CONNECT ON DATABASE "{database}" TO {listed}')
    inside = await asyncpg.connect(_with(superuser_url, database=database), timeout=CONNECT_SECONDS_MAX)
    try:
        await inside.execute(f'ALTER SCHEMA public OWNER TO "{owner}"')
        await inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await inside.execute(f"GRANT USAGE ON SCHEMA public TO {listed}")
    finally:
        await inside.close()


async def _literal(connection: "asyncpg.Connection", text: str) -> str:
    """ALTER ROLE takes no parameters: let the server quote."""
    return str(await connection.fetchval("SELECT quote_literal($1::text)", text))


def _passwords(state: Path, superuser_url: str) -> dict[str, str]:
    """The password of each role, made once.

    Why from the superuser's: two state folders that share one server (a developer's and a test's) must agree, or each would
    lock the other out. Nobody can compute the way back.
    """
    path = state / "secrets" / "passwords.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    kept: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    secret = unquote(urlsplit(superuser_url).password or "").encode() or secrets.token_bytes(32)
    wanted = [role for service in SERVICES for role in roles_of(service).values()]
    missing = [role for role in wanted if role not in kept]
    if missing:
        for role in missing:
            digest = hmac.digest(secret, f"erbium role {role}".encode(), hashlib.sha256)
            kept[role] = base64.urlsafe_b64encode(digest[:24]).decode()
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(kept, indent=2))
        fresh.replace(path)
    return kept


def _urls(superuser_url: str, service: str, database: str, passwords: Mapping[str, str]) -> ServiceUrls:
    by_kind = {
        kind: _with(superuser_url, database=database, user=role, password=passwords[role]) for kind, role in roles_of(service).items()
    }
    return ServiceUrls(owner=by_kind["owner"], api=by_kind["api"], work=by_kind["work"], frames=by_kind.get("frames"))


def _with(url: str, *, database: str, user: str | None = None, password: str | None = None) -> str:
    """The same server, another database and perhaps another user."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    who = f"{quote(user)}:{quote(password or '', safe='')}" if user else parts.netloc.rpartition("@")[0]
    return urlunsplit(("postgresql", f"{who}@{place}" if who else place, f"/{database}", parts.query, ""))
