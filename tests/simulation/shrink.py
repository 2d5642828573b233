"""A failing plan cut down to the items that the failure needs, and the report that a person reads."""

from collections.abc import Sequence
from typing import Final

from tests.simulation.plan import Item, plan_of
from tests.simulation.planted import NOTHING, Planted
from tests.simulation.run import Run, run
from tests.simulation.turns import Taken

TRIES_MAX: Final = 150  # runs of one shrinking


def shrunken(found: Run, planted: Planted = NOTHING) -> tuple[Run, tuple[Item, ...]]:
    """The shortest list found that still breaks the same promise, with its run. Source: Zeller's ddmin, by halves, then one by one."""
    kept, best, tries = list(plan_of(found.seed)), found, 0
    size = len(kept) // 2
    while size and tries < TRIES_MAX:
        start, cut = 0, False
        while start < len(kept) and tries < TRIES_MAX:
            fewer = kept[:start] + kept[start + size :]
            tries += 1
            again = run(found.seed, planted=planted, keep=frozenset(item.number for item in fewer))
            if again.broken is not None and _promise(again.broken) == _promise(found.broken):
                kept, best, cut = fewer, again, True
            else:
                start += size
        if size == 1 and not cut:
            break
        size = max(1, size // 2) if not cut or size > 1 else 1
    return best, tuple(kept)


def _promise(broken: str | None) -> str:
    """What stands before the first colon: ids and times may differ."""
    return (broken or "").partition(":")[0]


def report(found: Run, best: Run, kept: Sequence[Item]) -> str:
    """Seed, promise, how to replay, the shortest schedule, the last turns."""
    numbers = ",".join(str(item.number) for item in kept) or "none"
    lines = [
        f"seed {found.seed}: {found.broken}",
        f"replay: python -m tests.simulation --first {found.seed} --seeds 1",
        "",
        f"{len(kept)} of its {len(plan_of(found.seed))} items are enough: {best.broken}",
        f"replay: python -m tests.simulation --first {found.seed} --seeds 1 --keep {numbers}",
        *(f"  {item}" for item in kept),
        "",
        f"the last {len(best.last)} turns:",
        *(_line(taken) for taken in best.last),
    ]
    return "\n".join(lines)


def _line(taken: Taken) -> str:
    number, us, name, where = taken
    at = f"{us / 1_000_000:12.6f}s"
    return f"  {number:6} {at}  {name}: {where}" if name else f"  {number:6} {at}  -- {where}"
