"""How much is done, what was measured, and progress for people past pytest's own capturing."""

import os
import sys
import time
from typing import Any, Final

from tests.faults.load import Written

WHOLE: Final = os.environ.get("ERBIUM_FAULTS") == "whole"  # else the small part
SEED: Final = int(os.environ.get("ERBIUM_FAULTS_SEED", "1"))
ROUNDS: Final = int(os.environ.get("ERBIUM_FAULTS_ROUNDS", "30"))  # of the kills, in the whole
Figures = dict[str, Any]
FIGURES: Final[Figures] = {}  # fault -> numbers; `python -m tests.faults` writes it
_began = time.monotonic()


def tell(line: str, written: Written | None = None) -> None:
    """One line: when, what, and how much is acknowledged."""
    counts = "" if written is None else f" ({', '.join(f'{count} {name}' for name, count in written.counts().items())})"
    sys.__stderr__.write(f"[{time.monotonic() - _began:6.1f} s] {line}{counts}\n")
    sys.__stderr__.flush()
