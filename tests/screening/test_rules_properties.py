"""What holds for any facts: more facts never free earlier, their order has no meaning, a repeated command yields nothing."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from screening.facts import Acknowledgement, Answer, Examination, Facts, Override, Plan, Precondition, Procedure, Spot, When
from screening.rules import PRECEDENCE, Assessment, evaluate, outcome_of
from screening.worsening import worsening_days
from tests.screening.story import CLEAR_ANSWERS, DOCTOR, rulebook

START = date(2026, 1, 1)
BOOK = rulebook()
EXAMPLES = 60
ZONES = sorted(BOOK.zone_parent)
KINDS = sorted(BOOK.procedure_kinds)
WORSE = ["CLEARED", *reversed([outcome for _, outcome in PRECEDENCE])]

days = st.integers(0, 120).map(lambda n: START + timedelta(days=n))
zones = st.lists(st.sampled_from(ZONES), max_size=2, unique=True).map(tuple)
whens = st.one_of(
    days.map(lambda on: When(on=on)),
    days.map(lambda on: When(on=on, certainty="latest_plausible")),
    st.tuples(days, days).map(lambda two: When(on=min(two), certainty="estimated", latest_plausible_on=max(two))),
    st.just(When(on=None, certainty="unknown")),
)
procedures = st.builds(Procedure, procedure_id=st.uuids(), kind=st.sampled_from(KINDS), zones=zones, when=whens, reported_on=days)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Any answer to any question, on any day."""
    question = BOOK.questions[draw(st.sampled_from(sorted(BOOK.questions)))]
    value = draw(st.sampled_from(sorted(question.values)))
    asked_on = draw(days)
    when = draw(st.one_of(st.none(), whens)) if value in question.dated else None
    at = datetime(asked_on.year, asked_on.month, asked_on.day, draw(st.integers(8, 18)), tzinfo=UTC)
    return Answer(question=question.id, value=value, when=when, zones=draw(zones), asked_on=asked_on, asked_at=at)


@st.composite
def examinations(draw: st.DrawFn) -> Examination:
    """Any examination."""
    on = draw(days)
    findings = draw(st.lists(st.sampled_from(sorted(BOOK.findings)), max_size=2, unique=True))
    return Examination(
        examined_on=on, examined_at=datetime(on.year, on.month, on.day, 12, tzinfo=UTC), examined_by=str(DOCTOR),
        skin_type=draw(st.sampled_from(["I", "II", "III", "IV", "V", "VI"])), findings=tuple(findings),
    )  # fmt: skip


spots = st.builds(
    Spot, modality=st.sampled_from(["nafl_1550", "nafl_1927"]), zone=st.sampled_from(ZONES), placed_on=days,
    reading=st.sampled_from([None, "no_pih", "pih"]),
)  # fmt: skip
overrides = st.builds(
    Override, rule_id=st.sampled_from(sorted(BOOK.rules)), rule_version=st.just(1), modality=st.just("nafl_1550"),
    zone=st.sampled_from(ZONES), grounds=st.just(("isotretinoin=taking", "age=under 18")), expires_on=days,
)  # fmt: skip
some_facts = st.builds(
    Facts,
    birth_date=st.sampled_from([None, date(1986, 5, 5), date(2008, 3, 1), date(1949, 1, 1)]),
    answers=st.lists(answers(), max_size=12).map(tuple),
    procedures=st.lists(procedures, max_size=4).map(tuple),
    examinations=st.lists(examinations(), max_size=3).map(tuple),
    consulted_on=st.one_of(st.none(), days),
    test_spots=st.lists(spots, max_size=3).map(tuple),
    preconditions=st.lists(st.builds(Precondition, kind=st.sampled_from(["antiviral", "priming"]), starts_on=days), max_size=2).map(tuple),
    overrides=st.lists(overrides, max_size=2).map(tuple),
    open_adverse_events_on=st.lists(days, max_size=1).map(tuple),
)


VARIED: dict[str, list[tuple[str, When | None]]] = {
    "isotretinoin": [("never", None), ("taking", None)],
    "cold_sore_history": [("no", None), ("yes", None)],
    "sun_exposure": [("none", None), ("exposed", When(on=START - timedelta(days=5)))],
}


