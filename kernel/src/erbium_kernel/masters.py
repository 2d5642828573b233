"""Master keys as files: several at once, the youngest wraps, and one that was destroyed never comes back."""

import base64
import os
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

KEY_BYTES = 32
MADE = "made "  # begins the second line; files of before have only the first, and count as older than all that say when they were made
_NAME = re.compile(r"master-([0-9a-f]{8})\.key")
_DESTROYED = "master-{}.destroyed"  # stays, so that no copy of the file is taken up again


class SecretsMissing(RuntimeError):
    """A secret file is missing or is not what it should be."""


class Master(NamedTuple):
    """One master key. `id`: 8 hexadecimal digits, which every key wrapped by it begins with."""

    id: str
    key: bytes
    made_at: datetime
    dated: bool  # False: the file does not say when, and `made_at` is the file's own time

    @property
    def place(self) -> tuple[bool, datetime, str]:
        """The youngest is the greatest. Why not the file's time alone: a copied or mounted folder has another."""
        return self.dated, self.made_at, self.id


def read_masters(folder: Path) -> Sequence[Master]:
    """All that exist in this folder, the oldest first; at least one. Raises: SecretsMissing with a sentence that names the file."""
    found = _found(folder)
    if not found:
        raise SecretsMissing(f"no master-<8 hex digits>.key in {folder}: `erbium keys rotate-master` makes one (docs/operating.md)")
    return found


def _found(folder: Path) -> list[Master]:
    return sorted((_master(path, id_) for path, id_ in _files(folder)), key=lambda master: master.place)


def _files(folder: Path) -> Iterable[tuple[Path, str]]:
    for path in folder.glob("master-*.key"):
        named = _NAME.fullmatch(path.name)
        if named is None:
            raise SecretsMissing(f"{path.name} in {folder} is no name of a master: it is master-<8 hex digits>.key")
        if not is_destroyed(folder, named[1]):
            yield path, named[1]


def _master(path: Path, id_: str) -> Master:
    text = _text(path)
    made = text.strip().splitlines()[1:2]
    try:
        made_at = datetime.fromisoformat(made[0].removeprefix(MADE)).astimezone(UTC) if made else None
        return Master(id_, _key(path, text), made_at or datetime.fromtimestamp(path.stat().st_mtime, UTC), made_at is not None)
    except (ValueError, OSError):
        raise SecretsMissing(f"{path.name} in {path.parent}: its second line is not `{MADE}<instant>`, or the file is gone") from None


def secret(path: Path) -> bytes:
    """The 32 bytes whose base64 is a file's first line. Raises: SecretsMissing."""
    return _key(path, _text(path))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def _key(path: Path, text: str) -> bytes:
    try:
        value = base64.b64decode(text.strip().partition("\n")[0].strip(), validate=True)
    except ValueError as error:
        raise _unreadable(path, error) from None
    if len(value) != KEY_BYTES:
        raise SecretsMissing(f"{path.name} in {path.parent} holds {len(value)} bytes, not {KEY_BYTES}")
    return value


def _unreadable(path: Path, error: Exception) -> SecretsMissing:
    return SecretsMissing(f"{path.name} in {path.parent} cannot be read ({type(error).__name__}): it holds 32 bytes in base64")


def make_master(folders: Sequence[Path], now: datetime) -> str:
    """A new one in all of these folders, the first one's first. Returns its id.

    Why the order matters: who wraps keys for others must not have it before they have.
    """
    id_, key = secrets.token_hex(4), base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    for folder in folders:
        write_secret(folder / f"master-{id_}.key", f"{key}\n{MADE}{now.astimezone(UTC).isoformat()}\n")
    return id_


def spread_masters(folders: Sequence[Path]) -> None:
    """What exists in one of these folders exists in all, what was destroyed in one is destroyed in all: a cut-off command is finished."""
    destroyed = {id_ for folder in folders for id_ in _destroyed(folder)}
    for id_ in sorted(destroyed):
        destroy_master(folders, id_)
    kept = {path.name: path.read_text() for folder in folders for path, _ in _files(folder)}
    for folder in folders:
        for name, text in sorted(kept.items()):
            if not (folder / name).is_file():
                write_secret(folder / name, text)


def destroy_master(folders: Sequence[Path], id_: str) -> None:
    """Overwritten and removed from all of these folders, for good; doing it again changes nothing.

    What a file system that copies on write, a snapshot or a secret store keeps of it is out of reach from here.
    """
    for folder in folders:
        if not is_destroyed(folder, id_):
            write_secret(folder / _DESTROYED.format(id_), f"destroyed {datetime.now(UTC).isoformat()}\n")
    for folder in folders:
        path = folder / f"master-{id_}.key"
        if path.is_file():
            _overwrite(path)
            path.unlink()
            _flush_folder(folder)


def is_destroyed(folder: Path, id_: str) -> bool:
    """Was it destroyed here? Then a file of its name counts for nothing."""
    return (folder / _DESTROYED.format(id_)).is_file()


def _destroyed(folder: Path) -> Iterable[str]:
    return (path.stem.removeprefix("master-") for path in folder.glob(_DESTROYED.format("*")))


def _overwrite(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        file.write(secrets.token_bytes(path.stat().st_size))
        os.fsync(file.fileno())


def write_secret(path: Path, text: str) -> None:
    """By rename, mode 0600 from the first byte on, and on the disk when it returns: keys are about to be wrapped by it."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
