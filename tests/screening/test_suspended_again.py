"""A suspended clearance hears on: its reasons and its first possible day are those of the facts that stand now."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from screening.facts import When
from screening.patient import commands as c
from screening.patient import refusals as r
from screening.patient.decide import patient_decider
from screening.rulebook import load
from tests.screening.story import CLEAR_ANSWERS, CLINIC, RULES, Story, act, at, id_of

DAY = "2026-03-20"
NEXT = "2026-03-21"


def cleared() -> Story:
    """Examined, asked and cleared for the face on the 20th."""
    story = Story().examined(DAY).answered(DAY)
    story.cleared(DAY)
    return story


def says(story: Story) -> tuple[str, str | None, list[str]]:
    """How the clearance stands: outcome, first possible day, rules."""
    suspension = story.clearance.suspension
    assert story.clearance.standing == "suspended"
    return suspension.outcome, suspension.earliest and str(suspension.earliest), sorted(reason.rule_id for reason in suspension.reasons)


def changes(clock: str = "09:00") -> c.NoteChanges:
    """Changes attested on the 25th."""
    return c.NoteChanges(
        clinic_id=CLINIC,
        attestation_id=id_of("at"),
        visit_id=id_of("v"),
        attested_on=date(2026, 3, 25),
        attested_at=at("2026-03-25", clock),
    )


def test_a_second_contradiction_moves_the_first_possible_day() -> None:
    """Suspended for a filler until the 26th, then another filler is reported: until April, and the second suspension says so."""
    story = cleared().reported("filler_ha", "2026-03-12", "face", day=NEXT)
    assert says(story) == ("DEFERRED", "2026-03-26", ["FILLER"])
    story.reported("filler_ha", "2026-03-21", "face")
    assert says(story) == ("DEFERRED", "2026-04-04", ["FILLER"])
    assert [type(event).__name__ for event in story.events[-2:]] == ["ProcedureReported", "ClearanceSuspended"]


def test_an_open_date_stays_open_when_a_dated_reason_joins_it() -> None:
    """A cold sore has no date yet; a filler beside it does not give one, in whichever order they are told."""
    for first in (True, False):
        story = cleared()
        if first:
            story.answered_only(NEXT, "11:00", cold_sore_now="yes").reported("filler_ha", "2026-03-20", "face", day=NEXT)
        else:
            story.reported("filler_ha", "2026-03-20", "face", day=NEXT).answered_only("2026-03-22", cold_sore_now="yes")
        assert says(story) == ("DEFERRED", None, ["FILLER", "HSV_ACTIVE", "HSV_HISTORY"])


def test_healing_gives_the_day() -> None:
    """Worked case 12 goes on: suspended, date open; healed on the 28th: from 4 April on, which others may now plan with."""
    story = cleared()
    story.do(changes())
    assert says(story) == ("INCOMPLETE", None, ["CHANGES_ATTESTED"])
    story.answered_only("2026-03-25", "09:05", cold_sore_now="yes")
    assert says(story) == ("DEFERRED", None, ["HSV_ACTIVE", "HSV_HISTORY"])
    story.answered_only("2026-03-30", cold_sore_now=("healed", "2026-03-28"))
    assert says(story) == ("DEFERRED", "2026-04-04", ["HSV_ACTIVE", "HSV_HISTORY"])


def test_an_absolute_reason_takes_the_day_away() -> None:
    """Suspended until the 26th, then pregnant: no day is offered any more."""
    story = cleared().reported("filler_ha", "2026-03-12", "face", day=NEXT).answered_only("2026-03-22", pregnancy="pregnant")
    assert says(story) == ("INELIGIBLE", None, ["FILLER", "PREGNANCY"])


def test_changes_attested_speak_of_a_suspended_clearance_too() -> None:
    """Suspended for a filler, then changes are attested: what has changed is unknown until it is asked, so no day is offered."""
    story = cleared().reported("filler_ha", "2026-03-12", "face", day=NEXT)
    story.do(changes())
    assert says(story) == ("INCOMPLETE", None, ["CHANGES_ATTESTED", "FILLER"])


def test_a_harmless_fact_says_nothing_again() -> None:
    """Another answer, and the same fact once more, leave the suspension as it was: nothing is told twice."""
    story = cleared().reported("filler_ha", "2026-03-12", "face", day=NEXT)
    before = len(story.events)
    story.answered_only("2026-03-22", waxing="no").answered_only("2026-03-23", waxing="no")
    assert [type(event).__name__ for event in story.events[before:]] == ["QuestionnaireAnswered", "QuestionnaireAnswered"]


def test_only_a_doctor_ends_a_suspension() -> None:
    """A correction that takes the contradiction away reinstates nothing; the doctor then does, and is refused as long as one stands."""
    story = cleared()
    story.reported("filler_ha", "2026-03-19", "face", day=NEXT)
    (procedure_id,) = story.state.procedures
    reinstate = c.ReinstateClearance(act=act("2026-03-23"), clearance_id=story.clearance.granted.clearance_id)
    with pytest.raises(r.StillContradicted):
        story.do(reinstate)
    story.do(corrected(procedure_id, "2026-03-12", "2026-03-22"))
    assert says(story) == ("DEFERRED", "2026-03-26", ["FILLER"])
    with pytest.raises(r.StillContradicted):
        story.do(reinstate)
    story.do(corrected(procedure_id, "2026-01-12", "2026-03-22"))
    assert story.clearance.standing == "suspended"
    assert [type(event).__name__ for event in story.do(reinstate)] == ["ClearanceReinstated"]
    assert story.stands_on("2026-03-23")


def corrected(procedure_id: Any, on: str, day: str) -> c.CorrectProcedure:
    """The filler was on another day."""
    return c.CorrectProcedure(
        act=act(day), procedure_id=procedure_id, kind="filler_ha", zones=("face",), when=When(on=date.fromisoformat(on)),
        performed_time_zone=None,
    )  # fmt: skip


def test_a_correction_may_suspend() -> None:
    """A filler that was reported as long ago, and was last week: the correction suspends like a report."""
    story = Story().examined(DAY).answered(DAY).reported("filler_ha", "2026-01-12", "face", day=DAY)
    story.cleared(DAY)
    (procedure_id,) = story.state.procedures
    story.do(corrected(procedure_id, "2026-03-12", NEXT))
    assert says(story) == ("DEFERRED", "2026-03-26", ["FILLER"])


def test_a_corrected_answer_may_suspend_and_may_free() -> None:
    """A set of answers that was recorded wrongly: the right one suspends; corrected again, the doctor may reinstate."""
    story = cleared()
    wrong = next(iter(story.state.answer_sets))
    replies = tuple(c.Reply(question=q, value=v) for q, v in (CLEAR_ANSWERS | {"cold_sore_now": "yes"}).items())
    story.do(c.AnswerQuestionnaire(act=act(NEXT), answers_id=id_of("right"), replies=replies, corrects=wrong))
    assert says(story)[:2] == ("DEFERRED", None)
    replies = tuple(c.Reply(question=q, value=v) for q, v in CLEAR_ANSWERS.items())
    story.do(c.AnswerQuestionnaire(act=act("2026-03-22"), answers_id=id_of("anew"), replies=replies, corrects=id_of("right")))
    story.do(c.ReinstateClearance(act=act("2026-03-22", "12:00"), clearance_id=story.clearance.granted.clearance_id))
    assert story.clearance.standing == "valid"


def test_a_closed_adverse_event_leaves_the_other_reasons() -> None:
    """Suspended for an adverse event and a filler: when the event is closed, the filler's day is left."""
    story = cleared()
    story.do(
        c.NoteAdverseEvent(
            clinic_id=CLINIC, adverse_event_id=id_of("ae"), treatment_id=id_of("t"), level="AMBER", opened_on=date(2026, 3, 22)
        )
    )
    story.reported("filler_ha", "2026-03-23", "face")
    assert says(story) == ("DEFERRED", None, ["ADVERSE_EVENT_OPEN", "FILLER"])
    story.do(c.SettleAdverseEvent(adverse_event_id=id_of("ae"), closed_on=date(2026, 3, 24)))
    assert says(story) == ("DEFERRED", "2026-04-06", ["FILLER"])


