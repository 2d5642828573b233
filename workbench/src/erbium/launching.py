"""Starting the programs of the stack: migrations, topics, and processes that answer over HTTP."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import asyncpg
import httpx

from erbium import provision
from erbium.servers import LocalServerError, folder, process
from erbium.servers.errors import port_taken
from erbium.servers.ports import HOST, TRIES_MAX, free_port
from erbium.stack_files import log_file, pid_file, secrets_of

READY_SECONDS_MAX = 60.0
MIGRATE_SECONDS_MAX = 120.0
ANSWER_SECONDS_MAX = 5.0
POLL_SECONDS = 0.05


def base_environment() -> dict[str, str]:
    """Ours without what would steer Erbium or Python from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ERBIUM_", "PYTHON"))}
    return kept | {"PYTHONUNBUFFERED": "1"}


def topics_file() -> Path:
    """The declaration of all topics."""
    return folder.checkout() / "deploy" / "kafka" / "topics.toml"


def migrate(state: Path, databases: Mapping[str, provision.ServiceUrls]) -> None:
    """All that are behind at once: they have nothing in common but the server. Raises: LocalServerError."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    with contextlib.ExitStack() as files:
        try:
            for service in behind(databases):
                environment = base_environment() | {
                    "ERBIUM_ENV": "development",
                    "ERBIUM_DATABASE_OWNER_URL": databases[service].owner,
                    "ERBIUM_SECRETS_DIR": str(secrets_of(state, service)),
                }
                log = files.enter_context(log_file(state, f"{service}-migrate").open("wb"))
                command = [sys.executable, "-m", service, "migrate"]
                running[service] = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=folder.checkout()
                )
            deadline = time.monotonic() + MIGRATE_SECONDS_MAX
            for service, child in running.items():
                if child.wait(timeout=max(0.0, deadline - time.monotonic())):
                    raise ended(service, "migrate", log_file(state, f"{service}-migrate"))
        except subprocess.TimeoutExpired as error:
            raise LocalServerError(f"A migration took longer than {MIGRATE_SECONDS_MAX:.0f} s: see {state / 'logs'}.") from error
        finally:
            for child in running.values():
                if child.poll() is None:
                    child.terminate()
                    child.wait()


def behind(databases: Mapping[str, provision.ServiceUrls]) -> list[str]:
    """Services whose database is not at their newest migration. Raises: OSError, asyncpg errors."""
    return process.run(_behind(databases))


async def _behind(databases: Mapping[str, provision.ServiceUrls]) -> list[str]:
    """Services whose database is not at their newest migration. Why not ask Alembic: starting it four times takes seconds."""
    return [service for service in provision.SERVICES if await _revision(databases[service].owner) != _newest(service)]


async def _revision(url: str) -> str | None:
    connection = await asyncpg.connect(url, timeout=ANSWER_SECONDS_MAX)
    try:
        found = await connection.fetchval("SELECT version_num FROM schema_version", timeout=ANSWER_SECONDS_MAX)
        return None if found is None else str(found)
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close(timeout=ANSWER_SECONDS_MAX)


def _newest(service: str) -> str:
    versions = folder.checkout() / "services" / service.replace("_", "-") / "migrations" / "versions"
    return max(path.name for path in versions.glob("[0-9]*.py")).partition("_")[0]


def ended(service: str, doing: str, log: Path, log_start: int = 0) -> LocalServerError:
    """The sentence about a program that ended by itself: its last line, and where the rest is."""
    lines = [line.strip() for line in process.log_tail(log, log_start).splitlines() if line.strip()]
    return LocalServerError(
        f"`python -m {f'{service} {doing}'.strip()}` ended ({lines[-1] if lines else 'it said nothing'}): the whole story is in {log}."
    )


def ensure_topics(bootstrap: str) -> None:
    """Create or verify the declared topics. Raises: TopicsDiffer."""
    from erbium_kernel.topic import declared

    process.run(declared.ensure(bootstrap, topics_file()))


def program_of(state: Path, name: str, argv: Sequence[str], environment: Mapping[str, str]) -> process.Program:
    """A process of the stack, with its log and pid file."""
    return process.Program(
        name=name, argv=argv, environment=environment, log=log_file(state, name), pid_file=pid_file(state, name),
        ends_by=signal.SIGTERM, folder=folder.checkout(),
    )  # fmt: skip


def start_http(
    state: Path,
    name: str,
    program: Callable[[int], process.Program],
    *,
    ready: Callable[[int], Sequence[str]],
    die_with_parent: bool,
) -> int:
    """Start a process and wait until it answers; returns its port. Raises: LocalServerError."""
    port = 0
    for port in attempts(state, name, program, ready, die_with_parent=die_with_parent):  # noqa: B007 (the last one is the answer)
        time.sleep(POLL_SECONDS)
    return port


def attempts(
    state: Path,
    name: str,
    program: Callable[[int], process.Program],
    ready: Callable[[int], Sequence[str]],
    *,
    die_with_parent: bool,
) -> Iterator[int]:
    """Start a process and yield its port at every look that finds it not ready yet; ends once all addresses of `ready` answer well.

    Another port is tried when the first is taken meanwhile. Raises: LocalServerError when it ends, or never gets ready.
    """
    log = log_file(state, name)
    deadline = time.monotonic() + READY_SECONDS_MAX
    for _ in range(TRIES_MAX):
        port = free_port()
        log_start = process.log_size(log)
        pid = process.spawn(program(port), die_with_parent=die_with_parent)
        yield port
        while process.exit_status(pid) is None:
            late = [why for url in ready(port) if (why := _refusal(url)) is not None]
            if not late:
                return
            if time.monotonic() > deadline:
                raise LocalServerError(f"{name} was not ready within {READY_SECONDS_MAX:.0f} s ({late[0]}): {log} says why.")
            yield port
        if not port_taken(process.log_tail(log, log_start)):
            raise ended(*(("erbium.issuer", "") if name == "issuer" else (name, "all")), log, log_start)
    raise LocalServerError(f"{name} found every port it tried taken: close what listens on {HOST} and start again.")


def _refusal(url: str) -> str | None:
    """Why the answer from there is not a good one yet, as a readiness report says it; None if it is."""
    try:
        answer = httpx.get(url, timeout=ANSWER_SECONDS_MAX, trust_env=False)
    except httpx.HTTPError as error:
        return f"{url}: {type(error).__name__}"
    if answer.status_code == httpx.codes.OK:
        return None
    try:
        checks = answer.json()["checks"]
        return "; ".join(f"{name}: {check['reason']}" for name, check in checks.items() if not check["ok"])
    except (ValueError, KeyError, TypeError):
        return f"{url}: {answer.status_code}"