@st.composite
def settled_facts(draw: st.DrawFn) -> Facts:
    """An adult, asked everything and examined in the first days, mostly clear: what is left are washouts, overrides, ages."""
    on = START + timedelta(days=draw(st.integers(0, 20)))
    at = datetime(on.year, on.month, on.day, 9, tzinfo=UTC)
    said = {question: (value, None) for question, value in CLEAR_ANSWERS.items()} | {q: draw(st.sampled_from(v)) for q, v in VARIED.items()}
    told = [
        Answer(question=question, value=value, when=when, zones=(), asked_on=on - timedelta(days=draw(st.integers(0, 9))), asked_at=at)
        for question, (value, when) in said.items()
    ]
    examined = Examination(
        examined_on=on, examined_at=at, examined_by=str(DOCTOR), skin_type=draw(st.sampled_from(["II", "II", "III", "V"])), findings=()
    )
    procedure = st.builds(
        Procedure, procedure_id=st.uuids(), kind=st.sampled_from(KINDS), zones=zones, reported_on=st.just(on),
        when=st.integers(0, 60).map(lambda n: When(on=on - timedelta(days=n))),
    )  # fmt: skip
    cover = Override(
        rule_id="ISOTRETINOIN", rule_version=1, modality="nafl_1550", zone="face", grounds=("isotretinoin=taking",),
        expires_on=on + timedelta(days=draw(st.integers(0, 30))),
    )  # fmt: skip
    return Facts(
        birth_date=draw(st.sampled_from([date(1986, 5, 5), date(2008, 1, 15), date(1950, 2, 10), date(1952, 2, 29)])),
        answers=tuple(told), examinations=(examined,), consulted_on=on, overrides=(cover,),
        procedures=tuple(draw(st.lists(procedure, max_size=2))),
        preconditions=(Precondition(kind="antiviral", starts_on=on - timedelta(days=draw(st.integers(0, 20)))),
                       Precondition(kind="priming", starts_on=START - timedelta(days=20))),
        test_spots=(Spot(modality="nafl_1550", zone="face", placed_on=START - timedelta(days=draw(st.integers(0, 28))), reading="no_pih"),),
        acknowledgements=draw(st.sampled_from([(), (Acknowledgement(rule_id="AGE_75", rule_version=1, grounds=("age=76 or older",)),)])),
    )  # fmt: skip


soon = st.builds(
    Plan, modality=st.just("nafl_1550"), on=st.integers(0, 25).map(lambda n: START + timedelta(days=n)),
    zones=st.sampled_from([("face",), ("cheeks",), ("hands",), ("cheeks", "nose")]),
)  # fmt: skip
any_facts = st.one_of(settled_facts(), some_facts)
plans = st.builds(
    Plan, modality=st.sampled_from(sorted(BOOK.modalities)), on=days,
    zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True).map(tuple),
    standing=st.sampled_from(["firm", "provisional"]),
)  # fmt: skip


def severity(assessment: Assessment) -> int:
    """How far from cleared."""
    return WORSE.index(assessment.outcome)


@given(facts=any_facts, plan=plans, seed=st.integers(0, 2**16))
@settings(max_examples=EXAMPLES)
def test_order_of_facts_has_no_meaning(facts: Facts, plan: Plan, seed: int) -> None:
    """Permuted facts and zones give the same assessment, trace included."""
    shuffle = random.Random(seed)
    shuffled: dict[str, Any] = {
        name: tuple(shuffle.sample(values, len(values)))
        for name in Facts.__dataclass_fields__
        if isinstance(values := getattr(facts, name), tuple)
    }
    other = replace(facts, **shuffled)
    assert evaluate(BOOK, other, replace(plan, zones=tuple(reversed(plan.zones))), plan.on) == evaluate(BOOK, facts, plan, plan.on)


@given(facts=any_facts, plan=plans, procedure=procedures)
@settings(max_examples=EXAMPLES)
def test_one_more_procedure_never_frees_earlier(facts: Facts, plan: Plan, procedure: Procedure) -> None:
    """A procedure more never makes the outcome milder, and never a deferral earlier, nor an open date known.

    An answer that only waited for this report is the exception, since the report is what was asked for; so is one that gives
    a procedure of unknown kind its name.
    """
    explained = {
        q for rule in BOOK.rules.values() for q in [rule.question] if q and procedure.kind in {*rule.procedures, rule.unknown_kind}
    }
    assume(not any(a.question in explained and a.value == "yes" for a in facts.answers))
    before = evaluate(BOOK, facts, plan, plan.on)
    after = evaluate(BOOK, replace(facts, procedures=(*facts.procedures, procedure)), plan, plan.on)
    assert severity(after) >= severity(before)
    if before.outcome == after.outcome == "DEFERRED":
        assert after.until is None or (before.until is not None and after.until >= before.until)


