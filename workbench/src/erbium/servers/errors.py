"""What a local server may fail with: one sentence that says what to do."""

import errno
from pathlib import Path


class LocalServerError(RuntimeError):
    """A local server cannot start or stop; the message is one sentence for the person at the keyboard."""


STATE = "ERBIUM_STATE"  # the variable that names the state folder
_DISK_FULL = ("No space left on device", "Disk quota exceeded")
_PORT_TAKEN = ("Address already in use", "could not bind", "BindException")


def port_taken(log_tail: str) -> bool:
    """Did a server end because somebody else listens on its port? Another port is then tried."""
    return any(words in log_tail for words in _PORT_TAKEN)


def disk_full(folder: Path) -> LocalServerError:
    """The sentence for a full disk."""
    return LocalServerError(f"The disk that holds {folder} is full: free some space and start again, nothing is lost.")


def explain(name: str, log: Path, log_tail: str, folder: Path) -> LocalServerError:
    """Turn the last words of a server that ended into the sentence for its reader."""
    if any(words in log_tail for words in _DISK_FULL):
        return disk_full(folder)
    if port_taken(log_tail):
        return LocalServerError(f"{name} found every port it tried taken: close what listens on 127.0.0.1 and start again.")
    if "Failed to acquire lock" in log_tail or 'lock file "postmaster.pid" already exists' in log_tail:
        return LocalServerError(f"Another {name} already uses {folder}: stop it, or name another state folder with {STATE}.")
    if "user does not exist" in log_tail:
        return LocalServerError(f"{name} needs an account with a name, and this user id has none: run as a user of this machine.")
    lines = [line.strip() for line in log_tail.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    return LocalServerError(f"{name} ended while starting ({last}): the whole story is in {log}.")


def explain_os_error(error: OSError, folder: Path, *, moved_by: str = STATE) -> LocalServerError:
    """Turn a refusal of the operating system about `folder` into the sentence for its reader. `moved_by`: the variable that names it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(folder)
    where = error.filename or folder
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return LocalServerError(f"{where} is not writable: make it so, or name another folder with {moved_by}.")
    return LocalServerError(f"{where} cannot be used ({error.strerror}): name another folder with {moved_by}.")
