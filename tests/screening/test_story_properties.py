"""What holds after any story of commands: a repeated command yields nothing, and what stands valid the rules still grant."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from erbium_kernel.errors import Rejected
from screening.facts import Plan, When
from screening.patient import commands as c
from screening.rules import evaluate
from tests.screening.story import CLEAR_ANSWERS, CLINIC, DOCTOR, NURSE, Story, personal, rulebook

START = date(2026, 1, 1)
BOOK = rulebook()
ZONES = sorted(BOOK.zone_parent)
KINDS = sorted(BOOK.procedure_kinds)
STORIES = 40
LONG = personal("A rationale that is long enough.")


def cleared_patient() -> Story:
    """Examined, asked and cleared for the face on the first day."""
    story = Story().examined(START.isoformat()).answered(START.isoformat())
    story.cleared(START.isoformat(), clearance_id=UUID(int=1))
    return story


def _act(on: date, hour: int, by: UUID, *roles: str) -> c.Act:
    at = datetime(on.year, on.month, on.day, hour, tzinfo=UTC)
    return c.Act(clinic_id=CLINIC, time_zone="Europe/Madrid", at=at, by=by, roles=frozenset(roles))


@st.composite
def commands(draw: st.DrawFn) -> Any:
    """Any command of a day in a clinic, sensible or not."""
    on, thing = START + timedelta(days=draw(st.integers(0, 35))), draw(st.uuids(version=4))
    doctor, nurse = _act(on, 10, DOCTOR, "doctor"), _act(on, 9, NURSE, "nurse")
    clearance_id = draw(st.sampled_from([UUID(int=n) for n in range(1, 4)]))
    zone = draw(st.sampled_from(ZONES))
    all_clear = tuple(c.Reply(question=question, value=value) for question, value in CLEAR_ANSWERS.items())
    made = [
        c.ReportProcedure(act=nurse, procedure_id=thing, kind=draw(st.sampled_from(KINDS)), zones=(zone,), performed_time_zone=None,
                          when=When(on=on - timedelta(days=5))),
        c.AnswerQuestionnaire(act=nurse, answers_id=thing, replies=all_clear),
        c.AnswerQuestionnaire(act=nurse, answers_id=thing, replies=(c.Reply(question="cold_sore_now", value="yes"),)),
        c.HoldConsultation(act=doctor, consultation_id=thing, skin_type=draw(st.sampled_from(["I", "II", "IV"]))),
        c.RequestClearance(act=doctor, clearance_id=clearance_id, modality="nafl_1550", zones=(zone,), acknowledges=("FITZ_IV",)),
        c.ReinstateClearance(act=doctor, clearance_id=clearance_id),
        c.RevokeClearance(act=doctor, clearance_id=clearance_id, note=None),
        c.ExpireClearance(clearance_id=clearance_id, at=doctor.at),
        c.GrantOverride(act=doctor, override_id=thing, rule_id=draw(st.sampled_from(sorted(BOOK.rules))), rule_version=1,
                        modality="nafl_1550", zone=zone, rationale=LONG, mitigations=("test_spot",), expires_on=on),
        c.NoteChanges(clinic_id=CLINIC, attestation_id=thing, visit_id=thing, attested_on=on, attested_at=nurse.at),
        c.NoteAdverseEvent(clinic_id=CLINIC, adverse_event_id=thing, treatment_id=thing, level="AMBER", opened_on=on),
        c.NoteTreatment(clinic_id=CLINIC, treatment_id=thing, clearance_id=clearance_id, modality="nafl_1550", zones=(), treated_on=on),
        c.LiftRetentionLock(act=doctor, rationale=personal("Recorded by mistake, nothing was done.")),
        c.ErasePatient(act=doctor),
    ]  # fmt: skip
    return draw(st.sampled_from(made))


@given(story=st.lists(commands(), max_size=25))
@settings(max_examples=STORIES)
def test_a_repeated_command_yields_no_events(story: list[Any]) -> None:
    """Whatever happened before, a command that was done is done: the same once more yields nothing."""
    patient = cleared_patient()
    for command in story:
        try:
            patient.do(command)
        except Rejected:
            continue
        try:
            assert patient.do(command) == [], type(command).__name__
        except Rejected:
            raise AssertionError(f"{type(command).__name__} was done, and is refused when repeated") from None


@given(story=st.lists(commands(), max_size=25))
@settings(max_examples=STORIES)
def test_a_valid_clearance_is_one_that_the_rules_still_grant(story: list[Any]) -> None:
    """After any story, every clearance that stands valid is CLEARED by the facts on record, on every day it has left."""
    patient, today = cleared_patient(), START
    for command in story:
        act = getattr(command, "act", None)
        if act is not None and act.today < today:
            continue
        today = act.today if act else today
        try:
            patient.do(command)
        except Rejected:
            continue
    for clearance in getattr(patient.state, "clearances", {}).values():
        if clearance.standing == "valid" and clearance.granted.valid_until >= today:
            plan = Plan(modality="nafl_1550", zones=clearance.granted.zones, on=max(today, clearance.granted.valid_from))
            assert evaluate(BOOK, patient.state.facts, plan, today).outcome == "CLEARED"