def test_a_decision_under_changed_rules_suspends_what_they_do_not_allow(tmp_path: Path) -> None:
    """Cleared 20 days after a filler; then the rules say 28: asking about the nose defers, and the face's clearance does not stand on."""
    story = Story().reported("filler_ha", "2026-02-28", "face").examined(DAY).answered(DAY)
    story.cleared(DAY)
    folder = Path(shutil.copytree(RULES, tmp_path / "rules"))
    file, row = folder / "procedures.toml", '[rule.procedures.filler_ha.nafl]\nafter = [{ verdict = "DEFER", days = '
    assert f"{row}14" in file.read_text()
    file.write_text(file.read_text().replace(f"{row}14", f"{row}28"))
    story.book = load(folder)
    story.decider = patient_decider(story.book)
    new = story.cleared(NEXT, "nose")
    assert [type(event).__name__ for event in new] == ["ClearanceDeferred", "ClearanceSuspended"]
    assert says(story) == ("DEFERRED", "2026-03-28", ["FILLER"])
    request = story.request(NEXT, "nose", clearance_id=new[0].clearance_id)
    assert story.do(request) == []


def test_a_decision_about_another_day_suspends_nothing() -> None:
    """Refused for a day after the override's last: the clearance that stands until then stands on."""
    story = Story().examined(DAY).answered(DAY, isotretinoin="taking")
    story.overridden(DAY, "ISOTRETINOIN", expires="2026-03-25")
    story.cleared(DAY)
    refused = story.cleared(DAY, on="2026-04-10")
    assert [(type(event).__name__, event.outcome) for event in refused] == [("ClearanceRefused", "NEEDS_PHYSICIAN")]
    assert story.stands_on("2026-03-25")
