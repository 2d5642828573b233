"""The retention lock and the erasure that it vetoes: done, refused with the reason, repeated."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from erbium_kernel.errors import PersonErased
from screening.patient import commands as c
from screening.patient import refusals as r
from screening.patient.retention import years_later
from screening.patient.state import Erased
from tests.screening.story import CLINIC, NURSE, Story, act, at, id_of, personal

DAY = "2026-03-20"


def cleared() -> Story:
    """Examined, asked, cleared on 2026-03-20 until 2026-04-19."""
    story = Story().examined(DAY).answered(DAY)
    story.cleared(DAY)
    return story


def erase(day: str) -> c.ErasePatient:
    """The request of the patient."""
    return c.ErasePatient(act=act(day))


def treated(story: Story, on: str = "2026-03-25") -> c.NoteTreatment:
    """A treatment under the newest clearance."""
    return c.NoteTreatment(
        clinic_id=CLINIC, treatment_id=id_of("treatment"), clearance_id=story.clearance.granted.clearance_id, modality="nafl_1550",
        zones=("face",), treated_on=date.fromisoformat(on),
    )  # fmt: skip


def names(events: list[Any]) -> list[str]:
    """What happened."""
    return [type(event).__name__ for event in events]


def test_never_cleared_is_erased_at_once_and_once() -> None:
    """A patient who was never cleared is erased, although asked, examined and deferred; a second erasure is nothing."""
    story = Story().reported("botulinum_toxin", "2026-03-15", "face", day=DAY).examined(DAY).answered(DAY)
    assert names(story.cleared(DAY)) == ["ClearanceDeferred"]
    assert names(story.do(erase(DAY))) == ["PatientErased"]
    assert isinstance(story.state, Erased)
    assert story.do(erase("2026-03-21")) == []


def test_lock_starts_with_the_clearance() -> None:
    """An open clearance vetoes the erasure, with its reason and without a date."""
    story = cleared()
    with pytest.raises(r.RetentionLocked) as refused:
        story.do(erase(DAY))
    assert "clearance is open" in str(refused.value.facts["because"])
    assert refused.value.facts["ends_on"] is None


def test_lock_ends_seven_days_after_a_clearance_without_treatment() -> None:
    """Day 6 after its end is locked, day 7 is free."""
    story = cleared()
    story.do(c.RevokeClearance(act=act("2026-03-25"), clearance_id=story.clearance.granted.clearance_id, note=None))
    with pytest.raises(r.RetentionLocked) as refused:
        story.do(erase("2026-03-31"))
    assert refused.value.facts["ends_on"] == "2026-04-01"
    assert names(story.do(erase("2026-04-01"))) == ["PatientErased"]


def test_lock_of_an_expired_clearance() -> None:
    """Valid until 04-19: ended on 04-20, free on 04-27; an overdue timer keeps it locked rather than the other way round."""
    story = cleared()
    with pytest.raises(r.RetentionLocked):
        story.do(erase("2026-04-28"))
    story.do(c.ExpireClearance(clearance_id=story.clearance.granted.clearance_id, at=at("2026-04-20", "00:00")))
    with pytest.raises(r.RetentionLocked):
        story.do(erase("2026-04-26"))
    assert names(story.do(erase("2026-04-27"))) == ["PatientErased"]


def test_lock_of_a_treatment_record() -> None:
    """A treated patient's record is kept for years, also after the clearance has ended; hearing of the treatment twice is once."""
    story = cleared()
    assert names(story.do(treated(story))) == ["TreatmentNoted"]
    assert story.do(treated(story)) == []
    story.do(c.ExpireClearance(clearance_id=story.clearance.granted.clearance_id, at=at("2026-04-20", "00:00")))
    with pytest.raises(r.RetentionLocked) as refused:
        story.do(erase("2036-03-24"))
    assert refused.value.facts["because"] == "a treatment record is kept 10 years"
    assert refused.value.facts["ends_on"] == "2036-03-25"
    assert names(story.do(erase("2036-03-25"))) == ["PatientErased"]


def test_late_treatment_locks_again() -> None:
    """A treatment heard of after the clearance has ended locks the record for its years."""
    story = cleared()
    story.do(c.ExpireClearance(clearance_id=story.clearance.granted.clearance_id, at=at("2026-04-20", "00:00")))
    story.do(treated(story, "2026-04-19"))
    with pytest.raises(r.RetentionLocked):
        story.do(erase("2026-04-27"))


def test_doctors_decision_lifts_the_lock() -> None:
    """A doctor's recorded decision lifts the lock for what is recorded, an open clearance ends with the erasure; a nurse may not."""
    story = cleared()
    story.do(treated(story))
    lift = c.LiftRetentionLock(act=act(DAY), rationale=personal("Registered by mistake, nothing was done."))
    with pytest.raises(r.DoctorOnly):
        story.do(replace(lift, act=act(DAY, by=NURSE, roles=["nurse"])))
    assert names(story.do(lift)) == ["RetentionLockLifted"]
    assert story.do(lift) == []
    assert names(story.do(erase(DAY))) == ["ClearanceRevoked", "PatientErased"]


def test_lock_starts_anew_after_it_was_lifted() -> None:
    """A clearance granted after the decision locks again."""
    story = cleared()
    story.do(c.LiftRetentionLock(act=act(DAY), rationale=personal("Registered by mistake, nothing was done.")))
    story.examined("2026-04-01").answered("2026-04-01")
    story.cleared("2026-04-01")
    with pytest.raises(r.RetentionLocked):
        story.do(erase("2026-04-01"))


def test_nothing_is_recorded_of_an_erased_person() -> None:
    """Commands are refused for good; what is still heard of the person leaves no trace; the id is not registered again."""
    story = Story()
    story.do(erase(DAY))
    heard: list[Any] = [
        c.NoteTreatment(
            clinic_id=CLINIC, treatment_id=id_of("t"), clearance_id=id_of("c"), modality="nafl_1550", zones=(), treated_on=date(2026, 3, 1)
        ),
        c.NoteAdverseEvent(clinic_id=CLINIC, adverse_event_id=id_of("a"), treatment_id=id_of("t"), level="RED", opened_on=date(2026, 3, 1)),
        c.SettleAdverseEvent(adverse_event_id=id_of("a"), closed_on=date(2026, 3, 1)),
        c.NoteChanges(
            clinic_id=CLINIC, attestation_id=id_of("x"), visit_id=id_of("v"), attested_on=date(2026, 3, 1), attested_at=at("2026-03-01")
        ),
        c.ExpireClearance(clearance_id=id_of("c"), at=at("2026-05-01")),
    ]
    assert [story.do(command) for command in heard] == [[]] * len(heard)
    with pytest.raises(PersonErased):
        story.do(story.request(DAY))


def test_years_later() -> None:
    """Ten years after 29 February is 1 March in a common year."""
    assert years_later(date(2028, 2, 29), 10) == date(2038, 3, 1)
    assert years_later(date(2028, 2, 29), 4) == date(2032, 2, 29)
