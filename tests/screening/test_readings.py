"""The settled readings of the reference, one test each: days, certainty, zones, courses of conditions, ages, preconditions, limits."""

from dataclasses import replace
from datetime import date

import pytest

from screening.facts import Plan, When
from screening.patient import commands as c
from screening.rules import evaluate
from tests.screening.story import Story, act, at, id_of, reasons, said

DAY = "2026-03-20"


def patient(skin_type: str = "II", born: str = "1986-05-05", day: str = DAY, **answers: object) -> Story:
    """Examined and asked on this day."""
    return Story(born=born).examined(day, skin_type).answered(day, **answers)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "days"),
    [("peel_superficial", 14), ("peel_medium", 30), ("peel_deep", 90), ("peel_unknown", 90), ("dermabrasion", 90),
     ("botulinum_toxin", 14), ("filler_ha", 14), ("filler_other", 28), ("filler_unknown", 28), ("biorevitalisation", 14), ("waxing", 7)],
)  # fmt: skip
def test_last_blocked_and_first_free_day(kind: str, days: int) -> None:
    """A washout of n days blocks gap n - 1 and allows gap n; an unknown kind has the longest of its row."""
    done_on = date.fromisoformat(DAY)
    story = patient().reported(kind, DAY, "face")
    blocked = evaluate(story.book, story.state.facts, _plan(done_on.toordinal() + days - 1), done_on)
    assert (blocked.outcome, blocked.until) == ("DEFERRED", date.fromordinal(done_on.toordinal() + days))
    assert evaluate(story.book, story.state.facts, _plan(done_on.toordinal() + days), done_on).outcome == "CLEARED"


def _plan(ordinal: int) -> Plan:
    return Plan(modality="nafl_1550", zones=("face",), on=date.fromordinal(ordinal), standing="provisional")


def test_permanent_filler_stays_relative() -> None:
    """14 days deferred, then a doctor decides each time."""
    story = patient(day="2026-06-01").reported("filler_permanent", "2024-01-01", "face", day="2026-06-01")
    assert said(story.asks("2026-06-01")) == "NEEDS_PHYSICIAN"
    story.overridden("2026-06-01", "FILLER", expires="2026-06-20")
    assert said(story.asks("2026-06-02")) == "CLEARED"


def test_estimated_date_counts_as_its_latest_plausible_day() -> None:
    """Between 1 and 10 March: the 10th counts."""
    when = When(on=date(2026, 3, 5), certainty="estimated", latest_plausible_on=date(2026, 3, 10))
    assert said(patient().reported("botulinum_toxin", when, "face", day=DAY).asks(DAY)) == "DEFERRED until 2026-03-24"


def test_unknown_date_with_a_bound_counts_as_the_bound() -> None:
    """Nobody knows when, but before 10 March."""
    when = When(on=None, certainty="unknown", latest_plausible_on=date(2026, 3, 10))
    assert said(patient().reported("botulinum_toxin", when, "face", day=DAY).asks(DAY)) == "DEFERRED until 2026-03-24"


def test_unknown_date_without_a_bound_is_missing() -> None:
    """Data missing, not clear; and only where the zone matters."""
    story = patient().reported("botulinum_toxin", When(on=None, certainty="unknown"), "face", day=DAY)
    assert said(story.asks(DAY)) == "INCOMPLETE"
    assert said(story.asks(DAY, "nafl_1550", "hands")) == "CLEARED"


@pytest.mark.parametrize(
    ("done_in", "planned", "outcome"),
    [("face", "eyelid", "DEFERRED"), ("eyelid", "face", "DEFERRED"), ("periorbital", "eyelid", "DEFERRED"), ("eyelid", "nose", "CLEARED"),
     ("neck", "face", "CLEARED"), ("cheeks", "forehead", "CLEARED"), (None, "nose", "DEFERRED"), (None, "hands", "CLEARED")],
)  # fmt: skip
def test_zone_tree(done_in: str | None, planned: str, outcome: str) -> None:
    """In field = the same zone, an ancestor or a descendant; an unknown zone is the face."""
    story = patient().reported("filler_ha", "2026-03-15", *([done_in] if done_in else []), day=DAY)
    assert story.asks(DAY, "nafl_1550", planned).outcome == outcome


