"""`python -m tests.simulation --seeds 10000 --first 1`: runs seeds, stops at the first that breaks a promise, and says how to replay it.

Exit code: 0 = every promise held, 1 = one did not, 2 = the command line is wrong.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Final

from tests.simulation.many import ready, runs
from tests.simulation.plan import plan_of
from tests.simulation.run import Run, run
from tests.simulation.shrink import report, shrunken

JOBS: Final = 2
PROGRESS_SECONDS: Final = 2.0
PROGRESS_IN_A_FILE_SECONDS: Final = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    options = _options().parse_args(arguments)
    if options.keep is not None:
        keep = frozenset(int(number) for number in options.keep.split(",") if number.isdigit())
        return _told(run(options.first, keep=keep), options, keep)
    ready()
    began = told_at = time.monotonic()
    turns = done = 0
    for found in runs(range(options.first, options.first + options.seeds), min(options.jobs, options.seeds)):
        done, turns = done + 1, turns + found.turns
        if found.broken is not None:
            return _told(found, options)
        now = time.monotonic()
        watched = sys.stderr.isatty()
        if not options.json and now - told_at > (PROGRESS_SECONDS if watched else PROGRESS_IN_A_FILE_SECONDS):
            told_at = now
            said = f"{done} of {options.seeds} seeds, {done / (now - began):.1f} a second"
            sys.stderr.write(f"\r{said} " if watched else f"{said}\n")
            sys.stderr.flush()
    seconds = time.monotonic() - began
    if options.json:
        sys.stdout.write(
            json.dumps({"seeds": done, "first": options.first, "turns": turns, "seconds": round(seconds, 1), "broken": None}) + "\n"
        )
    else:
        sys.stdout.write(f"{done} seeds from {options.first} on, {turns} turns: every promise held. {done / seconds:.1f} seeds a second.\n")
    return 0


def _told(found: Run, options: argparse.Namespace, keep: frozenset[int] | None = None) -> int:
    """The report of a failing run, its plan cut down unless `keep` has done so; a run that holds is told in a line."""
    if found.broken is None:
        sys.stdout.write(f"seed {found.seed}: every promise held, trace {found.trace:08x}\n")
        return 0
    best, kept = shrunken(found) if keep is None else (found, tuple(item for item in plan_of(found.seed) if item.number in keep))
    if options.json:
        items = [item.number for item in kept]
        sys.stdout.write(
            json.dumps({"seed": found.seed, "broken": found.broken, "keep": items, "last": [list(turn) for turn in best.last]}) + "\n"
        )
    else:
        sys.stdout.write("\n" + report(found, best, kept) + "\n")
    return 1


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=300, help="how many (default 300)")
    parser.add_argument("--first", type=int, default=1, help="the first one (default 1)")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"processes (default {JOBS})")
    parser.add_argument("--keep", help="of the first seed's plan, only the items of these numbers (1,4,17), as a report names them")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of sentences")
    return parser


if __name__ == "__main__":
    sys.exit(main())
