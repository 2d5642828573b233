"""PostgreSQL or Kafka frozen, away, full of others, slow: commands go on or fail in time, and everything comes back by itself."""

import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import httpx
import pytest

from tests.faults.compared import compared
from tests.faults.faults import Fault, away, frozen, long_transaction, out_of_connections, slow
from tests.faults.load import Load, a_clinic
from tests.faults.recovery import recovered, slowdown
from tests.faults.site import Site
from tests.faults.telling import WHOLE, Figures, tell

REFUSED_SECONDS_MAX = 2.0  # the promise
FAULTS: dict[str, tuple[Callable[[Site], AbstractContextManager[Fault]], float, bool]] = {  # seconds in the whole; in the small part too?
    "kafka frozen": (partial(frozen, name="kafka"), 60.0, False),
    "kafka away": (partial(away, name="kafka"), 60.0, False),
    "postgres frozen": (partial(frozen, name="postgres"), 10.0, False),
    "postgres away": (partial(away, name="postgres"), 10.0, True),
    "postgres out of connections": (out_of_connections, 10.0, False),
    "postgres slow": (partial(slow, name="postgres"), 10.0, False),
    "kafka slow": (partial(slow, name="kafka"), 10.0, False),
    "a long transaction elsewhere": (long_transaction, 20.0, False),
}
KAFKA_IS_NOT_ASKED = ("kafka frozen", "kafka away", "kafka slow", "a long transaction elsewhere")
NOTHING_IS_ANSWERED = ("postgres frozen", "postgres away", "postgres out of connections")
SMALL_SECONDS = 2.0


def the_faults() -> list[Any]:
    return [pytest.param(name, marks=() if small else pytest.mark.whole) for name, (_, _, small) in FAULTS.items()]


@pytest.mark.parametrize("name", the_faults())
def test_away(site: Site, figures: Figures, seed: int, name: str) -> None:
    """Nothing acknowledged is lost; without PostgreSQL a command is refused in time, without Kafka it is acknowledged all the same."""
    brings, seconds, _ = FAULTS[name]
    with Load(site, seed=seed) as load:
        load.go_on(1.0)
        with brings(site) as fault:
            began = time.monotonic()
            status, took = a_command(site)
            allowed = REFUSED_SECONDS_MAX * max(1.0, slowdown())
            if name in NOTHING_IS_ANSWERED:
                assert (status, took <= allowed) == (503, True), (status, took, allowed)
            elif name in KAFKA_IS_NOT_ASKED:
                assert (status, took <= allowed) == (201, True), (status, took, allowed)
            load.go_on(max(0.0, (seconds if WHOLE else SMALL_SECONDS) - (time.monotonic() - began)))
        recovery = recovered(site, fault.ended_at)
        tell(f"{name}: a command got {status} in {took:.2f} s; recovered in {recovery:.2f} s", load.written)
    found = compared(site, load.written)
    figures[name] = {
        "seconds": seconds if WHOLE else SMALL_SECONDS, **load.written.counts(), "lost": found.lost, "doubled": found.doubled,
        "not_arrived": found.not_arrived, "frames_lost": found.frames_lost, "frames_doubled": found.frames_doubled,
        "status_meanwhile": status, "answered_s": round(took, 2), "recovery_s": round(recovery, 2),
    }  # fmt: skip


def a_command(site: Site) -> tuple[int, float]:
    """The status of a command that is sent once, and how long the answer took; a 503 says when to ask again."""
    clinic_id = uuid.uuid4()
    headers = {"Authorization": f"Bearer {site.token('medical_director')}", "Idempotency-Key": str(clinic_id)}
    began = time.monotonic()
    answer = httpx.post(f"{site.url('scheduling')}/v1/clinics", json=a_clinic(clinic_id), headers=headers, timeout=30, trust_env=False)
    took = time.monotonic() - began
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["content-type"].startswith("application/problem+json")
    return answer.status_code, took
