"""What follows from what was heard, in every order in which it may arrive; erasures."""

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from device_telemetry.clearance.commands import CloseTreatment, HearChange, NoteDelivery
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.heard import HEARD, PatientErased, VisitCheckedIn
from device_telemetry.reactions.clearance_leads_treatment import CLEARANCE_LEADS_TREATMENT
from device_telemetry.reactions.hear_clearance import HEAR_CLEARANCE
from device_telemetry.reactions.hear_visit import HEAR_VISIT
from device_telemetry.reactions.treatment_frees_clearance import TREATMENT_FREES_CLEARANCE
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.events import TreatmentHeld, TreatmentOpened
from device_telemetry.wiring import SERVICE
from erbium_kernel.codec import Codec
from erbium_kernel.event import Actor, Envelope
from tests.device_telemetry.making import (
    ATTESTED,
    CHAIN,
    CHECK_IN,
    CLEARANCE_ID,
    GRANT,
    NOW,
    OPEN,
    OTHER_TREATMENT,
    PATIENT,
    TREATMENT_ID,
    clearance,
)
from tests.device_telemetry.stored import STORED

CONTRACTS = Path(__file__).parents[2] / "contracts"
CODEC = Codec([decider.events for decider in SERVICE.deciders], SERVICE.heard)
ENVELOPE = Envelope(
    chain_id=CHAIN, ordering_id=PATIENT, event_id=uuid4(), type="x", schema_version=1, origin=None, stream=None, version=None,
    clinic_id=None, subject_id=None, occurred_at=NOW, recorded_at=NOW, command_id=None, correlation_id=uuid4(), causation_id=None,
    actor=Actor(kind="reaction", id="x"), traceparent=None,
)  # fmt: skip
HEARS = {name: reaction for reaction in (HEAR_CLEARANCE, HEAR_VISIT) for name in reaction.hears}


@pytest.mark.parametrize("name", sorted(HEARS))
def test_heard_facts_are_appended(name: str) -> None:
    """The owner's example of every fact about a clearance or its visit becomes an entry of that clearance's stream."""
    _, owner, fact = name.split(".")
    path = CONTRACTS / owner / f"{fact}.v1.json"
    example = json.loads(path.read_text())["example"]
    record = CODEC.decode_data(name, 1, json.dumps(example).encode())
    to = HEARS[name].react(ENVELOPE, record)
    assert to is not None
    assert (to.decider, str(to.stream_id)) == (CLEARANCE, example["clearance_id"])
    if not isinstance(to.command, HearChange) or to.command.change not in ("reinstated",):
        assert len(CLEARANCE.decide(to.command, CLEARANCE.initial)) == 1


def test_a_visit_without_a_clearance_needs_no_laser() -> None:
    """A consultation that is checked in leads to nothing here."""
    usual = {name: getattr(CHECK_IN, name) for name in CHECK_IN.__slots__}
    assert HEAR_VISIT.react(ENVELOPE, VisitCheckedIn(**{**usual, "clearance_id": None})) is None


def of_treatment(events: list[Any]) -> list[Any]:
    """The treatment's own events after the reaction has followed these of the clearance."""
    state, found = TREATMENT.initial, []
    for event in events:
        to = (
            CLEARANCE_LEADS_TREATMENT.react(ENVELOPE, event) if CLEARANCE.events.name_of(event) in CLEARANCE_LEADS_TREATMENT.hears else None
        )
        if to is not None:
            for followed in TREATMENT.decide(to.command, state):
                state = TREATMENT.evolve(state, followed)
                found.append(followed)
    return found


def test_whatever_the_order_the_laser_is_not_left_running() -> None:
    """Grant, check-in, attestation, opening and suspension in every order: no treatment runs under a suspended clearance unpaused."""
    suspend = HearChange(clearance_id=CLEARANCE_ID, patient_id=PATIENT, change="suspended")
    for order in permutations((GRANT, CHECK_IN, ATTESTED, suspend)):
        _, events = clearance(*order)
        assert of_treatment(events) == []
    _, events = clearance(GRANT, CHECK_IN, ATTESTED, OPEN, suspend)
    opened, held = of_treatment(events)
    assert isinstance(opened, TreatmentOpened)
    assert isinstance(held, TreatmentHeld)
    assert (held.command, held.cause) == ("PAUSE", "clearance_suspended")


def test_the_end_of_a_treatment_reaches_its_clearance() -> None:
    """Ended: delivered. Given up: not delivered. Aborted after a delivery: said once, by the end that comes with it."""
    ended = TREATMENT_FREES_CLEARANCE.react(ENVELOPE, STORED["treatment-ended"])
    aborted = TREATMENT_FREES_CLEARANCE.react(ENVELOPE, STORED["treatment-aborted"])
    assert ended is not None
    assert aborted is not None
    assert (ended.stream_id, ended.command.delivered, aborted.command.delivered) == (CLEARANCE_ID, True, False)


def test_a_late_delivery_stops_what_is_open() -> None:
    """The start of a treatment reaches its clearance; what is open there now is stopped when another one has delivered after all."""
    started = TREATMENT_FREES_CLEARANCE.react(ENVELOPE, STORED["treatment-started"])
    assert started is not None
    assert (started.stream_id, started.command) == (CLEARANCE_ID, NoteDelivery(treatment_id=TREATMENT_ID))
    given_up = CloseTreatment(treatment_id=TREATMENT_ID, delivered=False)
    _, events = clearance(GRANT, CHECK_IN, ATTESTED, OPEN, given_up, replace(OPEN, treatment_id=OTHER_TREATMENT), started.command)
    to = CLEARANCE_LEADS_TREATMENT.react(ENVELOPE, events[-1])
    assert to is not None
    assert (to.stream_id, to.command.command, to.command.cause) == (OTHER_TREATMENT, "STOP", "earlier_delivery")
    _, events = clearance(GRANT, CHECK_IN, ATTESTED, OPEN, given_up, started.command)
    assert CLEARANCE_LEADS_TREATMENT.react(ENVELOPE, events[-1]) is None


def test_an_erasure_is_heard() -> None:
    """The fact that destroys a person's key is known here, and nothing of this service holds a value that the key would open."""
    assert HEARD[SERVICE.erased_by[0]].record is PatientErased
    assert not SERVICE.owns_keys
    texts = {name: json.dumps(CODEC.encode(event, lambda value: pytest.fail(str(value)))[2].decode()) for name, event in STORED.items()}
    assert not [name for name, text in texts.items() if "ciphertext" in text]
