"""What aftercare stores is for ever, and what it says to others is what its contracts say."""

import json
from pathlib import Path
from typing import Any

from aftercare.care.commands import CloseAdverseEvent, OpenCheckIn, PlanCare
from aftercare.published import messages
from aftercare.wiring import SERVICE
from erbium_kernel.codec import Codec
from erbium_kernel.personal import Personal
from tests.aftercare.making import COMPLETED, EVENT_ID, NEXT_MORNING, PLAN, TREATED, after, answer
from tests.stored_events import check_every_version_is_read, check_written_as_ever

GOLDEN = Path(__file__).parent / "golden"
CONTRACTS = Path(__file__).parents[2] / "contracts" / "aftercare"
NOBODYS: Any = None  # no message depends on the envelope
ANSWER = answer(blisters=True, redness=True)
_, EVENTS = after(
    PLAN,
    PlanCare(treatment=COMPLETED),
    OpenCheckIn(at=NEXT_MORNING),
    type(ANSWER)(at=ANSWER.at, answers=ANSWER.answers, words=Personal(TREATED.patient_id, "Two blisters."), adverse_event_id=EVENT_ID),
    CloseAdverseEvent(at=NEXT_MORNING, adverse_event_id=EVENT_ID, closed_by="01990000-0000-7000-8000-0000000000d1"),
)


def test_events_are_stored_as_ever() -> None:
    """Each kind of event is in the story, and is written as its golden file says."""
    assert {type(event) for event in EVENTS} == {stored.record for decider in SERVICE.deciders for stored in decider.events.values()}
    check_written_as_ever(SERVICE, GOLDEN, EVENTS)


def test_every_version_ever_written_is_read() -> None:
    """Each version of each event has a golden file that becomes the record of now."""
    check_every_version_is_read(SERVICE, GOLDEN)


def test_published_is_what_the_contracts_say() -> None:
    """The facts of the story have the contracts' fields, and the opened event is the contract's own example."""
    codec = Codec([], SERVICE.heard)
    said = {message.fact: json.loads(codec.to_json(message.data)) for event in EVENTS for message in messages(NOBODYS, event)}
    contracts = {path.name: json.loads(path.read_text()) for path in CONTRACTS.glob("*.json")}
    assert {f"{fact}.v1.json" for fact in said} == set(contracts)
    for fact, data in said.items():
        assert data.keys() == contracts[f"{fact}.v1.json"]["example"].keys()
    assert said["adverse-event-opened"] == contracts["adverse-event-opened.v1.json"]["example"]
