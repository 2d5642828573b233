"""What a patient's answers, and what was seen, say together about one condition: does it hold, and when did it end at the latest?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from screening.facts import Answer, Facts
from screening.rule_rows import AnswerClass, Question, Rule, Rulebook

_WORST_LAST = ("clear", "ended", "suspected", "ongoing", "lasting")  # of two at one instant the worse one counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One answer, or one finding of an examination read as an answer."""

    question: str
    value: str
    means: AnswerClass
    known_on: date
    known_at: datetime
    counted_on: date | None
    dated: bool

    @property
    def grounds(self) -> str:
        """What a decision was based on; asking again with the same answer leaves it the same."""
        return f"{self.question}={self.value}" + (f"@{self.counted_on}" if self.dated else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A condition over time. `ended_on` = the worst case; `undated`: it ended, but nobody knows when."""

    holds: Observation | None
    ended_on: date | None
    undated: Observation | None
    grounds: tuple[str, ...]


def latest_answer(facts: Facts, question: str) -> Answer | None:
    """The newest answer to a question; None = never asked, which is unknown, never "no"."""
    return max((a for a in facts.answers if a.question == question), key=lambda a: (a.asked_at, a.asked_on, a.value), default=None)


def observations(book: Rulebook, facts: Facts, name: str) -> list[Observation]:
    """Answers to a question and findings that count as such, oldest first."""
    question = book.questions[name]
    seen = [_answered(question, answer) for answer in facts.answers if answer.question == name and answer.value in question.values]
    for examination in facts.examinations:
        for word in examination.findings:
            finding = book.findings.get(word)
            if finding is not None and finding.question == name:
                seen.append(_found(question, finding.value, examination.examined_on, examination.examined_at))
    return sorted(seen, key=lambda o: (o.known_at, _WORST_LAST.index(o.means), o.counted_on or date.max, o.value))


def course_of(book: Rulebook, rule: Rule, facts: Facts) -> Course:
    """The course of a row's condition, by the worst reading that the observations allow."""
    assert rule.question is not None, f"row {rule.id} has no question"
    seen = observations(book, facts, rule.question)
    lasting = [o for o in seen if o.means == "lasting"] + _positives(book, rule, facts)
    holding = lasting[-1] if lasting else _still_holding(seen)
    ends = _end_dates(seen)
    dated = [o.known_at for o in seen if o.means == "ended" and o.counted_on is not None]
    undated = [o for o in seen if o.means == "ended" and o.counted_on is None and not any(at >= o.known_at for at in dated)]
    return Course(
        holds=holding,
        ended_on=max(ends, default=None),
        undated=undated[-1] if undated else None,
        grounds=tuple(sorted({o.grounds for o in (*seen, *lasting) if o.means != "clear"})),
    )


def _answered(question: Question, answer: Answer) -> Observation:
    dated = answer.value in question.dated
    return Observation(
        question=question.id,
        value=answer.value,
        means=question.values[answer.value],
        known_on=answer.asked_on,
        known_at=answer.asked_at,
        counted_on=answer.when.counted_on if dated and answer.when else None,
        dated=dated,
    )


def _found(question: Question, value: str, on: date, at: datetime) -> Observation:
    dated = value in question.dated
    means = question.values[value]
    return Observation(
        question=question.id, value=value, means=means, known_on=on, known_at=at, counted_on=on if dated else None, dated=dated
    )


def _positives(book: Rulebook, rule: Rule, facts: Facts) -> list[Observation]:
    """Answers to other questions that say the same, such as an active cold sore for a history of them."""
    return [o for question, value in rule.positives for o in observations(book, facts, question) if o.value == value]


def _still_holding(seen: Sequence[Observation]) -> Observation | None:
    """The newest ongoing or suspected observation that no later one has closed."""
    if seen and seen[-1].means in ("ongoing", "suspected"):
        return seen[-1]
    return None


def _end_dates(seen: Sequence[Observation]) -> list[date]:
    """All days that may be the end, so that the greatest is the worst case.

    Why: what was seen as ongoing on a day cannot have ended before it; a plain "no" after it ends it on that day at the latest.
    A suspicion that a "no" ends leaves nothing behind.
    """
    ends, begun = [], False
    for seen_then in seen:
        if seen_then.means == "ended" and seen_then.counted_on is not None:
            ends.append(seen_then.counted_on)
        if seen_then.means == "ongoing" or (seen_then.means == "clear" and begun):
            ends.append(seen_then.known_on)
        if seen_then.means in ("ongoing", "clear", "ended"):
            begun = seen_then.means == "ongoing"
    return ends