@given(facts=settled_facts(), plan=soon)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.filter_too_much])
def test_an_announced_day_is_kept(facts: Facts, plan: Plan) -> None:
    """On the day that a deferral names, with the same facts, no deferral is left; the day before one still is."""
    asked = replace(plan, standing="provisional")
    found = evaluate(BOOK, facts, asked, plan.on)
    assume(found.until is not None and found.outcome == "DEFERRED")
    assert found.until is not None
    on_the_day = evaluate(BOOK, facts, replace(asked, on=found.until), plan.on)
    assert not any(reason.verdict == "DEFER" for reason in on_the_day.reasons) or _override_ended(facts, found.until)
    day_before = evaluate(BOOK, facts, replace(asked, on=found.until - timedelta(days=1)), plan.on)
    assert any(reason.verdict == "DEFER" for reason in day_before.reasons)


def _override_ended(facts: Facts, day: date) -> bool:
    return any(override.expires_on < day for override in facts.overrides)


@given(facts=settled_facts(), plan=soon)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.filter_too_much])
def test_only_worsening_days_need_asking(facts: Facts, plan: Plan) -> None:
    """From a cleared day on, the first day that is not cleared is among the worsening days: the same as asking every day."""
    assume(outcome_of(BOOK, facts, plan, plan.on) == "CLEARED")
    last = plan.on + timedelta(days=40)
    every_day = [plan.on + timedelta(days=n) for n in range(41)]

    def first_bad(asked: list[date]) -> date | None:
        return next((day for day in asked if outcome_of(BOOK, facts, replace(plan, on=day), plan.on) != "CLEARED"), None)

    assert first_bad(worsening_days(BOOK, facts, plan.on, last)) == first_bad(every_day)


@given(facts=any_facts, plan=plans)
@settings(max_examples=EXAMPLES)
def test_precedence(facts: Facts, plan: Plan) -> None:
    """The outcome is the first class, in the order of the reference, that has an open reason; INELIGIBLE has no date, ever."""
    found = evaluate(BOOK, facts, plan, plan.on)
    open_ = {reason.verdict for reason in found.reasons} | ({"MISSING"} if found.missing else set())
    expected = next((outcome for verdict, outcome in PRECEDENCE if verdict in open_), "CLEARED")
    assert found.outcome == expected
    if found.outcome == "DEFERRED":
        dates = [reason.earliest for reason in found.reasons if reason.verdict == "DEFER"]
        assert found.until == (None if None in dates else max(day for day in dates if day))
    elif found.outcome != "CONDITIONAL":
        assert found.until is None
    if found.outcome == "INELIGIBLE":
        assert all(reason.earliest is None for reason in found.reasons)


@given(facts=any_facts, plan=plans, override=overrides)
@settings(max_examples=EXAMPLES)
def test_overrides_never_reach_what_nobody_may_override(facts: Facts, plan: Plan, override: Override) -> None:
    """Whatever override stands, absolute rows, seed rows inside their window and preconditions say the same."""
    facts = replace(facts, overrides=())
    grounds = tuple({ground for reason in evaluate(BOOK, facts, plan, plan.on).reasons for ground in reason.grounds})
    forged = replace(override, modality=plan.modality, zone=plan.zones[0], grounds=grounds, expires_on=plan.on)
    before = evaluate(BOOK, facts, plan, plan.on)
    after = evaluate(BOOK, replace(facts, overrides=(forged,)), plan, plan.on)
    fixed = ("ABSOLUTE", "COND", "ADVISORY", "MISSING")
    assert [r for r in after.reasons if r.verdict in fixed] == [r for r in before.reasons if r.verdict in fixed] or (
        after.outcome != before.outcome
    )
    for rule_id in ("BOTOX", "BIOREV", "HSV_ACTIVE", "ADVERSE_EVENT_OPEN"):
        assert _of(after, rule_id) == _of(before, rule_id) or before.outcome == "INELIGIBLE"


def _of(assessment: Assessment, rule_id: str) -> list[date | None]:
    return [line.earliest for line in assessment.trace if line.rule_id == rule_id and line.verdict == "DEFER"]
