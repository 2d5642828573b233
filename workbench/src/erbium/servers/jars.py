"""Kafka's jars: each fetched by itself, never transitively, and only ever used when its hash is the one in the lock."""

import contextlib
import dataclasses
import errno
import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from erbium.servers import certificates, folder
from erbium.servers.errors import LocalServerError, explain_os_error

MOVED_BY = "ERBIUM_JARS"
FETCH_TRIES_MAX = 4
RETRY_PAUSE_SECONDS = 0.5
FETCH_LOCK_SECONDS_MAX = 300.0
_FOLDER_REFUSES = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
_LINE = re.compile(r"(?P<group>[^:\s]+):(?P<artifact>[^:\s]+):(?P<version>[^:\s]+)(:(?P<classifier>\S+))? sha256=(?P<sha256>[0-9a-f]{64})")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    classifier: str | None
    sha256: str

    @property
    def coordinates(self) -> str:
        return ":".join(part for part in (self.group, self.artifact, self.version, self.classifier) if part)

    @property
    def file_name(self) -> str:
        return "-".join(part for part in (self.artifact, self.version, self.classifier) if part) + ".jar"


class Fetch(Protocol):
    """Bring one jar into an empty folder of its own and say where it is."""

    def __call__(self, jar: Jar, into: Path) -> Path: ...


def read_lock(path: Path) -> list[Jar]:
    """The jars of a lock file. Raises: LocalServerError naming the line that is not one."""
    jars = []
    for number, text in enumerate(path.read_text().splitlines(), start=1):
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise LocalServerError(f"{path}, line {number}: expected group:artifact:version sha256=<64 hex digits>.")
        jars.append(Jar(**parts.groupdict()))
    return jars


def jars_folder() -> Path:
    """Where the jars are kept: ERBIUM_JARS, else one folder for the whole checkout, whatever the state folder."""
    named = os.environ.get(MOVED_BY)
    return Path(named).absolute() if named else folder.checkout() / ".erbium" / "jars"


def fetch_with_jgo(jar: Jar, into: Path) -> Path:
    """Download from ERBIUM_MAVEN_REPO, else from Maven Central."""
    from jgo.maven import MavenContext  # here, since it takes a quarter of a second and is needed once

    mirror = os.environ.get("ERBIUM_MAVEN_REPO")
    context = MavenContext(repo_cache=into, remote_repos={"central": mirror.rstrip("/")} if mirror else None)
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    with _muted("jgo"), certificates.believed():
        return Path(component.artifact(jar.classifier).resolve() if jar.classifier else component.artifact().resolve())


def ensure(lock: Path, kept_in: Path, *, progress: Callable[[str], None], fetch: Fetch = fetch_with_jgo) -> list[Path]:
    """All jars of the lock, each with the right hash; what is missing, short or altered is fetched again, and said so.

    Raises: LocalServerError when the repository serves another file than the lock names, or cannot be reached or believed.
    """
    wanted = read_lock(lock)
    if missing := [jar for jar in wanted if not _is_whole(kept_in / jar.file_name, jar)]:
        folder.ensure(kept_in, moved_by=MOVED_BY)
        folder.refuse_unwritable(kept_in, moved_by=MOVED_BY)
        busy = f"Another process has been fetching jars into {kept_in} for {FETCH_LOCK_SECONDS_MAX:.0f} s: stop it and start again."
        with folder.locked(kept_in / ".lock", busy, patience_seconds=FETCH_LOCK_SECONDS_MAX):
            for number, jar in enumerate(missing, start=1):
                if not _is_whole(kept_in / jar.file_name, jar):  # another process may have brought it meanwhile
                    if (kept_in / jar.file_name).exists():
                        progress(
                            f"Kafka: {kept_in / jar.file_name} is not the file that the lock names (altered, or cut short): replacing it"
                        )
                    progress(f"Kafka: fetching {number} of {len(missing)}, {jar.file_name}")
                    _bring(jar, kept_in, fetch)
    return [kept_in / jar.file_name for jar in wanted]


def _is_whole(path: Path, jar: Jar) -> bool:
    return path.is_file() and _hash(path) == jar.sha256


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bring(jar: Jar, kept_in: Path, fetch: Fetch) -> None:
    """Fetch into a private folder, check, and only then move to the final name: no half jar ever has it."""
    for attempt in range(1, FETCH_TRIES_MAX + 1):
        try:
            with TemporaryDirectory(dir=kept_in, prefix=".fetch-") as private:
                got = fetch(jar, Path(private))
                found = _hash(got)
                if found != jar.sha256:
                    raise LocalServerError(_wrong(jar, got, found))
                got.replace(kept_in / jar.file_name)
        except LocalServerError:
            raise
        except (OSError, RuntimeError) as error:  # a broken connection is an OSError too
            if isinstance(error, OSError) and error.errno in _FOLDER_REFUSES:
                raise explain_os_error(error, kept_in, moved_by=MOVED_BY) from error
            if certificates.refused_a_certificate(error):
                raise LocalServerError(
                    f"{jar.coordinates} was not fetched, since nobody whom this machine believes has signed the repository's certificate: "
                    f"{certificates.what_to_do()}."
                ) from error
            if attempt == FETCH_TRIES_MAX:
                raise LocalServerError(
                    f"{jar.coordinates} could not be fetched in {FETCH_TRIES_MAX} tries ({type(error).__name__}): connect to the network, "
                    "or name a Maven mirror with ERBIUM_MAVEN_REPO, or a Kafka that runs with ERBIUM_KAFKA."
                ) from error
            time.sleep(RETRY_PAUSE_SECONDS * 2**attempt)
        else:
            return


def _wrong(jar: Jar, got: Path, found: str) -> str:
    """Why not tried again: who serves another file once will do so the next time."""
    return (
        f"{jar.coordinates}: the lock expects sha256 {jar.sha256}, and {got.stat().st_size:,} bytes with sha256 {found} came: "
        "nothing of it was kept, so name a repository that serves the true file with ERBIUM_MAVEN_REPO, "
        "or, if you changed the version on purpose, correct its line in deploy/kafka-jars.lock."
    )


@contextlib.contextmanager
def _muted(logger_name: str) -> Iterator[None]:
    logger = logging.getLogger(logger_name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
