"""The stored form of every event is for ever: the claims that each service's examples and golden files must keep."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from erbium_kernel.codec import Codec
from erbium_kernel.personal import Personal, Sealed
from erbium_kernel.service import Service


def seal(value: Personal) -> Sealed:
    """A repeatable seal: golden files cannot hold a random nonce."""
    return Sealed(1, value.subject_id, "bm9uY2Utbm9uY2U=", "c2VhbGVk")


def check_written_as_ever(service: Service, golden: Path, events: Sequence[Any]) -> None:
    """Every event is written as its golden file says; a missing file is written by hand once, never by a test."""
    codec = Codec([decider.events for decider in service.deciders], service.heard)
    for event in events:
        name, version, data, _ = codec.encode(event, seal)
        assert json.loads(data) == json.loads((golden / f"{name}.v{version}.json").read_text()), name


def check_every_version_is_read(service: Service, golden: Path) -> None:
    """No event and no version is without a golden file, no file without an event, and all become the records of now."""
    codec = Codec([decider.events for decider in service.deciders], service.heard)
    own = {name: stored for decider in service.deciders for name, stored in decider.events.items()}
    wanted = {f"{name}.v{version}.json" for name, stored in own.items() for version in range(1, stored.version + 1)}
    assert wanted == {path.name for path in golden.glob("*.json")}
    for path in golden.glob("*.json"):
        name, _, version = path.stem.rpartition(".v")
        assert type(codec.decode_data(name, int(version), path.read_bytes())) is own[name].record
