"""The first and the last day of everything that counts days: on the clinic's calendar, around midnight and on the nights of the clocks."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from screening.facts import When
from screening.patient import commands as c
from screening.patient.decide import timers
from tests.screening.story import CLEAR_ANSWERS, Story, act, id_of

SEED_KINDS = ("botulinum_toxin", "biorevitalisation", "peel_superficial", "filler_ha")
NIGHTS = [
    ("Europe/Madrid", "2026-03-15"),  # 14 days later, on the 29th, the night has 23 hours
    ("Europe/Madrid", "2026-10-11"),  # and on 25 October 25
    ("America/New_York", "2026-02-22"),
    ("America/Los_Angeles", "2026-10-18"),
    ("Asia/Tokyo", "2026-03-01"),
    ("Australia/Lord_Howe", "2026-03-22"),  # half an hour
    ("Africa/Cairo", "2026-04-10"),  # the clocks change at midnight: the day begins at 01:00
    ("Pacific/Kiritimati", "2026-03-01"),
]


def ready(day: date, zone: str, kind: str) -> Story:
    """Examined and asked the day before the last blocked day, at a clinic in that zone; one procedure on `day`."""
    story = Story()
    before = act(day + timedelta(days=12), "10:00", zone=zone)
    story.do(c.HoldConsultation(act=before, consultation_id=id_of("k"), skin_type="II"))
    replies = tuple(c.Reply(question=question, value=value) for question, value in CLEAR_ANSWERS.items())
    story.do(c.AnswerQuestionnaire(act=before, answers_id=id_of("a"), replies=replies))
    story.do(
        c.ReportProcedure(
            act=before, procedure_id=id_of("p"), kind=kind, zones=("face",), when=When(on=day), performed_time_zone=zone
        )
    )  # fmt: skip
    return story


def asked(story: Story, at: datetime, zone: str) -> Any:
    """The decision on a clearance that is asked for at this instant, for the clinic's day."""
    who = replace(act("2026-01-01", zone=zone), at=at)
    return story.do(story.request("2026-01-01", act=who))[-1]


@pytest.mark.parametrize("kind", SEED_KINDS)
@pytest.mark.parametrize(("zone", "day"), NIGHTS)
def test_day_13_is_refused_and_day_14_allowed_by_the_clinics_clock(kind: str, zone: str, day: str) -> None:
    """One second before the clinic's midnight it is day 13 and deferred to the day that then begins; at midnight it is allowed."""
    done_on = date.fromisoformat(day)
    midnight = first_instant_of(done_on + timedelta(days=14), zone)
    before = asked(ready(done_on, zone, kind), midnight - timedelta(seconds=1), zone)
    assert (type(before).__name__, before.until) == ("ClearanceDeferred", done_on + timedelta(days=14))
    after = asked(ready(done_on, zone, kind), midnight, zone)
    assert (type(after).__name__, after.valid_from) == ("ClearanceGranted", done_on + timedelta(days=14))


def first_instant_of(day: date, zone: str) -> datetime:
    """The first second of a local day; the clocks may jump over its midnight."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while at.astimezone(ZoneInfo(zone)).date() < day:
        at += timedelta(minutes=15)
    return at


def test_two_clinics_two_midnights() -> None:
    """A procedure of the 1st is 13 days old in New York while it is 14 days old in Madrid: each clinic decides by its own calendar."""
    instant = datetime(2026, 3, 15, 1, 0, tzinfo=UTC)
    there = asked(ready(date(2026, 3, 1), "America/New_York", "botulinum_toxin"), instant, "America/New_York")
    here = asked(ready(date(2026, 3, 1), "Europe/Madrid", "botulinum_toxin"), instant, "Europe/Madrid")
    assert (type(there).__name__, type(here).__name__) == ("ClearanceDeferred", "ClearanceGranted")


# --- the age of a clearance


def test_a_clearance_counts_on_day_30_and_not_on_day_31() -> None:
    """Granted on 1 March it is valid until the 31st; on 1 April the patient must be cleared again."""
    story = Story().examined("2026-03-01").answered("2026-03-01")
    story.cleared("2026-03-01")
    assert story.clearance.granted.valid_until == date(2026, 3, 31)
    assert story.stands_on("2026-03-31")
    assert not story.stands_on("2026-04-01")


@pytest.mark.parametrize(("on", "outcome"), [("2026-03-31", "ClearanceGranted"), ("2026-04-01", "ClearanceRefused")])
def test_a_clearance_for_a_later_day_is_no_older_than_30_days_on_it(on: str, outcome: str) -> None:
    """Asked on 1 March for day 30: granted; for day 31: incomplete, since it would be too old by then, and so would the facts."""
    story = Story().examined("2026-03-01").answered("2026-03-01")
    decided = story.cleared("2026-03-01", on=on)[-1]
    assert type(decided).__name__ == outcome
    if outcome == "ClearanceRefused":
        assert decided.outcome == "INCOMPLETE"
        assert "CLEARANCE_AGE" in {reason.rule_id for reason in decided.reasons}


def test_facts_of_tomorrows_calendar_do_not_stretch_a_clearance() -> None:
    """Asked and examined in Tokyo, where it is tomorrow already, cleared in Madrid today: the clearance still ends on its own day 30."""
    story = Story()
    tokyo = act("2026-03-02", "07:00", zone="Asia/Tokyo")
    story.do(c.HoldConsultation(act=tokyo, consultation_id=id_of("k"), skin_type="II"))
    replies = tuple(c.Reply(question=question, value=value) for question, value in CLEAR_ANSWERS.items())
    story.do(c.AnswerQuestionnaire(act=tokyo, answers_id=id_of("a"), replies=replies))
    refused = story.cleared("2026-03-01", on="2026-04-01", act=act("2026-03-01", "23:30"))[-1]
    assert (type(refused).__name__, refused.outcome) == ("ClearanceRefused", "INCOMPLETE")
    assert {reason.rule_id for reason in refused.reasons} == {"CLEARANCE_AGE"}


def test_a_clearance_expires_when_its_last_day_is_over_everywhere() -> None:
    """Late in the evening of the last day in Honolulu the clearance of a clinic in Madrid still stands; nowhere does it the day after.

    Why: a visit or a treatment is on the local date of its own clinic, and an expiry that comes earlier would end it.
    """
    story = Story().examined("2026-03-20").answered("2026-03-20")
    (granted,) = story.cleared("2026-03-20")
    timer: Any = timers(granted)[0]
    assert timer.due_at > datetime(2026, 4, 19, 23, 59, tzinfo=ZoneInfo("Pacific/Honolulu"))
    assert timer.due_at.astimezone(ZoneInfo("Pacific/Kiritimati")).date() > date(2026, 4, 19)
    (expired,) = story.do(c.ExpireClearance(clearance_id=granted.clearance_id, at=timer.due_at))
    assert type(expired).__name__ == "ClearanceExpired"
    assert story.clearance.ended_on == date(2026, 4, 20)


# --- the last day of an override


def test_an_override_holds_on_its_last_day_and_not_on_the_next() -> None:
    """Granted today for at most 30 days; the day after it is as if it had never been."""
    story = Story().examined("2026-03-20").answered("2026-03-20", isotretinoin="taking")
    story.overridden("2026-03-20", "ISOTRETINOIN", expires="2026-04-19")
    assert story.asks("2026-04-19").outcome == "CLEARED"
    assert story.asks("2026-04-20", today="2026-04-19", standing="provisional").outcome == "NEEDS_PHYSICIAN"


def test_the_clearance_of_an_override_ends_with_it() -> None:
    """Nobody is treated on the day after the override's last, although the clearance might have gone on."""
    story = Story().examined("2026-03-20").answered("2026-03-20", isotretinoin="taking")
    story.overridden("2026-03-20", "ISOTRETINOIN", expires="2026-03-24")
    (granted,) = story.cleared("2026-03-20")
    assert granted.valid_until == date(2026, 3, 24)


