"""Recording facts: done, refused, repeated; and what a new fact does to a clearance in the same append."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from erbium_kernel.errors import PersonErased, Rejected
from screening.facts import When
from screening.patient import commands as c
from screening.patient.refusals import (
    AnswersUnknown,
    ConsultationUnknown,
    DateImpossible,
    DoctorOnly,
    IdTaken,
    PatientAlreadyRegistered,
    PatientUnknown,
    PreconditionUnknown,
    ProcedureUnknown,
    SpotUnknown,
    WordUnknown,
)
from tests.screening.story import CLINIC, NURSE, PATIENT_ID, Story, act, exactly, id_of, personal, rulebook

DAY = "2026-03-20"
WHEN = When(on=date(2026, 3, 10))
REGISTER = c.RegisterPatient(
    act=act(DAY), patient_id=PATIENT_ID, name=personal("Ada Sample"), birth_date=personal("1986-05-05"), contact=personal("+34 600")
)
REPORT = c.ReportProcedure(
    act=act(DAY), procedure_id=id_of("p"), kind="peel_medium", zones=("face",), when=WHEN, performed_time_zone="Asia/Tokyo"
)
CORRECT = c.CorrectProcedure(act=act(DAY), procedure_id=id_of("p"), kind="peel_deep", zones=("face",), when=WHEN, performed_time_zone=None)
ANSWER = c.AnswerQuestionnaire(
    act=act(DAY), answers_id=id_of("a"), replies=(c.Reply(question="isotretinoin", value="stopped", when=exactly("2026-02-21")),)
)
CONSULT = c.HoldConsultation(act=act(DAY), consultation_id=id_of("k"), skin_type="III", findings=("tanned",), note=personal("A note."))
SPOT = c.PlaceTestSpot(act=act(DAY), spot_id=id_of("s"), modality="nafl_1550", zone="face")
READ = c.ReadTestSpot(act=act(DAY), spot_id=id_of("s"), reading="no_pih")
PRIME = c.RecordPrecondition(act=act(DAY), precondition_id=id_of("c"), kind="priming", starts_on=date(2026, 3, 21))


def told(*commands: Any) -> Story:
    """A registered patient after these commands."""
    story = Story()
    for command in commands:
        story.do(command)
    return story


DONE = [
    ("report a procedure", (), REPORT, ["ProcedureReported"]),
    ("correct it", (REPORT,), CORRECT, ["ProcedureCorrected"]),
    ("answer the questionnaire", (), ANSWER, ["QuestionnaireAnswered"]),
    ("correct the answers", (ANSWER,), replace(ANSWER, answers_id=id_of("b"), corrects=id_of("a")), ["QuestionnaireAnswered"]),
    ("hold a consultation with examination", (), CONSULT, ["ConsultationHeld", "ExaminationRecorded"]),
    ("hold a consultation without one", (), replace(CONSULT, skin_type=None, findings=(), note=None), ["ConsultationHeld"]),
    (
        "correct a consultation",
        (CONSULT,),
        replace(CONSULT, consultation_id=id_of("l"), corrects=id_of("k")),
        ["ConsultationHeld", "ExaminationRecorded"],
    ),
    ("correct a precondition", (PRIME,), replace(PRIME, precondition_id=id_of("d"), corrects=id_of("c")), ["PreconditionRecorded"]),
    ("place a test spot", (), SPOT, ["TestSpotPlaced"]),
    ("read it", (SPOT,), READ, ["TestSpotRead"]),
    ("read it again, otherwise", (SPOT, READ), replace(READ, reading="pih"), ["TestSpotRead"]),
    ("record a precondition that starts later", (), PRIME, ["PreconditionRecorded"]),
]


@pytest.mark.parametrize(("before", "command", "events"), [row[1:] for row in DONE], ids=[row[0] for row in DONE])
def test_done_and_repeated(before: tuple[Any, ...], command: Any, events: list[str]) -> None:
    """A fact is recorded once; the same command again, even at a later hour, yields nothing."""
    story = told(*before)
    assert [type(event).__name__ for event in story.do(command)] == events
    assert story.do(command) == []
    assert story.do(replace(command, act=replace(command.act, at=act(DAY, "18:00").at))) == []


REFUSED = [
    ("a procedure under an id that holds another", (REPORT,), replace(REPORT, kind="peel_deep"), IdTaken),
    ("a procedure of tomorrow", (), replace(REPORT, when=When(on=date(2026, 3, 22))), DateImpossible),
    ("a procedure of a kind nobody knows", (), replace(REPORT, kind="leeches"), WordUnknown),
    ("a procedure in a zone nobody knows", (), replace(REPORT, zones=("elbow",)), WordUnknown),
    ("a procedure done in a time zone nobody knows", (), replace(REPORT, performed_time_zone="Mars/Base"), WordUnknown),
    ("an estimate without a window", (), replace(REPORT, when=When(on=date(2026, 3, 1), certainty="estimated")), DateImpossible),
    ("an exact date without a date", (), replace(REPORT, when=When(on=None)), DateImpossible),
    ("an unknown date with a date", (), replace(REPORT, when=When(on=date(2026, 3, 1), certainty="unknown")), DateImpossible),
    ("a correction of nothing", (), CORRECT, ProcedureUnknown),
    ("answers under an id that holds others", (ANSWER,), replace(ANSWER, replies=(c.Reply(question="waxing", value="no"),)), IdTaken),
    ("a question nobody asks", (), replace(ANSWER, replies=(c.Reply(question="shoe_size", value="no"),)), WordUnknown),
    ("an answer that is no answer", (), replace(ANSWER, replies=(c.Reply(question="waxing", value="maybe"),)), WordUnknown),
    ("a question answered twice in one set", (), replace(ANSWER, replies=(c.Reply(question="waxing", value="no"),) * 2), WordUnknown),
    ("a date where none belongs", (), replace(ANSWER, replies=(c.Reply(question="waxing", value="no", when=WHEN),)), DateImpossible),
    ("a correction of answers that are not there", (), replace(ANSWER, corrects=id_of("nothing")), AnswersUnknown),
    ("a consultation by a nurse", (), replace(CONSULT, act=act(DAY, by=NURSE, roles=["nurse"])), DoctorOnly),
    ("a finding nobody knows", (), replace(CONSULT, findings=("aura",)), WordUnknown),
    ("another examination under the same id", (CONSULT,), replace(CONSULT, skin_type="IV"), IdTaken),
    ("an examination later slipped into a consultation", (replace(CONSULT, skin_type=None, findings=(), note=None),), CONSULT, IdTaken),
    ("a correction of a consultation that is not there", (), replace(CONSULT, corrects=id_of("nothing")), ConsultationUnknown),
    ("a correction of a precondition that is not there", (), replace(PRIME, corrects=id_of("nothing")), PreconditionUnknown),
    ("a test spot with an unknown laser", (), replace(SPOT, modality="torch"), WordUnknown),
    ("a reading of no spot", (), READ, SpotUnknown),
    ("another precondition under the same id", (PRIME,), replace(PRIME, kind="antiviral"), IdTaken),
]


@pytest.mark.parametrize(("before", "command", "refusal"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(before: tuple[Any, ...], command: Any, refusal: type[Rejected]) -> None:
    """What does not fit is refused by name, and nothing is recorded."""
    story = told(*before)
    count = len(story.events)
    with pytest.raises(refusal):
        story.do(command)
    assert len(story.events) == count


def test_register_refused_and_repeated() -> None:
    """The same registration again is nothing new; another person under the id is refused; so is a birth date that lies ahead."""
    story = Story()
    again = c.RegisterPatient(
        act=act(DAY), patient_id=PATIENT_ID, name=personal("Ada Sample"), birth_date=personal("1986-05-05"), contact=None
    )
    assert story.do(again) == []
    with pytest.raises(PatientAlreadyRegistered):
        story.do(REGISTER)
    story.state = story.decider.initial
    with pytest.raises(DateImpossible):
        story.do(replace(REGISTER, birth_date=personal("2026-03-21")))


@pytest.mark.parametrize("command", [row[2] for row in DONE], ids=[row[0] for row in DONE])
def test_of_a_stranger_or_an_erased_person(command: Any) -> None:
    """Nothing can be recorded of somebody who is not registered, or of an erased person."""
    story = Story()
    story.state = story.decider.initial
    with pytest.raises(PatientUnknown):
        story.do(command)
    story = Story()
    story.do(c.ErasePatient(act=act(DAY)))
    with pytest.raises(PersonErased):
        story.do(command)


NEW_FACTS = [
    ("a procedure", replace(REPORT, act=act("2026-03-22"), kind="filler_ha"), "FILLER"),
    ("an answer", replace(ANSWER, act=act("2026-03-22"), replies=(c.Reply(question="cold_sore_now", value="yes"),)), "HSV_ACTIVE"),
    ("pregnancy", replace(ANSWER, act=act("2026-03-22"), replies=(c.Reply(question="pregnancy", value="pregnant"),)), "PREGNANCY"),
    ("a finding", replace(CONSULT, act=act("2026-03-22"), skin_type="II", findings=("keloid_scar",)), "KELOID"),
    ("a darker skin type", replace(CONSULT, act=act("2026-03-22"), skin_type="IV", findings=()), "FITZ_IV"),
    ("a skin type with a lower cap, though no rule speaks", replace(CONSULT, act=act("2026-03-22"), findings=()), "LIMITS_NAFL_1550"),
]


@pytest.mark.parametrize(("fact", "rule_id"), [row[1:] for row in NEW_FACTS], ids=[row[0] for row in NEW_FACTS])
def test_contradiction_suspends_in_the_same_append(fact: Any, rule_id: str) -> None:
    """A new fact that contradicts a clearance suspends it with the fact itself, and says by which rule; repeated, nothing more."""
    story = Story().examined(DAY).answered(DAY)
    story.cleared(DAY)
    new = story.do(fact)
    assert type(new[-1]).__name__ == "ClearanceSuspended"
    assert rule_id in {reason.rule_id for reason in new[-1].reasons}
    assert story.clearance.standing == "suspended"
    assert story.do(fact) == []


def test_harmless_fact_suspends_nothing() -> None:
    """A fact that contradicts nothing leaves the clearance valid: fresh answers, an old procedure, another zone."""
    story = Story().examined(DAY).answered(DAY)
    story.cleared(DAY)
    story.answered("2026-03-25").reported("botulinum_toxin", "2026-03-01", "face", day="2026-03-25")
    story.reported("filler_ha", "2026-03-25", "hands")
    assert story.clearance.standing == "valid"


def test_one_fact_suspends_every_contradicted_clearance() -> None:
    """Two clearances, one fact: both are suspended; the one in another zone stays."""
    story = Story().examined(DAY).answered(DAY)
    for zones in (("face",), ("cheeks", "nose"), ("hands",)):
        story.cleared(DAY, *zones)
    new = story.do(replace(REPORT, act=act("2026-03-22"), kind="filler_ha", when=When(on=date(2026, 3, 21))))
    assert [type(event).__name__ for event in new] == ["ProcedureReported", "ClearanceSuspended", "ClearanceSuspended"]
    assert [clearance.standing for clearance in story.state.clearances.values()] == ["suspended", "suspended", "valid"]


def test_corrected_report_no_longer_defers() -> None:
    """A correction replaces the report: what was deferred is allowed, and the old word counts no more."""
    story = told(REPORT).examined(DAY).answered(DAY)
    assert story.asks(DAY).outcome == "DEFERRED"
    story.do(replace(CORRECT, when=When(on=date(2025, 12, 1))))
    assert story.asks(DAY).outcome == "CLEARED"


def test_corrected_answer_counts_no_more() -> None:
    """A mistyped "pregnant" that is corrected leaves no washout behind; one that is only followed by "no" does."""
    story = Story().examined(DAY).answered(DAY, pregnancy="pregnant")
    wrong = next(iter(story.state.answer_sets))
    assert story.asks(DAY).outcome == "INELIGIBLE"
    reply = (c.Reply(question="pregnancy", value="no"),)
    later = Story().examined(DAY).answered(DAY, pregnancy="pregnant").answered_only(DAY, "12:00", pregnancy="no")
    assert (later.asks(DAY).outcome, str(later.asks(DAY).until)) == ("DEFERRED", "2026-06-18")
    story.do(c.AnswerQuestionnaire(act=act(DAY, "12:00"), answers_id=id_of("z"), replies=reply, corrects=wrong))
    assert story.asks(DAY).outcome == "CLEARED"


def test_corrected_examination_counts_no_more() -> None:
    """A keloid scar ticked by a slip: without a correction it stays for ever; corrected, neither finding nor skin type is left of it."""
    slip = replace(CONSULT, act=act(DAY, "10:00"), skin_type="V", findings=("keloid_scar",), note=None)
    right = replace(slip, act=act(DAY, "10:05"), consultation_id=id_of("right"), skin_type="II", findings=())
    story = told(slip, right).answered(DAY)
    assert story.asks(DAY).outcome == "NEEDS_PHYSICIAN"
    story = told(slip, replace(right, corrects=slip.consultation_id)).answered(DAY)
    assert story.asks(DAY).outcome == "CLEARED"
    assert story.state.facts.consulted_on == date(2026, 3, 20)
    gone = told(slip, replace(right, skin_type=None, corrects=slip.consultation_id)).answered(DAY)
    assert "examination" in {asked.fact for asked in gone.asks(DAY).missing}
    assert gone.state.examined_by() is None


def test_a_corrected_consultation_suspends_what_rested_on_it() -> None:
    """Cleared on an examination that was another patient's: the correction takes the examination away, and the clearance is suspended."""
    story = Story().examined(DAY).answered(DAY)
    story.cleared(DAY)
    (wrong,) = story.state.consultations
    new = story.do(replace(CONSULT, act=act(DAY, "12:00"), skin_type=None, findings=(), note=None, corrects=wrong))
    assert [type(event).__name__ for event in new] == ["ConsultationHeld", "ClearanceSuspended"]
    assert new[-1].outcome == "INCOMPLETE"


