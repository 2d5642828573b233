"""The days of a span on which an assessment may change: between two of them it stays as it is, so only they need to be asked.

Why complete: a row compares the gap between a dated fact and the treatment day with a number of the rulebook, or looks at a birthday;
a property test holds this against asking every day.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from screening.facts import Facts, When
from screening.rule_rows import Rulebook


def turning_days(book: Rulebook, facts: Facts, first: date, last: date) -> list[date]:
    """`first`, and every later day up to `last` on which some row may change its word. Units: whole calendar days."""
    found, numbers = {first}, book.day_numbers
    for known_on in set(_dates(facts)):
        for days in numbers:
            turn = known_on + timedelta(days=days)
            found.update(day for day in (turn, turn + timedelta(days=1)) if first < day <= last)
    if facts.birth_date is not None:
        found.update(_birthdays(facts.birth_date, first, last))
    return sorted(found)


def _dates(facts: Facts) -> Iterator[date]:
    for answer in facts.answers:
        yield from (answer.asked_on, *_of(answer.when))
    for procedure in facts.procedures:
        yield from (procedure.reported_on, *_of(procedure.when))
    yield from (examination.examined_on for examination in facts.examinations)
    yield from (spot.placed_on for spot in facts.test_spots)
    yield from (precondition.starts_on for precondition in facts.preconditions)
    yield from (override.expires_on for override in facts.overrides)
    yield from facts.open_adverse_events_on
    yield from (on for on, _ in facts.changes_attested)
    yield from (on for on in (facts.consulted_on, facts.cleared_on) if on is not None)


def _of(when: When | None) -> Iterator[date]:
    if when is not None:
        yield from (day for day in (when.on, when.latest_plausible_on) if day is not None)


def _birthdays(birth_date: date, first: date, last: date) -> Iterator[date]:
    """Born on 29 February: both days on which that may be, since asking a day too many costs nothing."""
    born = (birth_date.month, birth_date.day)
    for year in range(first.year, last.year + 1):
        turns = [date(year, 3, 1), date(year, 3, 1) - timedelta(days=1)] if born == (2, 29) else [date(year, *born)]
        yield from (turn for turn in turns if first < turn <= last)
