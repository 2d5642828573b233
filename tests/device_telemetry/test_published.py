"""What telemetry says to others is what its contracts say, and what it hears is understood."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from device_telemetry.published import messages
from device_telemetry.wiring import SERVICE
from erbium_kernel.codec import Codec
from erbium_kernel.event import Message
from tests.device_telemetry.stored import STORED

CONTRACTS = Path(__file__).parents[2] / "contracts"
OURS = sorted((CONTRACTS / "device-telemetry").glob("*.json"))
CODEC = Codec([decider.events for decider in SERVICE.deciders], SERVICE.heard)
NOBODYS: Any = None  # no message depends on the envelope
SAID: dict[str, Message] = {message.fact: message for event in STORED.values() for message in messages(NOBODYS, event)}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_the_producer_says_what_the_contract_says(path: Path) -> None:
    """The message of the example event is the golden example, fits the schema, and lacks no field of it."""
    contract = json.loads(path.read_text())
    message = SAID[contract["fact"]]
    said = json.loads(CODEC.to_json(message.data))
    assert (message.version, said) == (contract["version"], contract["example"])
    Draft202012Validator(contract["schema"], format_checker=Draft202012Validator.FORMAT_CHECKER).validate(said)
    assert set(contract["schema"]["required"]) == set(said)


def test_every_fact_has_a_contract() -> None:
    """Nothing is published without a contract, and no contract is without a fact."""
    assert {f"{message.fact}.v{message.version}.json" for message in SAID.values()} == {path.name for path in OURS}


def test_one_event_one_message() -> None:
    """What was heard is not said again, and no event says two things."""
    for name, event in STORED.items():
        assert len(messages(NOBODYS, event)) <= (0 if "heard" in name or name in ("treatment-bound", "treatment-over") else 1)


@pytest.mark.parametrize("name", sorted(SERVICE.heard))
def test_heard_examples_are_understood(name: str) -> None:
    """The owner's golden example of every fact that this service hears is decoded."""
    _, owner, fact = name.split(".")
    contract = json.loads((CONTRACTS / owner / f"{fact}.v1.json").read_text())
    CODEC.decode_data(name, 1, json.dumps(contract["example"]).encode())
