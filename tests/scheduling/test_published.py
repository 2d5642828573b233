"""What scheduling says to others is what its contracts say."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from erbium_kernel.codec import Codec
from erbium_kernel.event import Message
from scheduling.published import messages
from scheduling.wiring import SERVICE
from tests.scheduling.stored import BOOKED, EXAMPLES

CONTRACTS = Path(__file__).parents[2] / "contracts" / "scheduling"
CODEC = Codec([decider.events for decider in SERVICE.deciders], SERVICE.heard)
NOBODYS: Any = None  # no message depends on the envelope
SAID: dict[str, Message] = {message.fact: message for event in EXAMPLES for message in messages(NOBODYS, event)}


@pytest.mark.parametrize("path", sorted(CONTRACTS.glob("*.json")), ids=lambda path: path.name)
def test_the_producer_says_what_the_contract_says(path: Path) -> None:
    """The message of the example event is the golden example, byte for byte of meaning, and fits the schema."""
    contract = json.loads(path.read_text())
    message = SAID[contract["fact"]]
    body = json.loads(CODEC.to_json(message.data))
    assert (message.version, body) == (contract["version"], contract["example"])
    Draft202012Validator(contract["schema"], format_checker=Draft202012Validator.FORMAT_CHECKER).validate(body)
    assert set(contract["schema"]["required"]) == set(body)


def test_every_fact_has_a_contract() -> None:
    """Nothing is published without a contract, and no contract is without a fact."""
    assert {f"{message.fact}.v{message.version}.json" for message in SAID.values()} == {path.name for path in CONTRACTS.glob("*.json")}


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_holds_freezes_and_heard_facts_stay_inside(event: Any) -> None:
    """One event is at most one message, and what others said is never said again by us."""
    said = messages(NOBODYS, event)
    inside = type(event).__name__.endswith("Heard") or type(event).__name__ in ("SlotHeld", "HoldEnded", "VisitFrozen", "VisitMadeFirm")
    assert len(said) <= (0 if inside else 1)


def test_a_provisional_visit_is_published_as_such() -> None:
    """`standing` follows from the deadline."""
    assert SAID["visit-moved"].data.standing == "provisional"
    assert messages(NOBODYS, BOOKED)[0].data.standing == "firm"