# --- two facts of one day


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_procedures_of_one_day_both_count(first: int) -> None:
    """Filler and a deep peel on one day, told in either order: the longer washout wins, both are named."""
    told = [("filler_ha", "2026-03-10"), ("peel_deep", "2026-03-10")]
    story = Story().examined("2026-03-20").answered("2026-03-20")
    for kind, on in told if first == 0 else reversed(told):
        story.reported(kind, on, "face", day="2026-03-20")
    found = story.asks("2026-03-20")
    assert str(found.until) == "2026-06-08"
    assert [reason.rule_id for reason in found.reasons] == ["PEEL", "FILLER"]


def test_of_two_answers_at_one_instant_the_worse_counts() -> None:
    """Two desks record "no" and "yes" in the same second: the cold sore is there until somebody says when it healed."""
    for values in (("no", "yes"), ("yes", "no")):
        story = Story().examined("2026-03-20").answered("2026-03-20")
        for value in values:
            story.answered_only("2026-03-20", "12:00", cold_sore_now=value)
        assert "HSV_ACTIVE" in {reason.rule_id for reason in story.asks("2026-03-20").reasons}


def test_of_two_examinations_at_one_instant_the_darker_type_counts() -> None:
    """Type II and type V in the same second: the caps and preconditions of type V."""
    for types in (("II", "V"), ("V", "II")):
        story = Story().answered("2026-03-20")
        for skin_type in types:
            story.examined("2026-03-20", skin_type)
        assert "FITZ_V_VI" in {reason.rule_id for reason in story.asks("2026-03-20").reasons}


# --- the readings of a test spot


def with_a_spot(*readings: tuple[str, str]) -> str:
    """What is said about a type V patient on 1 May whose spot of 2 April was read so."""
    story = Story().examined("2026-05-01", "V").answered("2026-05-01")
    primed = c.RecordPrecondition(act=act("2026-03-01"), precondition_id=id_of("pr"), kind="priming", starts_on=date(2026, 3, 1))
    story.do(primed)
    story.do(c.PlaceTestSpot(act=act("2026-04-02"), spot_id=id_of("s"), modality="nafl_1550", zone="face"))
    for when, reading in readings:
        day, clock = when.split("T")
        story.do(c.ReadTestSpot(act=act(day, clock), spot_id=id_of("s"), reading=reading))  # type: ignore[arg-type]
    return story.asks("2026-05-01").outcome


@pytest.mark.parametrize(
    ("readings", "outcome"),
    [
        ([("2026-04-30T10:00", "no_pih")], "CLEARED"),
        ([("2026-04-16T10:00", "no_pih"), ("2026-04-30T10:00", "pih")], "CONDITIONAL"),  # pigment comes late
        ([("2026-04-16T10:00", "pih"), ("2026-04-30T10:00", "no_pih")], "CONDITIONAL"),  # it has faded, and so was there
        ([("2026-04-30T10:00", "pih"), ("2026-04-30T10:05", "no_pih")], "CLEARED"),  # a slip, mended at once
        ([("2026-04-30T10:00", "no_pih"), ("2026-04-30T10:05", "pih")], "CONDITIONAL"),
    ],
)
def test_pigment_once_seen_in_a_test_spot_stays_seen(readings: list[tuple[str, str]], outcome: str) -> None:
    """The last reading of a day counts, and of the days the worst: that the pigment fades again makes the spot no good one."""
    assert with_a_spot(*readings) == outcome