def test_never_asked_is_unknown() -> None:
    """One unanswered question makes the whole incomplete, and is named."""
    story = Story().examined(DAY).answered_only(DAY, **{q: "no" for q in ("pregnancy", "cold_sore_now", "peeling", "waxing")})
    found = story.asks(DAY)
    assert found.outcome == "INCOMPLETE"
    assert {asked.fact for asked in found.missing} == {
        "answer:cold_sore_history", "answer:isotretinoin", "answer:sun_exposure", "answer:keloid_tendency",
        "answer:botulinum_toxin", "answer:filler", "answer:biorevitalisation",
    }  # fmt: skip


def test_age_of_facts_firm_and_provisional() -> None:
    """Day 30 is fresh, day 31 stale on the treatment day; for a provisional booking the day of the decision counts."""
    story = patient()
    assert said(story.asks("2026-04-19")) == "CLEARED"
    assert said(story.asks("2026-04-20")) == "INCOMPLETE"
    assert said(story.asks("2026-04-20", today=DAY, standing="provisional")) == "CLEARED"
    assert said(story.asks("2026-06-20", today="2026-04-20", standing="provisional")) == "INCOMPLETE"


def test_pregnancy_is_not_asked_outside_12_to_55() -> None:
    """A woman of 60 need not answer; if she says yes all the same, it counts."""
    story = Story(born="1965-01-01").examined(DAY).answered_only(
        DAY, cold_sore_now="no", cold_sore_history="no", isotretinoin="never", sun_exposure="none", keloid_tendency="no", peeling="no",
        botulinum_toxin="no", filler="no", biorevitalisation="no", waxing="no",
    )  # fmt: skip
    assert said(story.asks(DAY)) == "CLEARED"
    assert said(story.answered_only(DAY, pregnancy="pregnant").asks(DAY)) == "INELIGIBLE"


def test_pregnancy_ends_with_the_delivery() -> None:
    """Absolute while it lasts; then 90 days from the delivery; an earlier suspicion that a test excluded leaves nothing."""
    story = patient(pregnancy="pregnant").answered_only("2026-03-25", pregnancy=("ended", "2026-03-22"))
    assert said(story.asks("2026-03-26")) == "DEFERRED until 2026-06-20"
    assert said(patient(pregnancy="possibly").asks(DAY)) == "INELIGIBLE"
    assert said(patient(pregnancy="possibly").answered_only(DAY, "12:00", pregnancy="no").asks(DAY)) == "CLEARED"


def test_herpes_course() -> None:
    """Open until healing is recorded; the day of healing + 7 is the first free day; a later plain "no" counts as healed on that day."""
    story = patient(cold_sore_now="yes")
    story.do(_antiviral("2026-03-20"))
    assert said(story.asks(DAY)) == "DEFERRED, date open"
    assert said(story.answered_only("2026-03-25", cold_sore_now=("healed", "2026-03-24")).asks("2026-03-26")) == "DEFERRED until 2026-03-31"
    assert said(story.asks("2026-03-31")) == "CLEARED"
    plain = patient(cold_sore_now="yes").answered_only("2026-03-25", cold_sore_now="no")
    assert said(plain.asks("2026-03-26")) == "DEFERRED until 2026-04-01"


def test_healed_before_it_was_seen_is_not_believed() -> None:
    """A sore seen on the 20th has not healed on the 10th: the day it was seen counts at least."""
    story = patient(cold_sore_now="yes").answered_only("2026-03-25", cold_sore_now=("healed", "2026-03-10"))
    assert str(story.asks("2026-03-25").until) == "2026-03-27"


def test_pregnant_then_possibly_then_no() -> None:
    """The doubt in between does not shorten the 90 days: they count from the plain "no"."""
    story = patient(pregnancy="pregnant").answered_only("2026-03-25", pregnancy="possibly")
    assert said(story.asks("2026-03-25")) == "INELIGIBLE"
    assert said(story.answered_only("2026-04-01", pregnancy="no").asks("2026-04-01")) == "DEFERRED until 2026-06-30"


def test_seen_herpes_outweighs_a_no() -> None:
    """What the doctor sees counts as an answer; that nothing was ticked never counts as "no"."""
    story = Story().answered(DAY).examined(DAY, "II", "herpes_active")
    assert said(story.asks(DAY)) == "DEFERRED, date open"
    assert said(story.examined("2026-03-21").asks("2026-03-21")) == "DEFERRED, date open"


def test_open_date_names_the_greatest_known_one() -> None:
    """Not before the greatest of the others, date open."""
    found = patient(cold_sore_now="yes").reported("filler_ha", "2026-03-15", "face", day=DAY).asks(DAY)
    assert (found.until, str(found.not_before)) == (None, "2026-03-29")


