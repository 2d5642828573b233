"""Ten minutes of more frames than can be taken, the broker silent for one of them, the database killed: what was taken is stored once."""

import os
import time
from collections.abc import Iterator
from statistics import median
from typing import Final

import psutil
import pytest

from tests.faults.compared import compared
from tests.faults.conftest import settle
from tests.faults.faults import away, frozen
from tests.faults.load import FRAMES, THINK_SECONDS, Load
from tests.faults.recovery import recovered
from tests.faults.site import Site, running
from tests.faults.telling import Figures, tell

MINUTES: Final = float(os.environ.get("ERBIUM_FAULTS_OVERLOAD_MINUTES", "10"))
LASERS: Final = 600  # each with one batch under way: more than one process lets in at once
WANTED_PER_SECOND: Final = LASERS / (2 * THINK_SECONDS)  # batches, if each was answered at once
BROKER_SILENT_SECONDS: Final = 60.0
BROKER_SILENT_AT, DATABASE_KILLED_AT = 0.3, 0.6  # shares of the time
LOOK_SECONDS: Final = 5.0
WARM_SHARE: Final = 0.2  # of the time, at its beginning: caches fill
GROWTH_BYTES_MAX: Final = 96 * 1024 * 1024  # beyond the warm median: requests under way, batches on their way to the broker
DRAINED_SECONDS_MAX: Final = 300.0
PROGRAMS: Final = ("device_telemetry-api", "device_telemetry-work")


@pytest.fixture
def own_site() -> Iterator[Site]:
    """Millions of frames: nobody else's site."""
    with running() as started:
        settle(started)
        yield started


@pytest.mark.whole
def test_more_frames_than_can_be_taken(own_site: Site, figures: Figures, seed: int) -> None:
    """Refused with 503 and Retry-After, or taken and stored once; no process grows; afterwards everything works again in time (R6)."""
    site, began = own_site, time.monotonic()
    memory: dict[str, list[int]] = {name: [] for name in PROGRAMS}
    with Load(site, clients=1, lasers=LASERS, seed=seed) as load:

        def until(share: float) -> None:
            while (rest := began + 60 * MINUTES * share - time.monotonic()) > 0:
                load.go_on(min(LOOK_SECONDS, rest))
                for name, seen in memory.items():
                    seen.append(psutil.Process(site.pid(name)).memory_info().rss)
                tell(f"overload: {', '.join(f'{name} {seen[-1] >> 20} MiB' for name, seen in memory.items())}", load.written)

        until(BROKER_SILENT_AT)
        with frozen(site, "kafka"):
            load.go_on(BROKER_SILENT_SECONDS)
        until(DATABASE_KILLED_AT)
        with away(site, "postgres"):
            load.go_on(1.0)
        until(1.0)
        seconds = time.monotonic() - began
    took = recovered(site, time.monotonic())
    found = compared(site, load.written, seconds_max=DRAINED_SECONDS_MAX)
    taken_per_second = sum(load.written.frames.values()) / (FRAMES * seconds)
    grown = {name: max(seen) - int(median(seen[: max(1, int(WARM_SHARE * len(seen)))])) for name, seen in memory.items()}
    figures["overload"] = {
        "minutes": MINUTES, "lasers": LASERS, "batches_wanted_per_second": WANTED_PER_SECOND, "batches_taken_per_second": taken_per_second,
        **load.written.counts(), "frames_lost": found.frames_lost, "frames_doubled": found.frames_doubled,
        "grown_mib": {name: size >> 20 for name, size in grown.items()}, "recovery_s": took,
    }  # fmt: skip
    assert 2 * taken_per_second <= WANTED_PER_SECOND, "it was not twice what can be taken"
    assert load.written.refused, "nothing was refused: it was no overload"
    assert max(grown.values()) <= GROWTH_BYTES_MAX, grown
