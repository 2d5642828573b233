"""What is measured, what it is held against, and the rounds: all variants in turn, so that a drifting machine harms no ratio."""

import asyncio
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

WARM_UP_SECONDS: Final = 0.5
MEASUREMENT_SECONDS_MAX: Final = 90.0  # one variant in one round, preparing it included
OURS: Final = "erbium"
RAW: Final = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One variant in one round.

    Units: `per_second` operations; `cpu_us` processor time of the measured processes per operation; `load_us` that of the load
    generator, where it is another process.
    """

    per_second: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_us: float | None = None
    load_us: float | None = None


Measure = Callable[[float], Awaitable[Reading]]
"""(seconds) -> what came out. A measure that needs no time of its own may take less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What the issue asks of a row. `of`: the number looked at, ours over raw for the ratios."""

    of: Literal["ratio", "p99_ratio", "p99_ms", "per_second", "cpu_ratio"]
    at_least: float | None = None
    at_most: float | None = None

    def met_by(self, value: float) -> bool:
        """Is the median where it should be?"""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        """As the table shows it."""
        name = {"ratio": "", "cpu_ratio": "", "p99_ratio": "p99 ratio ", "p99_ms": "p99 ms ", "per_second": "per second "}[self.of]
        return f"{name}≥ {self.at_least:g}" if self.at_least is not None else f"{name}≤ {self.at_most:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One line of the table. `rivals` are measured in the same rounds.

    `seconds`: of each measurement, before the run's own factor. `per_core`: the ratio is of operations per second of processor time.
    `again`: also at ten times the history.
    """

    name: str
    unit: str
    ours: Measure
    raw: Measure | None
    against: str
    aims: tuple[Aim, ...] = ()
    rivals: Mapping[str, Measure] = field(default_factory=dict)
    seconds: float = 2.0
    per_core: bool = False
    again: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All rounds of one claim, on `history` times the history."""

    claim: Claim
    history: int
    readings: Mapping[str, Sequence[Reading]]

    def ratios(self, name: str = OURS) -> list[float]:
        """This variant over raw, round by round."""
        return [_better(self.claim, a) / _better(self.claim, b) for a, b in self._pairs(name)]

    def p99_ratios(self, name: str = OURS) -> list[float]:
        """This variant's p99 over raw's, round by round."""
        return [a.p99_ms / b.p99_ms for a, b in self._pairs(name) if a.p99_ms is not None and b.p99_ms]

    def ahead_of(self, rival: str) -> list[float]:
        """How many times better ours is than this rival, round by round: rates, or p99 where the row is about latency."""
        ours, theirs = self.readings[OURS], self.readings[rival]
        if self.about_latency:
            return [b.p99_ms / a.p99_ms for a, b in zip(ours, theirs, strict=True) if a.p99_ms and b.p99_ms]
        return [_better(self.claim, a) / _better(self.claim, b) for a, b in zip(ours, theirs, strict=True)]

    @property
    def about_latency(self) -> bool:
        """Is the rate given, and the delay the result?"""
        return any(aim.of == "p99_ms" for aim in self.claim.aims)

    def value(self, aim: Aim) -> list[float]:
        """What an aim looks at, round by round."""
        ours = self.readings[OURS]
        match aim.of:
            case "ratio" | "cpu_ratio":
                return self.ratios()
            case "p99_ratio":
                return self.p99_ratios()
            case "p99_ms":
                return [reading.p99_ms for reading in ours if reading.p99_ms is not None]
            case "per_second":
                return [reading.per_second for reading in ours]

    def _pairs(self, name: str) -> list[tuple[Reading, Reading]]:
        return list(zip(self.readings[name], self.readings[RAW], strict=True)) if RAW in self.readings else []


def _better(claim: Claim, reading: Reading) -> float:
    if not claim.per_core:
        return reading.per_second
    assert reading.cpu_us, f"{claim.name}: a ratio per core needs processor time"
    return 1e6 / reading.cpu_us


async def rounds(claim: Claim, *, count: int, factor: float, history: int, rivals: bool, told: Callable[[str], None]) -> Result:
    """Warms every variant up, then measures all of them in turn, `count` times, each round beginning with another one."""
    measures: dict[str, Measure] = {OURS: claim.ours}
    if claim.raw is not None:
        measures[RAW] = claim.raw
    if rivals:
        measures.update(claim.rivals)
    names, found = list(measures), {name: list[Reading]() for name in measures}
    seconds = claim.seconds * factor
    for n in range(-1, count):
        for name in names[n % len(names) :] + names[: n % len(names)] if n >= 0 else names:
            async with asyncio.timeout(MEASUREMENT_SECONDS_MAX):
                reading = await measures[name](seconds if n >= 0 else min(WARM_UP_SECONDS, seconds))
            if n >= 0:
                found[name].append(reading)
                told(f"{claim.name} [{n + 1}/{count}] {name}: {shown(reading, claim.unit)}")
    return Result(claim=claim, history=history, readings=found)


def shown(reading: Reading, unit: str) -> str:
    """One line for whoever watches."""
    parts = [f"{reading.per_second:,.0f} {unit}"]
    if reading.p99_ms is not None:
        parts.append(f"p50 {reading.p50_ms:.2f} ms, p99 {reading.p99_ms:.2f} ms")
    if reading.cpu_us is not None:
        parts.append(f"{reading.cpu_us:.4g} µs of processor each")
    if reading.load_us is not None:
        parts.append(f"load generator {reading.load_us:.3g} µs each")
    return ", ".join(parts)


def median(values: Iterable[float]) -> float:
    """Not a number where there is none."""
    found = list(values)
    return statistics.median(found) if found else math.nan


def spread(values: Sequence[float]) -> str:
    """`min–max`."""
    return f"{min(values):.3g}–{max(values):.3g}" if values else "–"


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not pass. Why not interpolated: it is a latency somebody had."""
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]


def reading(seconds: float, latencies_s: Sequence[float], *, count: int | None = None, cpu_s: float | None = None) -> Reading:
    """From the latencies of all operations. `count` differs where an operation is a batch."""
    ordered = sorted(latencies_s)
    n = count if count is not None else len(ordered)
    return Reading(
        per_second=n / seconds, p50_ms=1000 * percentile(ordered, 0.5), p99_ms=1000 * percentile(ordered, 0.99),
        cpu_us=None if cpu_s is None else 1e6 * cpu_s / n,
    )  # fmt: skip


async def keep_in_flight(callers: int, seconds: float, once: Callable[[], Awaitable[object]]) -> tuple[float, list[float]]:
    """So many callers, each asking again as soon as it is answered. Returns the time taken and each call's latency, in seconds."""
    latencies: list[float] = []
    begun = time.perf_counter()
    end = begun + seconds

    async def caller() -> None:
        while (started := time.perf_counter()) < end:
            await once()
            latencies.append(time.perf_counter() - started)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return time.perf_counter() - begun, latencies
