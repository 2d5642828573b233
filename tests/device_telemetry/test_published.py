"""What telemetry says to others is what its contracts say, and what it hears is understood."""

from pathlib import Path
from typing import Any

import pytest

from device_telemetry.published import messages
from device_telemetry.wiring import SERVICE
from tests import stored_events
from tests.device_telemetry.stored import STORED

NOBODYS: Any = None  # no message depends on the envelope
SAID = stored_events.by_fact(message for event in STORED.values() for message in messages(NOBODYS, event))


@pytest.mark.parametrize("path", stored_events.contracts_of(SERVICE), ids=lambda path: path.name)
def test_the_producer_says_what_the_contract_says(path: Path) -> None:
    """The message of the example event is the golden example, fits the schema, and lacks no field of it."""
    stored_events.check_contract(SERVICE, path, SAID)


def test_every_fact_has_a_contract() -> None:
    """Nothing is published without a contract, and no contract is without a fact."""
    stored_events.check_every_fact_has_a_contract(SERVICE, SAID)


def test_one_event_one_message() -> None:
    """What was heard is not said again, and no event says two things."""
    for name, event in STORED.items():
        assert len(messages(NOBODYS, event)) <= (0 if "heard" in name or name in ("treatment-bound", "treatment-over") else 1)


@pytest.mark.parametrize("name", sorted(SERVICE.heard))
def test_heard_examples_are_understood(name: str) -> None:
    """The owner's golden example of every fact that this service hears is decoded."""
    stored_events.check_promise_is_read(SERVICE, name)
