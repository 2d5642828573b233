"""The stored form of every event is for ever: each version ever written keeps a golden file."""

from pathlib import Path
from typing import Any

import pytest

from device_telemetry.wiring import SERVICE
from tests import stored_events
from tests.device_telemetry.stored import STORED

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("event", STORED.values(), ids=list(STORED))
def test_stored_as_the_golden_file_says(event: Any) -> None:
    """An event is written as its golden file says, and read back from it as the same event."""
    stored_events.check_written_as_ever(SERVICE, GOLDEN, event)


def test_every_version_of_every_event_has_a_golden_file() -> None:
    """No stored type, and no version of one, is without its file; every file is readable for ever."""
    stored_events.check_every_version_is_read(SERVICE, GOLDEN, STORED.values())


@pytest.mark.parametrize("event", STORED.values(), ids=list(STORED))
def test_nothing_personal_is_stored(event: Any) -> None:
    """No event of this service holds a personal value: an erasure leaves nothing readable here because nothing readable ever was."""
    stored_events.check_nothing_personal(event)
