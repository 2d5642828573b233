"""Every stored version of every event keeps a golden file that today's code still reads; and what is written today is what it holds."""

from pathlib import Path

import pytest

from screening.wiring import SERVICE
from tests import stored_events
from tests.screening.recorded import RECORDED

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_what_is_written_today(name: str) -> None:
    """The event is stored exactly as its golden file says, and each version ever written decodes to the event as it is known now."""
    stored_events.check_written_as_ever(SERVICE, GOLDEN, RECORDED[name])


def test_every_version_is_still_read() -> None:
    """Each version ever written has a golden file, and a stored name never disappears: a change needs a new version and an upcast."""
    stored_events.check_every_version_is_read(SERVICE, GOLDEN, RECORDED.values())
    assert RECORDED.keys() == stored_events.own_events(SERVICE).keys()
