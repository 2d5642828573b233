"""What scheduling says to others is what its contracts say, and what it hears is understood."""

from pathlib import Path
from typing import Any

import pytest

from scheduling.published import messages
from scheduling.wiring import SERVICE
from tests import stored_events
from tests.scheduling.stored import BOOKED, EXAMPLES

NOBODYS: Any = None  # no message depends on the envelope
SAID = stored_events.by_fact(message for event in EXAMPLES for message in messages(NOBODYS, event))


@pytest.mark.parametrize("path", stored_events.contracts_of(SERVICE), ids=lambda path: path.name)
def test_the_producer_says_what_the_contract_says(path: Path) -> None:
    """The message of the example event is the golden example, byte for byte of meaning, and fits the schema."""
    stored_events.check_contract(SERVICE, path, SAID)


def test_every_fact_has_a_contract() -> None:
    """Nothing is published without a contract, and no contract is without a fact."""
    stored_events.check_every_fact_has_a_contract(SERVICE, SAID)


@pytest.mark.parametrize("name", sorted(SERVICE.heard))
def test_heard_examples_are_understood(name: str) -> None:
    """The owner's golden example of every fact that this service hears is decoded."""
    stored_events.check_promise_is_read(SERVICE, name)


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
