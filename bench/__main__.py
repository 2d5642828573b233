"""`python -m bench`: all rows, or those named. Exit codes: 0 measured, 1 it could not be measured, 2 wrong usage. No aim fails the run."""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import uvloop

from bench import ground, http_load, report
from bench.history import grow
from bench.measuring import Claim, Result, rounds
from bench.rivals import environment
from erbium.servers import LocalServerError

HERE: Final = Path(__file__).parent
CHECKOUT: Final = HERE.parent
ROWS: Final = ("append", "command", "projection", "frozen", "frames_in", "frames_stored", "frames_through", "rebuild")
ROUNDS: Final = 5
MINUTES_MAX: Final = 14.5  # what is not measured by then is said to be missing
QUICK_FACTOR: Final = 0.34
GROWN: Final = 10
GROWN_ROUNDS_MAX: Final = 3  # whether a row grows is asked, not how fast it is
GROWN_FACTOR: Final = 0.5

_begun: Final = time.monotonic()
Opened = Callable[[ground.Ground], AbstractAsyncContextManager[list[Claim]]]


def main() -> int:
    """Measures, prints the table, writes it beside this file when all rows were asked for."""
    asked = _parser().parse_args()
    begun = time.monotonic()
    try:
        rivals = environment.python(CHECKOUT, _say) if asked.rivals else None
        with ground.alone(CHECKOUT / ".bench") as state:
            on = ground.opened(state, quick=asked.quick, rivals=rivals, say=_say)
            run = Run(on, asked, begun)
            try:
                uvloop.run(run.all())
            finally:
                on.close()
    except LocalServerError as error:
        _say(str(error))
        return 1
    took_s = time.monotonic() - begun
    said: dict[str, Any] = {"rounds": run.rounds, "notes": run.notes, "missing": run.missing, "took_s": took_s}
    told = report.markdown(run.results, **said)
    if asked.json:
        sys.stdout.write(json.dumps(report.as_json(run.results, **said)) + "\n")
    else:
        sys.stdout.write(told)
    if asked.write:
        (HERE / "results.md").write_text(told)
    return 1 if run.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", type=_rows, default=list(ROWS), metavar="ROW,ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each row (5 is the least to publish)")
    parser.add_argument("--quick", action="store_true", help="one short round: does it run? not: how fast is it?")
    parser.add_argument("--no-rivals", dest="rivals", action="store_false", help="ours and raw only")
    parser.add_argument("--no-history", dest="history", action="store_false", help="not again at ten times the history")
    parser.add_argument("--json", action="store_true", help="every reading as JSON instead of the table")
    parser.add_argument("--write", action="store_true", help="keep the table as bench/results.md")
    return parser


def _rows(text: str) -> list[str]:
    wanted = text.split(",")
    if unknown := set(wanted) - set(ROWS):
        raise argparse.ArgumentTypeError(f"no row {', '.join(sorted(unknown))}")
    return wanted


def _say(sentence: str) -> None:
    sys.stderr.write(f"bench [{time.monotonic() - _begun:4.0f} s]: {sentence}\n")
    sys.stderr.flush()


class Run:
    """One run: first everything on the history of a young installation, then again on ten times as much."""

    def __init__(self, on: ground.Ground, asked: argparse.Namespace, begun: float) -> None:
        """Nothing is measured yet."""
        self._on, self._asked, self._begun = on, asked, begun
        self.rounds = 1 if asked.quick else asked.rounds
        self.results: list[Result] = []
        self.notes: list[str] = []
        self.missing: list[str] = []
        self.failed = False

    async def all(self) -> None:
        """Both phases, as far as there is time."""
        self.notes.append(await http_load.ceiling(self._on))
        await self._phase(history=1, rivals=self._asked.rivals)
        if self._asked.history:
            await self._phase(history=GROWN, rivals=False)

    async def _phase(self, *, history: int, rivals: bool) -> None:
        _say(f"making {history} × the history")
        await grow(self._on, history)
        for name in self._asked.rows:
            if time.monotonic() - self._begun > MINUTES_MAX * 60:
                self.missing.append(f"{name} at {history} × the history: the {MINUTES_MAX} minutes were over")
                continue
            await ground.settle(self._on, afresh=name == self._asked.rows[0])
            try:
                await self._row(name, history=history, rivals=rivals and self._on.rivals is not None)
            except Exception as error:  # noqa: BLE001  # the other rows are worth having; the exit code tells
                self.failed = True
                self.missing.append(f"{name} at {history} × the history: {type(error).__name__}: {error}")
                traceback.print_exc()

    async def _row(self, name: str, *, history: int, rivals: bool) -> None:
        opened: Opened = import_module(f"bench.rows.{name}").claims
        factor = QUICK_FACTOR if self._asked.quick else GROWN_FACTOR if history > 1 else 1.0
        count = min(self.rounds, GROWN_ROUNDS_MAX) if history > 1 else self.rounds
        async with opened(self._on) as claims:
            for claim in claims:
                if history > 1 and not claim.again:
                    continue
                found = await rounds(claim, count=count, factor=factor, history=history, rivals=rivals, told=_say)
                self.results.append(found)


if __name__ == "__main__":
    sys.exit(main())
