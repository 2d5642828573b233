"""The command line in a process of its own, as a person calls it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SECONDS_MAX = 120
NOT_OURS = ("ERBIUM_POSTGRES_URL", "ERBIUM_KAFKA", "ERBIUM_CALLED_BY")


def environment(state: Path, told: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, with this state folder, and without what names servers that run."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    return {**kept, "ERBIUM_STATE": str(state), **(told or {})}


def erbium(*arguments: str, state: Path, told: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    command = [sys.executable, "-m", "erbium", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(state, told), check=False, timeout=SECONDS_MAX)
    return done.returncode, done.stdout, done.stderr
