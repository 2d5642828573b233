"""The stored form of every event is for ever: each version ever written keeps a golden file."""

import json
from pathlib import Path
from typing import Any

import pytest

from erbium_kernel.codec import Codec, never_seal
from scheduling.wiring import SERVICE
from tests.scheduling.stored import EXAMPLES

GOLDEN = Path(__file__).parent / "golden"
CODEC = Codec([decider.events for decider in SERVICE.deciders], SERVICE.heard)
OWN = {name: stored for decider in SERVICE.deciders for name, stored in decider.events.items()}


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_events_are_stored_as_ever(event: Any) -> None:
    """An event is written as its golden file says, and read back from it as the same event."""
    name, version, data, subject_id = CODEC.encode(event, never_seal)
    golden = (GOLDEN / f"{name}.v{version}.json").read_text()
    assert json.loads(data) == json.loads(golden)
    assert CODEC.decode_data(name, version, golden.encode()) == event
    assert subject_id is None


def test_every_version_of_every_event_has_a_golden_file() -> None:
    """No event and no version is without one, and no file is without an event."""
    wanted = {f"{name}.v{version}.json" for name, stored in OWN.items() for version in range(1, stored.version + 1)}
    assert wanted == {path.name for path in GOLDEN.glob("*.json")}


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.name)
def test_every_version_ever_written_is_read(path: Path) -> None:
    """Every golden file, of older versions too, becomes the record of now."""
    name, _, version = path.stem.rpartition(".v")
    assert type(CODEC.decode_data(name, int(version), path.read_bytes())) is OWN[name].record
