"""The table that people read, and the same as JSON."""

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil

from bench.measuring import OURS, RAW, Aim, Reading, Result, median, spread

FLAT_AT_MOST: Final = 1.2  # p99 at ten times the history, over p99 at once
GIB: Final = 2**30
HEAD: Final = (
    "| row | ours | p50 / p99 ms | cost each, µs of processor | raw | p99 ms | ratio: median (min–max) | aim | met |\n"
    "|---|---|---|---|---|---|---|---|---|\n"
)


def machine() -> str:
    """What it was measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        model = next((line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")), model)
    memory = psutil.virtual_memory().total / GIB
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def markdown(results: Sequence[Result], *, rounds: int, notes: Sequence[str], missing: Sequence[str], took_s: float) -> str:
    """The whole of `results.md`. `missing`: what could not be measured, each a sentence."""
    now = [result for result in results if result.history == 1]
    grown = [result for result in results if result.history > 1]
    parts = [
        "# Results\n",
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {machine()}; {rounds} rounds, all variants of a row in turn; "
        f"{took_s / 60:.1f} minutes in all. `python -m bench` makes this page; README.md beside it says what each row proves.\n",
        "Quote the ratios: the machine is shared, its absolute rates drift. Medians; in brackets the smallest and the largest round.\n",
        HEAD + "".join(_line(result) for result in now),
    ]
    if any(len(result.readings) > 2 for result in now):
        parts += ["## Beside the others\n", _rivals(now)]
    if grown:
        parts += ["## At ten times the history\n", _flatness(now, grown)]
    if missing:
        parts += ["## Not measured\n", "".join(f"- {sentence}\n" for sentence in missing)]
    if notes:
        parts += ["## How we know that the load generators do not limit\n", "".join(f"- {note}\n" for note in notes)]
    return "\n".join(parts)


def _line(result: Result) -> str:
    ours, raw = result.readings[OURS], result.readings.get(RAW)
    ratios = result.p99_ratios() if result.about_latency else result.ratios()
    of = "p99: " if result.about_latency else ""
    ratio = f"{of}**{median(ratios):.2f}** ({spread(ratios)})" if ratios else "–"
    aims = "; ".join(str(aim) for aim in result.claim.aims) or "–"
    return (
        f"| {result.claim.name} | {_rate(ours)} {result.claim.unit} | {_delays(ours)} | {_cost(ours)} "
        f"| {_rate(raw) if raw else '–'}, {result.claim.against} | {_p99(raw) if raw else '–'} | {ratio} | {aims} | {_met(result)} |\n"
    )


def _met(result: Result) -> str:
    """Every aim with what was reached, where the ratio column does not say it."""
    said = []
    for aim in result.claim.aims:
        value = median(result.value(aim))
        yes = "yes" if aim.met_by(value) else "**no**"
        said.append(yes if aim.of == "ratio" else f"{yes} ({value:.3g})")
    return "; ".join(said) or "–"


def _rate(readings: Sequence[Reading]) -> str:
    return f"{median(one.per_second for one in readings):,.0f}"


def _delays(readings: Sequence[Reading]) -> str:
    p50, p99 = (_some(readings, name) for name in ("p50_ms", "p99_ms"))
    return f"{median(p50):.2f} / {median(p99):.2f} ({spread(p99)})" if p50 else "–"


def _p99(readings: Sequence[Reading]) -> str:
    found = _some(readings, "p99_ms")
    return f"{median(found):.2f}" if found else "–"


def _cost(readings: Sequence[Reading]) -> str:
    """Ours, and what the load generator cost beside it on the same cores, where it is another process."""
    found, load = _some(readings, "cpu_us"), _some(readings, "load_us")
    return (f"{median(found):.3g}" if found else "–") + (f" (load generator {median(load):.2g})" if load else "")


def _some(readings: Sequence[Reading], name: str) -> list[float]:
    return [value for one in readings if (value := getattr(one, name)) is not None]


def _rivals(results: Sequence[Result]) -> str:
    lines = ["| row | rival | rival's | p99 ms | erbium is ahead by: median (min–max) |\n|---|---|---|---|---|\n"]
    for result in results:
        for name in result.readings.keys() - {OURS, RAW}:
            ahead = result.ahead_of(name)
            theirs = result.readings[name]
            lines.append(
                f"| {result.claim.name} | {name} | {_rate(theirs)} {result.claim.unit} | {_p99(theirs)} "
                f"| **{median(ahead):.1f} ×** ({spread(ahead)}) |\n"
            )
    return "".join(lines)


def _flatness(now: Sequence[Result], grown: Sequence[Result]) -> str:
    """Both phases are held against raw in their own rounds, so the machine's drift between the phases drops out."""
    lines = [
        "Flat: p99 against raw's p99 grows by no more than 1.2; where there is no p99, the ratio does not fall below 1 / 1.2.\n\n"
        "| row | p99 ms before, then | ratio before, then | growth | flat |\n|---|---|---|---|---|\n"
    ]
    for after in grown:
        before = next((one for one in now if one.claim.name == after.claim.name), None)
        if before is None:
            continue
        growth = flatness(before, after)
        p99 = f"{_p99(before.readings[OURS])}, {_p99(after.readings[OURS])}"
        ratio = f"{median(before.ratios()):.2f}, {median(after.ratios()):.2f}" if before.ratios() else "–"
        lines.append(f"| {after.claim.name} | {p99} | {ratio} | {growth:.2f} | {'yes' if growth <= FLAT_AT_MOST else '**no**'} |\n")
    return "".join(lines)


def flatness(before: Result, after: Result) -> float:
    """How much worse ten times the history is; 1 = not at all."""
    if before.p99_ratios() and after.p99_ratios():
        return median(after.p99_ratios()) / median(before.p99_ratios())
    if before.ratios() and after.ratios():
        return median(before.ratios()) / median(after.ratios())
    p99 = [median(_some(one.readings[OURS], "p99_ms")) for one in (before, after)]
    return p99[1] / p99[0] if p99[0] else math.nan


def as_json(results: Sequence[Result], *, rounds: int, notes: Sequence[str], missing: Sequence[str], took_s: float) -> dict[str, Any]:
    """Every reading, for machines."""
    return {
        "machine": machine(), "rounds": rounds, "took_seconds": round(took_s), "notes": list(notes), "missing": list(missing),
        "rows": [
            {
                "row": result.claim.name, "unit": result.claim.unit, "against": result.claim.against, "history": result.history,
                "ratio": _number(median(result.ratios())), "aims": [_aimed(result, aim) for aim in result.claim.aims],
                "readings": {name: [asdict(one) for one in readings] for name, readings in result.readings.items()},
            }
            for result in results
        ],
    }  # fmt: skip


def _aimed(result: Result, aim: Aim) -> dict[str, Any]:
    value = median(result.value(aim))
    return {"of": aim.of, "aim": str(aim), "value": _number(value), "met": aim.met_by(value)}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
