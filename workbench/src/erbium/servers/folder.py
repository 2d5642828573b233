"""The state folder: who may write to it, and whether somebody already runs from it."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from erbium.servers.errors import STATE, LocalServerError, explain_os_error

LOCK_POLL_SECONDS = 0.05
DYING_SECONDS_MAX = 0.5
_OF_A_STATE = ("", "run", "logs", "secrets", "issuer", "kafka", "postgres", "reports")


def checkout() -> Path:
    """The folder of this checkout: the one that holds the lock of Kafka's jars."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "deploy" / "kafka-jars.lock").is_file():
            return folder
    raise LocalServerError("The workbench runs from a checkout of Erbium: run `make env` in it, which installs it in place.")


def named_state() -> Path | None:
    """The state folder that ERBIUM_STATE names, if it does."""
    named = os.environ.get(STATE)
    return Path(named).absolute() if named else None


def state_folder() -> Path:
    """Where the local servers keep everything: ERBIUM_STATE, else `.erbium` in the checkout."""
    return named_state() or checkout() / ".erbium"


def ready_to_write(state: Path) -> Path:
    """Make the state folder and prove that all of it can be written. Why first of all: half a start takes seconds to fail.

    Raises: LocalServerError.
    """
    ensure(state)
    for part in _OF_A_STATE:
        refuse_unwritable(state / part)
    return state


def ensure(folder: Path, mode: int = 0o755, *, moved_by: str = STATE) -> Path:
    """Make a folder of ours, with this mode whatever the umask says. Raises: LocalServerError naming the variable that moves it."""
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            folder.chmod(mode)
    except OSError as error:
        raise explain_os_error(error, folder, moved_by=moved_by) from error
    return folder


def refuse_unwritable(folder: Path, *, moved_by: str = STATE) -> None:
    """Prove that files can be made and deleted in `folder`, if it is there. Raises: LocalServerError.

    Why: in folders that are read-only around files that are not, Kafka cuts its metadata log to nothing while it fails to
    start, and every topic is gone.
    """
    if not folder.is_dir():
        return
    probe = folder / f".erbium-probe-{os.getpid()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise LocalServerError(
            f"{folder} belongs to {_owner(folder)} and cannot be written ({error.strerror}): "
            f"give it back with chown and chmod, or name another folder with {moved_by}."
        ) from error


def _owner(folder: Path) -> str:
    try:
        return folder.owner()
    except KeyError:
        return f"uid {folder.stat().st_uid}"


def is_locked(path: Path) -> bool:
    """Does any process that inherited the lock file still live?"""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, refusal: str, *, patience_seconds: float = 0.0, worth_waiting: Callable[[], bool] = lambda: True) -> Iterator[int]:
    """Hold the lock at `path` and hand out its descriptor, for children to inherit: it stays locked while one of them lives.

    Raises: LocalServerError with `refusal` when somebody else still holds it after `patience_seconds`, or, past the moment
    that a killed process takes to die, when it is not `worth_waiting`.
    Why: this answers "already running?" without any process id. Closing (never unlocking) leaves the children's hold alone.
    """
    ensure(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise explain_os_error(error, path) from error
    try:
        now = time.monotonic()
        deadline, moment_of_death = now + patience_seconds, now + min(patience_seconds, DYING_SECONDS_MAX)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                now = time.monotonic()
                if now >= deadline or (now >= moment_of_death and not worth_waiting()):
                    raise LocalServerError(refusal) from None
                time.sleep(LOCK_POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)
