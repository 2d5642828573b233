"""The stored form of every event is for ever: each version ever written keeps a golden file."""

import json
from pathlib import Path
from typing import Any

import pytest

from device_telemetry.wiring import SERVICE
from erbium_kernel.codec import Codec, never_seal, personal_values
from tests.device_telemetry.stored import STORED

GOLDEN = Path(__file__).parent / "golden"
CODEC = Codec([decider.events for decider in SERVICE.deciders], SERVICE.heard)


@pytest.mark.parametrize(("name", "event"), STORED.items(), ids=str)
def test_stored_as_the_golden_file_says(name: str, event: Any) -> None:
    """An event is written as its golden file says, and read back from it as the same event."""
    stored_name, version, data, subject = CODEC.encode(event, never_seal)
    golden = (GOLDEN / f"{name}.v{version}.json").read_text()
    assert (stored_name, json.loads(data)) == (name, json.loads(golden))
    assert CODEC.decode_data(name, version, golden.encode()) == event
    assert subject is None


def test_every_version_of_every_event_has_a_golden_file() -> None:
    """No stored type, and no version of one, is without its file; every file is readable for ever."""
    names = {name for decider in SERVICE.deciders for name in decider.events}
    wanted = {f"{name}.v{n}" for decider in SERVICE.deciders for name, one in decider.events.items() for n in range(1, one.version + 1)}
    assert wanted == {path.stem for path in GOLDEN.glob("*.json")}
    assert STORED.keys() == names
    for path in GOLDEN.glob("*.json"):
        name, version = path.stem.rsplit(".v", 1)
        CODEC.decode_data(name, int(version), path.read_bytes())


def test_nothing_personal_is_stored() -> None:
    """No event of this service holds a personal value: an erasure leaves nothing readable here because nothing readable ever was."""
    for name, event in STORED.items():
        assert not list(personal_values(event)), name
