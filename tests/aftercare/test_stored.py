"""What aftercare stores is for ever, and what it says to others is what its contracts say."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from aftercare.care.commands import CloseAdverseEvent, OpenCheckIn, PlanCare
from aftercare.published import messages
from aftercare.wiring import SERVICE
from erbium_kernel.personal import Personal
from tests import stored_events
from tests.aftercare.making import COMPLETED, EVENT_ID, NEXT_MORNING, PLAN, TREATED, after, answer

GOLDEN = Path(__file__).parent / "golden"
NOBODYS: Any = None  # no message depends on the envelope
ANSWER = answer(blisters=True, redness=True)
_, EVENTS = after(
    PLAN,
    PlanCare(treatment=COMPLETED),
    OpenCheckIn(at=NEXT_MORNING),
    type(ANSWER)(at=ANSWER.at, answers=ANSWER.answers, words=Personal(TREATED.patient_id, "Two blisters."), adverse_event_id=EVENT_ID),
    CloseAdverseEvent(at=NEXT_MORNING, adverse_event_id=EVENT_ID, closed_by="01990000-0000-7000-8000-0000000000d1"),
)
CLOSED_LATER = replace(EVENTS[-1], closed_on=date(2026, 4, 18))  # as the contract's example has it
SAID = stored_events.by_fact(message for event in (*EVENTS[:-1], CLOSED_LATER) for message in messages(NOBODYS, event))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_are_stored_as_ever(event: Any) -> None:
    """Each event of the story is written as its golden file says, and read back from it as the same event."""
    stored_events.check_written_as_ever(SERVICE, GOLDEN, event)


def test_every_version_ever_written_is_read() -> None:
    """Each kind of event is in the story, and each version of each has a golden file that becomes the record of now."""
    stored_events.check_every_version_is_read(SERVICE, GOLDEN, EVENTS)


@pytest.mark.parametrize("path", stored_events.contracts_of(SERVICE), ids=lambda path: path.name)
def test_published_is_what_the_contracts_say(path: Path) -> None:
    """What the story says is the contract's own example, field by field."""
    stored_events.check_contract(SERVICE, path, SAID)


def test_every_fact_has_a_contract() -> None:
    """Nothing is published without a contract, and no contract is without a fact."""
    stored_events.check_every_fact_has_a_contract(SERVICE, SAID)
