"""Whatever happens, a process does not grow and does not flood its log."""

from dataclasses import dataclass

import psutil
import pytest

from erbium.servers import process
from tests.faults.compared import compared
from tests.faults.faults import away
from tests.faults.load import Load
from tests.faults.recovery import recovered
from tests.faults.site import Site
from tests.faults.telling import Figures, tell

AWAY_SECONDS = 20.0
ROUNDS = 3
GROWTH_BYTES_MAX = 48 * 1024 * 1024  # between the end of the first and of the last round: caches fill in the first
LOG_BYTES_PER_SECOND_MAX = 16 * 1024  # of a `work` process while a server is away; what an API logs of its requests is the load's affair


@dataclass(slots=True)
class Seen:
    """Of one process, after a round."""

    memory_bytes: int
    log_bytes: int


def seen(site: Site) -> dict[str, Seen]:
    """Every process of the services."""
    return {name: Seen(psutil.Process(site.pid(name)).memory_info().rss, process.log_size(site.log(name))) for name in site.programs}


@pytest.mark.whole
@pytest.mark.parametrize("server", ["kafka", "postgres"])
def test_bounded_while_a_server_is_away(site: Site, figures: Figures, seed: int, server: str) -> None:
    """Away again and again: memory after the last time is that after the first, and the log grows by kilobytes a second at most."""
    rounds: list[dict[str, Seen]] = []
    logged: dict[str, float] = {}
    with Load(site, seed=seed) as load:
        for _ in range(ROUNDS):
            before = seen(site)
            with away(site, server) as fault:
                load.go_on(AWAY_SECONDS)
                after = seen(site)
                for name in site.programs:
                    rate = (after[name].log_bytes - before[name].log_bytes) / AWAY_SECONDS
                    logged[name] = max(logged.get(name, 0.0), rate)
            recovered(site, fault.ended_at)
            rounds.append(seen(site))
    compared(site, load.written)
    grown = {name: rounds[-1][name].memory_bytes - rounds[0][name].memory_bytes for name in site.programs}
    tell(f"{server} away {ROUNDS} times: most grown {max(grown.values()) >> 20} MiB, {max(logged.values()) / 1024:.1f} KiB logged a second")
    figures[f"bounds, {server} away"] = {
        "rounds": ROUNDS, "seconds_each": AWAY_SECONDS, "grown_mib_max": max(grown.values()) >> 20,
        "logged_kib_per_second": {name: round(rate / 1024, 1) for name, rate in logged.items()},
    }  # fmt: skip
    assert max(grown.values()) <= GROWTH_BYTES_MAX, grown
    workers = {name: rate for name, rate in logged.items() if name.endswith("-work")}
    assert max(workers.values()) <= LOG_BYTES_PER_SECOND_MAX, workers
