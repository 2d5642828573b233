"""A disk that is full: each server's data on a small file system of its own."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.compared import compared
from tests.faults.conftest import settle
from tests.faults.load import Load
from tests.faults.recovery import recovered
from tests.faults.site import running
from tests.faults.telling import Figures, tell

pytestmark = pytest.mark.whole
DISK_MEGABYTES = {"postgres": 700, "kafka": 400}  # each database is some 8 MB, the write-ahead log begins with 16
FULL_SECONDS = 8.0
BLOCK_BYTES = 64 * 1024


@contextlib.contextmanager
def small_disk(name: str) -> Iterator[Callable[[Path], None]]:
    """Gives a function that puts a server's folder of an empty state on a small file system; gone afterwards. Skips where it may not."""
    mounted: list[Path] = []

    def place(state: Path) -> None:
        folder = state / name
        folder.mkdir(mode=0o711)
        size = f"size={DISK_MEGABYTES[name]}m,mode=0711"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)

    try:
        yield place
    finally:
        for folder in mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def filled(folder: Path) -> Path:
    """Not a byte is left on its disk; the file that took them."""
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(BLOCK_BYTES)):
            pass
    return ballast


@pytest.mark.parametrize("name", DISK_MEGABYTES)
def test_disk_full(figures: Figures, seed: int, name: str) -> None:
    """Commands are refused or go on, nothing acknowledged is lost, and space made free is all that PostgreSQL needs.

    Kafka ends itself when it cannot write its log, by its own design: to start it again is the operator's hand here.
    """
    with small_disk(name) as place, running(place=place) as site:
        settle(site)
        with Load(site, seed=seed) as load:
            load.go_on(3.0)
            ballast = filled(site.state / name)
            load.go_on(FULL_SECONDS)
            ended_by_itself = not site.is_running(name)
            ballast.unlink()
            ended_at = time.monotonic()
            if ended_by_itself:
                ended_at = site.start(name)
            recovery = recovered(site, ended_at)
            tell(
                f"disk of {name} full: {'it ended itself' if ended_by_itself else 'it stayed'}; recovered in {recovery:.2f} s", load.written
            )
        found = compared(site, load.written)
    figures[f"disk full: {name}"] = {
        **load.written.counts(), "server_ended_itself": ended_by_itself, "lost": found.lost, "doubled": found.doubled,
        "not_arrived": found.not_arrived, "frames_lost": found.frames_lost, "recovery_s": round(recovery, 2),
    }  # fmt: skip