@pytest.mark.parametrize(("skin_type", "until"), [("I", "2026-03-24"), ("III", "2026-03-24"), ("IV", "2026-04-07"), ("VI", "2026-04-07")])
def test_tan_by_skin_type(skin_type: str, until: str) -> None:
    """14 days for types I to III, 28 for IV to VI; before an ablative laser always 28."""
    story = patient(skin_type, sun_exposure=("exposed", "2026-03-10"))
    assert str(story.asks(DAY).until) == until
    if skin_type in ("I", "III"):
        assert reasons(story.asks(DAY, "afl_10600"))["RECENT_TAN"] == "2026-04-07"


def test_tan_of_an_unexamined_patient_counts_as_the_longest() -> None:
    """Type unknown: incomplete, and beside it the longer deferral."""
    found = Story().answered(DAY, sun_exposure=("exposed", "2026-03-10")).asks(DAY)
    assert found.outcome == "INCOMPLETE"
    assert reasons(found)["RECENT_TAN"] == "2026-04-07"


def test_told_procedures() -> None:
    """A dated "yes" is a procedure of unknown kind; an undated one needs a report of that day or later; one of its date explains it."""
    assert said(patient(peeling=("yes", "2026-03-10")).asks(DAY)) == "DEFERRED until 2026-06-08"
    assert said(patient(peeling="yes").asks(DAY)) == "INCOMPLETE"
    assert said(patient(peeling="yes").reported("peel_superficial", "2026-03-10", "face", day="2026-03-19").asks(DAY)) == "INCOMPLETE"
    story = patient(peeling="yes").reported("peel_superficial", "2026-03-10", "face", day=DAY)
    assert said(story.asks(DAY)) == "DEFERRED until 2026-03-24"
    same = patient(peeling=("yes", "2026-03-10")).reported("peel_superficial", "2026-03-10", "face", day=DAY)
    assert said(same.asks(DAY)) == "DEFERRED until 2026-03-24"


def test_an_unknown_day_becomes_known_or_ceases_to_matter() -> None:
    """A later word with a date explains it; and so does time: what was over on the day it was told is over when the longest washout is."""
    story = patient(isotretinoin="stopped")
    assert said(story.asks(DAY)) == "INCOMPLETE"
    assert said(story.answered_only(DAY, "12:00", isotretinoin=("stopped", "2025-03-01")).asks(DAY)) == "CLEARED"
    assert said(patient(peeling="yes").answered_only(DAY, "12:00", peeling=("yes", "2025-03-01")).asks(DAY)) == "CLEARED"
    told = patient(day="2026-01-01", peeling="yes", isotretinoin="stopped").examined("2026-06-29").answered("2026-06-29")
    assert said(told.asks("2026-06-29")) == "INCOMPLETE"  # day 179 of 180 after isotretinoin
    assert said(told.asks("2026-06-30")) == "CLEARED"


@pytest.mark.parametrize(
    ("born", "on", "modality", "outcome"),
    [("2008-03-20", "2026-03-20", "nafl_1550", "CLEARED"), ("2008-03-21", "2026-03-20", "nafl_1550", "INELIGIBLE"),
     ("2008-03-21", "2026-03-20", "afl_10600", "INELIGIBLE"), ("1950-03-21", "2026-03-20", "nafl_1550", "CLEARED"),
     ("1950-03-20", "2026-03-20", "nafl_1550", "ADVISORY"), ("2008-02-29", "2026-02-28", "nafl_1550", "INELIGIBLE"),
     ("2008-02-29", "2026-03-01", "nafl_1550", "CLEARED")],
)  # fmt: skip
def test_ages(born: str, on: str, modality: str, outcome: str) -> None:
    """Judged on the treatment date; 76 completed years; born on 29 February = 1 March in common years."""
    assert Story(born=born).examined(on).answered(on).asks(on, modality).outcome == outcome


def test_minor_with_a_scar_needs_a_physician() -> None:
    """Scar only: then a doctor's override; otherwise absolute."""
    story = patient(born="2009-05-05")
    assert said(story.asks(DAY, indication="ACNE_SCAR")) == "NEEDS_PHYSICIAN"
    assert said(story.asks(DAY, indication="PHOTO_FACE")) == "INELIGIBLE"


def test_unreadable_birth_date_is_missing() -> None:
    """An age that cannot be read is unknown, not adult."""
    story = patient()
    facts = replace(story.state.facts, birth_date=None)
    found = evaluate(story.book, facts, Plan(modality="nafl_1550", zones=("face",), on=date.fromisoformat(DAY)), date.fromisoformat(DAY))
    assert found.outcome == "INCOMPLETE"


