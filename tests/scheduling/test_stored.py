"""The stored form of every event is for ever: each version ever written keeps a golden file."""

from pathlib import Path
from typing import Any

import pytest

from scheduling.wiring import SERVICE
from tests import stored_events
from tests.scheduling.stored import EXAMPLES

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_events_are_stored_as_ever(event: Any) -> None:
    """An event is written as its golden file says, and read back from it as the same event; it holds nothing personal."""
    stored_events.check_written_as_ever(SERVICE, GOLDEN, event)
    stored_events.check_nothing_personal(event)


def test_every_version_ever_written_is_read() -> None:
    """Every version of every event has a golden file that becomes the record of now; no file is without an event."""
    stored_events.check_every_version_is_read(SERVICE, GOLDEN, EXAMPLES)