def test_corrected_precondition_counts_no_more() -> None:
    """An antiviral recorded four days too early meets nothing any more once it is corrected; the clearance that rested on it waits."""
    early = c.RecordPrecondition(act=act(DAY), precondition_id=id_of("av"), kind="antiviral", starts_on=date(2026, 3, 20))
    story = Story().examined(DAY).answered(DAY, cold_sore_history="yes")
    story.do(early)
    story.cleared(DAY)
    new = story.do(replace(early, precondition_id=id_of("av2"), starts_on=date(2026, 3, 24), corrects=early.precondition_id))
    assert [type(event).__name__ for event in new] == ["PreconditionRecorded", "ClearanceSuspended"]
    assert (story.asks("2026-03-23").outcome, story.asks("2026-03-24").outcome) == ("CONDITIONAL", "CLEARED")


def test_local_day_of_the_place() -> None:
    """A procedure done this morning in Tokyo is dated by Tokyo's calendar, even while it is still yesterday at the clinic."""
    night = act("2026-03-19", "23:30")
    story = told(replace(REPORT, act=night, when=When(on=date(2026, 3, 20))))
    assert len(story.state.procedures) == 1
    with pytest.raises(DateImpossible):
        told(replace(REPORT, act=night, when=When(on=date(2026, 3, 20)), performed_time_zone="Europe/Madrid"))
    assert story.book is rulebook()
    assert CLINIC == night.clinic_id
