"""`make faults`: every fault, the whole of it. Progress on standard error; with `--json` the figures on standard output, and nothing else.

python -m tests.faults                      all
python -m tests.faults -k killed            those that pytest's -k selects
python -m tests.faults --json > figures     what docs may quote
"""

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def main() -> int:
    """0 if every promise was kept; else pytest's own exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Faults on real servers, on 127.0.0.1 only.")
    parser.add_argument("--json", action="store_true", help="the figures on standard output")
    parser.add_argument("--seed", type=int, default=1, help="of every random moment and choice")
    parser.add_argument("--rounds", type=int, default=30, help="of kill -9 on each of api, work, PostgreSQL, Kafka")
    parser.add_argument("-k", metavar="EXPRESSION", help="only these, as pytest selects them")
    given = parser.parse_args()
    os.environ |= {"ERBIUM_FAULTS": "whole", "ERBIUM_FAULTS_SEED": str(given.seed), "ERBIUM_FAULTS_ROUNDS": str(given.rounds)}
    arguments = [str(HERE), "-q", "--capture=sys", "-p", "no:cacheprovider", "-p", "no:randomly", *(["-k", given.k] if given.k else [])]
    with contextlib.redirect_stdout(sys.stderr):
        code = int(pytest.main(arguments))
    from tests.faults.telling import FIGURES  # only now: it looks at the environment when it is loaded

    if given.json:
        sys.stdout.write(json.dumps({"seed": given.seed, "kept": code == 0, "faults": FIGURES}, indent=2, default=round) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
