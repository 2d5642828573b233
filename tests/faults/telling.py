"""Progress for people, past pytest's own capturing."""

import sys
import time

from tests.faults.load import Written

_began = time.monotonic()


def tell(line: str, written: Written | None = None) -> None:
    """One line: when, what, and how much is acknowledged."""
    counts = "" if written is None else f" ({', '.join(f'{count} {name}' for name, count in written.counts().items())})"
    sys.__stderr__.write(f"[{time.monotonic() - _began:6.1f} s] {line}{counts}\n")
    sys.__stderr__.flush()
