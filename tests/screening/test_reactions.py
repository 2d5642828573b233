"""What is heard becomes a command, once, in every order; what is not ours to react to becomes none."""

import itertools
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from erbium_kernel.errors import Rejected
from erbium_kernel.event import Actor, Envelope
from screening import heard as h
from screening.clinic.commands import NoteClinic
from screening.clinic.decide import CLINIC as CLINIC_DECIDER
from screening.reactions import note_clinic, note_treatment, suspend_on_adverse_event, suspend_on_changes
from screening.wiring import SERVICE, expire
from tests.screening.reception import Reception
from tests.screening.story import CLINIC, PATIENT_ID, Story, id_of
from tests.screening.test_over_http import ask, prepare, register

DAY = "2026-03-20"


def envelope(type_: str, event_id: UUID | None = None) -> Envelope:
    """The envelope of a heard message."""
    at = datetime(2026, 3, 25, 8, tzinfo=UTC)
    return Envelope(
        chain_id=uuid4(), ordering_id=PATIENT_ID, event_id=event_id or uuid4(), type=type_, schema_version=1, origin=type_.split(".")[1],
        stream=None, version=None, clinic_id=None, subject_id=None, occurred_at=at, recorded_at=at, command_id=None, correlation_id=uuid4(),
        causation_id=None, actor=Actor(kind="staff", id="nurse-1"), traceparent=None,
    )  # fmt: skip


OPENED = h.AdverseEventOpened(
    adverse_event_id=id_of("ae"),
    patient_id=PATIENT_ID,
    treatment_id=id_of("t"),
    clinic_id=CLINIC,
    level="AMBER",
    opened_on=date(2026, 3, 25),
)
CLOSED = h.AdverseEventClosed(adverse_event_id=id_of("ae"), patient_id=PATIENT_ID, on=date(2026, 3, 28))
ATTESTED = h.DayOfTreatmentAttested(visit_id=id_of("v"), patient_id=PATIENT_ID, clinic_id=CLINIC, on=date(2026, 3, 25), changes=True)
STARTED = h.TreatmentStarted(
    treatment_id=id_of("t"), patient_id=PATIENT_ID, clearance_id=id_of("c"), clinic_id=CLINIC, modality="nafl_1550", zones=("face",),
    on=date(2026, 3, 25),
)  # fmt: skip
ENDED = h.TreatmentEnded(
    treatment_id=id_of("t"), patient_id=PATIENT_ID, clearance_id=id_of("c"), clinic_id=CLINIC, modality="nafl_1550", zones=("face",),
    on=date(2026, 3, 25),
)  # fmt: skip
HEARD: list[tuple[Any, str, Any]] = [
    (suspend_on_adverse_event.react, "erbium.aftercare.adverse-event-opened", OPENED),
    (suspend_on_adverse_event.react, "erbium.aftercare.adverse-event-closed", CLOSED),
    (suspend_on_changes.react, "erbium.scheduling.day-of-treatment-attested", ATTESTED),
    (note_treatment.react, "erbium.device-telemetry.treatment-started", STARTED),
    (note_treatment.react, "erbium.device-telemetry.treatment-ended", ENDED),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(HEARD)))))
def test_every_order_twice(order: tuple[int, ...]) -> None:
    """Whatever the order, each message is told once; the treatment is noted once, the event ends closed, the clearance suspended."""
    story = Story().examined(DAY).answered(DAY)
    story.cleared(DAY)
    for number in order:
        react, type_, record = HEARD[number]
        seen = envelope(type_, event_id=id_of(type_))
        for repetition in range(2):
            new = story.do(react(seen, record).command)
            assert not (repetition and new)
    assert len(story.state.treatments) == 1
    assert story.state.facts.open_adverse_events_on == ()
    assert story.clearance.standing == "suspended"


def test_no_changes_is_no_news() -> None:
    """An attestation without changes leads to nothing."""
    quiet = h.DayOfTreatmentAttested(visit_id=id_of("v"), patient_id=PATIENT_ID, clinic_id=CLINIC, on=date(2026, 3, 25), changes=False)
    assert suspend_on_changes.react(envelope("erbium.scheduling.day-of-treatment-attested"), quiet) is None


def test_a_stranger_is_no_error() -> None:
    """A message about somebody we do not know leads to no event and no refusal: nothing is parked."""
    story = Story()
    story.state = story.decider.initial
    for react, type_, record in HEARD:
        try:
            assert story.do(react(envelope(type_), record).command) == []
        except Rejected:
            pytest.fail(type_)


def test_clinic_zone() -> None:
    """The zone is kept once, and a new one replaces it."""
    to = note_clinic.react(envelope("erbium.scheduling.clinic-registered"), h.ClinicRegistered(clinic_id=CLINIC, time_zone="Asia/Tokyo"))
    assert (to.decider, to.stream_id) == (CLINIC_DECIDER, CLINIC)
    (noted,) = CLINIC_DECIDER.decide(to.command, None)
    assert CLINIC_DECIDER.decide(to.command, noted) == []
    assert len(CLINIC_DECIDER.decide(NoteClinic(clinic_id=CLINIC, time_zone="Europe/Madrid"), noted)) == 1


def test_names_are_stored_and_so_never_change() -> None:
    """The names of subscribers and timers stand in the database."""
    assert [reaction.name for reaction in SERVICE.reactions] == [
        "screening.note-clinic", "screening.note-treatment", "screening.suspend-on-adverse-event", "screening.suspend-on-changes",
    ]  # fmt: skip
    assert [projection.name for projection in SERVICE.projections] == ["screening.patients", "screening.clearances"]
    assert dict(SERVICE.timers) == {"clearance-expires": expire}


async def test_heard_on_a_real_database(reception: Reception) -> None:
    """An adverse event suspends the clearance through intake's row, the reaction and the projection."""
    patient = await register(reception)
    await prepare(reception, patient)
    cleared = await ask(reception, patient)
    opened = {
        "adverse_event_id": str(uuid4()), "patient_id": patient, "treatment_id": str(uuid4()), "clinic_id": cleared["clinic_id"],
        "level": "AMBER", "signs": ["NEW_BLISTER"], "opened_on": "2026-03-04",
    }  # fmt: skip
    await reception.hear("erbium.aftercare.adverse-event-opened", **opened)
    await reception.follow()
    found = (await reception.get(f"/patients/{patient}/clearances/{cleared['clearance_id']}")).json()
    assert (found["standing"], found["reasons"][0]["rule_id"]) == ("suspended", "ADVERSE_EVENT_OPEN")
