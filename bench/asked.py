"""The other end of `asking.py`: reads lines of JSON, answers each with one. Standard library only: rivals import it too."""

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any


def answering(begin: Callable[..., Callable[..., dict[str, Any]]]) -> None:
    """`begin(**first line)` returns what answers every later line."""
    answer: Callable[..., dict[str, Any]] | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        if answer is None:
            answer, told = begin(**asked), {}
        else:
            told = answer(**asked)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def reading(seconds: float, latencies_s: Sequence[float], cpu_s: float, *, count: int | None = None) -> dict[str, Any]:
    """As `measuring.Reading`."""
    ordered, n = sorted(latencies_s), count or len(latencies_s)
    at = {share: 1000 * ordered[max(0, math.ceil(share * len(ordered)) - 1)] for share in (0.5, 0.99)}
    return {"per_second": n / seconds, "p50_ms": at[0.5], "p99_ms": at[0.99], "cpu_us": 1e6 * cpu_s / n}


def now() -> tuple[float, float]:
    """(wall clock, processor time of this process), seconds."""
    return time.perf_counter(), time.process_time()