def _antiviral(starts_on: str) -> c.RecordPrecondition:
    return c.RecordPrecondition(
        act=act(DAY), precondition_id=id_of(f"antiviral {starts_on}"), kind="antiviral", starts_on=at(starts_on).date()
    )


def test_antiviral() -> None:
    """Met on the day it starts, not the day before; one of half a year ago is none; off the face nobody needs one."""
    story = patient(cold_sore_history="yes")
    assert said(story.asks(DAY, "nafl_1550", "hands")) == "CLEARED"
    story.do(_antiviral("2025-09-01"))
    assert said(story.asks(DAY)) == "CONDITIONAL"
    story.do(_antiviral("2026-03-21"))
    assert said(story.asks(DAY)) == "CONDITIONAL, earliest 2026-03-21"
    assert said(story.asks("2026-03-21")) == "CLEARED"


def test_ablative_laser_of_the_face_needs_an_antiviral() -> None:
    """For everyone, history or not; and on the day of the consultation a doctor's override."""
    story = patient(day=DAY)
    assert said(story.asks("2026-03-21", "afl_10600")) == "CONDITIONAL"
    assert said(story.asks(DAY, "afl_10600")) == "NEEDS_PHYSICIAN"
    assert said(story.asks("2026-03-21", "afl_10600", "hands")) == "CLEARED"


def test_test_spot_gone_wrong() -> None:
    """Pigment change in the spot: the precondition is not met and no date is named; only a later good one helps."""
    story = patient("V", day="2026-05-01")
    story.do(c.RecordPrecondition(act=act("2026-03-01"), precondition_id=id_of("pr"), kind="priming", starts_on=date(2026, 3, 1)))
    for name, day, reading in (("one", "2026-03-10", "no_pih"), ("two", "2026-03-12", "pih")):
        story.do(c.PlaceTestSpot(act=act(day), spot_id=id_of(name), modality="nafl_1550", zone="cheeks"))
        story.do(c.ReadTestSpot(act=act("2026-04-20"), spot_id=id_of(name), reading=reading))  # type: ignore[arg-type]
    assert said(story.asks("2026-05-01")) == "CONDITIONAL"
    story.do(c.PlaceTestSpot(act=act("2026-04-02"), spot_id=id_of("three"), modality="nafl_1550", zone="face"))
    story.do(c.ReadTestSpot(act=act("2026-04-30"), spot_id=id_of("three"), reading="no_pih"))
    assert said(story.asks("2026-05-01")) == "CLEARED"
    assert said(story.asks("2026-05-01", "nafl_1927")) == "CONDITIONAL"


def test_spot_and_priming_each_hold_back() -> None:
    """The later of the two dates counts."""
    story = patient("V", day="2026-05-01")
    story.do(c.PlaceTestSpot(act=act("2026-04-02"), spot_id=id_of("s"), modality="nafl_1550", zone="face"))
    story.do(c.ReadTestSpot(act=act("2026-04-30"), spot_id=id_of("s"), reading="no_pih"))
    story.do(c.RecordPrecondition(act=act("2026-04-25"), precondition_id=id_of("pr"), kind="priming", starts_on=date(2026, 4, 25)))
    assert said(story.asks("2026-05-01")) == "CONDITIONAL, earliest 2026-05-09"


def test_keloid() -> None:
    """Non-ablative relative with a spot of 60 days; ablative absolute, except for a burn scar."""
    story = patient(keloid_tendency="yes")
    assert said(story.asks(DAY)) == "NEEDS_PHYSICIAN"
    assert said(story.asks("2026-03-21", "afl_10600", "hands")) == "INELIGIBLE"
    assert said(story.asks("2026-03-21", "afl_10600", "hands", indication="BURN_HYP_SCAR")) == "NEEDS_PHYSICIAN"


def test_types_v_and_vi_get_no_ablative_laser() -> None:
    """Absolute, no date."""
    assert said(patient("VI").asks(DAY, "afl_2940")) == "INELIGIBLE"


def test_ineligible_offers_no_date_anywhere() -> None:
    """Not even in the sentences of the other reasons."""
    found = patient(pregnancy="pregnant").reported("botulinum_toxin", "2026-03-15", "face", day=DAY).asks(DAY)
    assert found.until is None
    assert all(reason.earliest is None for reason in found.reasons)
    assert "2026-03-29" not in " ".join(reason.says for reason in found.reasons)
    assert found.reasons[0].ends.startswith("90 days after the delivery")
