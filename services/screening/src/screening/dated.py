"""A patient's facts with the days on which each holds, whatever the rules make of them: what was valid on a day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from screening.facts import Answer, Examination, Facts, Procedure

Kind = Literal["answer", "procedure", "examination", "test-spot", "precondition", "adverse-event"]
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedFact:
    """One fact. Both days are included; None = no such bound is known, so it holds on every day that way."""

    kind: Kind
    says: str
    zones: tuple[str, ...] = ()
    valid_from: date | None
    valid_until: date | None = None
    certainty: str = "exact"

    def holds_on(self, day: date) -> bool:
        """Was it so on that day, as far as is known?"""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_until is None or day <= self.valid_until)


def valid_on(facts: Facts, day: date) -> Sequence[DatedFact]:
    """The facts that hold on that day, the oldest first, those without a first day before them."""
    found = [fact for fact in _dated(facts) if fact.holds_on(day)]
    return sorted(found, key=lambda fact: (fact.valid_from or date.min, fact.kind, fact.says, fact.zones))


def _dated(facts: Facts) -> Iterator[DatedFact]:
    for answer in facts.answers:
        yield _answer(answer, facts.answers)
    for procedure in facts.procedures:
        yield _procedure(procedure)
    for examination in facts.examinations:
        yield _examination(examination, facts.examinations)
    for spot in facts.test_spots:
        reading = spot.reading or "not read"
        yield DatedFact(kind="test-spot", says=f"{spot.modality}: {reading}", zones=(spot.zone,), valid_from=spot.placed_on)
    for precondition in facts.preconditions:
        yield DatedFact(kind="precondition", says=precondition.kind, valid_from=precondition.starts_on)
    for opened_on in facts.open_adverse_events_on:
        yield DatedFact(kind="adverse-event", says="open", valid_from=opened_on)


def _answer(answer: Answer, all_: Sequence[Answer]) -> DatedFact:
    """An answer that names a day holds from that day on; one that speaks of the day it is given, until the question is answered again."""
    says = f"{answer.question}: {answer.value}"
    if answer.when is not None:
        when = answer.when
        return DatedFact(kind="answer", says=says, zones=answer.zones, valid_from=when.on, certainty=when.certainty)
    later = [other.asked_on for other in all_ if other.question == answer.question and other.asked_at > answer.asked_at]
    return DatedFact(kind="answer", says=says, zones=answer.zones, valid_from=answer.asked_on, valid_until=_before(later, answer.asked_on))


def _procedure(procedure: Procedure) -> DatedFact:
    when = procedure.when
    return DatedFact(kind="procedure", says=procedure.kind, zones=procedure.zones, valid_from=when.on, certainty=when.certainty)


def _examination(examination: Examination, all_: Sequence[Examination]) -> DatedFact:
    later = [other.examined_on for other in all_ if other.examined_at > examination.examined_at]
    says = ", ".join((f"skin type {examination.skin_type}", *examination.findings))
    until = _before(later, examination.examined_on)
    return DatedFact(kind="examination", says=says, valid_from=examination.examined_on, valid_until=until)


def _before(later: Sequence[date], first: date) -> date | None:
    """The day before the next one; of two on one day the earlier one held on that day too."""
    return max(first, min(later) - DAY) if later else None
