"""The life of a child process: started through the trampoline, known by a pid file, stopped without ever hitting a stranger."""

import asyncio
import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from erbium.servers.errors import LocalServerError, explain_os_error

STOP_SECONDS_MAX = 20.0
LOG_TAIL_BYTES_MAX = 16_384
POLL_SECONDS = 0.02
_LAUNCH = Path(__file__).with_name("launch.py")
_LINUX = sys.platform == "linux"
Result = TypeVar("Result")
_started: dict[int, subprocess.Popen[bytes]] = {}  # kept, so that the ones we do not wait for are not complained about


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process of one boot: its number alone may be given to another."""

    pid: int
    start: float
    boot: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start: a program, its log and its pid file."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    pid_file: Path
    ends_by: signal.Signals
    run_as: tuple[int, int] | None = None
    keeps_open: tuple[int, ...] = ()
    folder: Path | None = None


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip() if _LINUX else str(psutil.boot_time())


def _start_of(pid: int) -> float:
    """When a process began, in the clock ticks or seconds of its system. Raises: ProcessLookupError."""
    if _LINUX:
        try:
            return float(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        except FileNotFoundError:
            raise ProcessLookupError(pid) from None
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        raise ProcessLookupError(pid) from None


def spawn(program: Program, *, die_with_parent: bool, keeper: bool = not _LINUX) -> int:
    """Start a program in a session of its own, so that Ctrl-C reaches only us, and write its pid file.

    `die_with_parent`: it is told to end when this process dies, even by kill -9.
    Raises: LocalServerError.
    """
    if die_with_parent and not keeper and threading.current_thread() is not threading.main_thread():
        raise LocalServerError(f"{program.name} must be started from the main thread: its life would be tied to this thread's.")
    pipe_read = os.pipe()[0] if die_with_parent and keeper else None
    argv = [
        *(sys.executable, "-IS", str(_LAUNCH), str(os.getpid())),
        str(int(program.ends_by) if die_with_parent else 0),
        str(pipe_read) if pipe_read is not None else "-",
        f"{program.run_as[0]}:{program.run_as[1]}" if program.run_as else "-",
        *program.argv,
    ]
    passed = program.keeps_open + ((pipe_read,) if pipe_read is not None else ())
    try:
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as log:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(program.environment),
                start_new_session=True, pass_fds=passed, cwd=program.folder,
            )  # fmt: skip
        _started[child.pid] = child
        try:
            _write_pid_file(program.pid_file, Identity(pid=child.pid, start=_start_of(child.pid), boot=_boot()))
        except BaseException:
            child.kill()  # nobody would find it again
            raise
    except OSError as error:
        raise explain_os_error(error, program.log.parent) from error
    finally:
        if pipe_read is not None:
            os.close(pipe_read)  # the other end stays open as long as this process lives
    return child.pid


def _write_pid_file(path: Path, identity: Identity) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + f".{os.getpid()}")
    fresh.write_text(json.dumps(dataclasses.asdict(identity)))
    fresh.replace(path)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Inside, Ctrl-C is not heard: who stops what it started must not be stopped half-way. Bounded by `STOP_SECONDS_MAX` a process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _heard_afterwards() -> Iterator[None]:
    """Ctrl-C inside is heard at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if heard:
        signal.raise_signal(signal.SIGINT)


def run(work: Coroutine[object, object, Result]) -> Result:
    """What `asyncio.run` does, where Ctrl-C may come at any moment: a loop half made when it came would leave noise behind its sentence."""
    try:
        with contextlib.ExitStack() as stack:
            with _heard_afterwards():
                runner = stack.enter_context(asyncio.Runner())
            return runner.run(work)
    except asyncio.CancelledError:  # the runner forgets why, if Ctrl-C came just as it began; nobody else cancels this work
        raise KeyboardInterrupt from None
    finally:
        work.close()  # begun or not


def recorded(pid_file: Path) -> Identity | None:
    """Who wrote this pid file; None if nobody did."""
    try:
        return Identity(**json.loads(pid_file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def is_running(pid_file: Path) -> bool:
    """Does the process that wrote this pid file live? A recycled number and a zombie do not count."""
    identity = recorded(pid_file)
    return identity is not None and not _gone(identity)


def _gone(identity: Identity) -> bool:
    _reap(identity.pid)
    try:
        if _start_of(identity.pid) != identity.start or _boot() != identity.boot:
            return True
        return psutil.Process(identity.pid).status() == psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return True


def exit_status(pid: int) -> int | None:
    """The exit status of a child of ours, None while it lives."""
    child = _started.get(pid)
    return child.poll() if child else None


def _reap(pid: int) -> None:
    if child := _started.get(pid):
        child.poll()


def stop(pid_file: Path, by: signal.Signals, *, seconds_max: float = STOP_SECONDS_MAX) -> bool:
    """End the process of this pid file: `by` signal, SIGKILL after `seconds_max`. Says whether there was one to end.

    The pid file is removed. A recycled process id is recognised and left alone: the process is pinned first, compared second,
    signalled third.
    """
    identity = recorded(pid_file)
    ended = False
    if identity is not None:
        ended = _stop_pinned(identity, by, seconds_max) if _LINUX else _stop_elsewhere(identity, by, seconds_max)
        _reap(identity.pid)
    pid_file.unlink(missing_ok=True)
    return ended


def _stop_pinned(identity: Identity, by: signal.Signals, seconds_max: float) -> bool:
    try:
        pinned = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if _gone(identity):
            return False
        for sent, patience in ((by, seconds_max), (signal.SIGKILL, STOP_SECONDS_MAX)):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pinned, sent)
            if select.select([pinned], [], [], patience)[0]:
                return True
        raise LocalServerError(f"Process {identity.pid} does not end, not even by SIGKILL: its disk may hang.")
    except PermissionError as error:
        raise LocalServerError(f"Process {identity.pid} belongs to somebody else: stop it as the user who started it.") from error
    finally:
        os.close(pinned)


def _stop_elsewhere(identity: Identity, by: signal.Signals, seconds_max: float) -> bool:
    """The same without pidfd (macOS)."""
    if _gone(identity):
        return False
    process = psutil.Process(identity.pid)
    process.send_signal(by)
    deadline = time.monotonic() + seconds_max
    while not _gone(identity):
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(POLL_SECONDS)
    return True


def log_tail(log: Path, start: int = 0) -> str:
    """The last words in a log, nothing from before byte `start`."""
    try:
        size = log.stat().st_size
        with log.open("rb") as file:
            file.seek(max(start, size - LOG_TAIL_BYTES_MAX))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def log_size(log: Path) -> int:
    """Bytes in a log file; 0 if there is none yet."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0
