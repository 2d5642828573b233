"""Every stored version of every event keeps a golden file that today's code still reads; and what is written today is what it holds."""

import json
from pathlib import Path

import msgspec
import pytest

from erbium_kernel.codec import Codec
from screening.clinic.events import EVENTS as CLINIC_EVENTS
from screening.heard import HEARD
from screening.patient.events import EVENTS
from tests.screening.recorded import RECORDED

GOLDEN = Path(__file__).parent / "golden"
STORED = {**EVENTS, **CLINIC_EVENTS}
CODEC = Codec([EVENTS, CLINIC_EVENTS], HEARD)


@pytest.mark.parametrize("name", sorted(STORED))
def test_every_version_is_still_read(name: str) -> None:
    """Each version ever written has a golden file, and decodes to the event as it is known now."""
    for version in range(1, STORED[name].version + 1):
        data = (GOLDEN / f"{name}.v{version}.json").read_bytes()
        assert CODEC.decode_data(name, version, data) == RECORDED[name]


@pytest.mark.parametrize("name", sorted(STORED))
def test_what_is_written_today(name: str) -> None:
    """The event is stored exactly as the golden file of its current version says: a change needs a new version and an upcast."""
    version = STORED[name].version
    golden = json.loads((GOLDEN / f"{name}.v{version}.json").read_bytes())
    assert json.loads(msgspec.json.encode(RECORDED[name])) == golden


def test_no_golden_file_is_left_over() -> None:
    """A stored name never disappears."""
    assert {path.name.split(".v")[0] for path in GOLDEN.glob("*.json")} == set(STORED) == set(RECORDED)
