"""The days of a span on which an allowed treatment may stop being allowed. Between two of them nothing gets worse, so only they are asked.

Why complete: as days pass, washouts run out and preconditions ripen; only facts grow stale, overrides end and birthdays come.
A property test holds this against asking every day.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from screening.facts import Facts
from screening.rule_rows import Rulebook

_NEXT_DAY = timedelta(days=1)


def worsening_days(book: Rulebook, facts: Facts, first: date, last: date) -> list[date]:
    """`first`, and every later day up to `last` on which some row may say more than the day before."""
    stale = (known_on + timedelta(days=age) + _NEXT_DAY for known_on in _known_on(facts) for age in book.greatest_ages_days)
    ended = (override.expires_on + _NEXT_DAY for override in facts.overrides)
    birthdays = _birthdays(facts.birth_date, first, last) if facts.birth_date else ()
    return sorted({first, *(day for day in (*stale, *ended, *birthdays) if first < day <= last)})


def _known_on(facts: Facts) -> set[date]:
    """The days that the age of a fact is counted from."""
    asked = {answer.asked_on for answer in facts.answers} | {examination.examined_on for examination in facts.examinations}
    begun = {precondition.starts_on for precondition in facts.preconditions}
    return asked | begun | {on for on in (facts.consulted_on, facts.cleared_on) if on is not None}


def _birthdays(birth_date: date, first: date, last: date) -> Iterator[date]:
    """Born on 29 February: both days on which that may be, since asking a day too many costs nothing."""
    born = (birth_date.month, birth_date.day)
    for year in range(first.year, last.year + 1):
        march = date(year, 3, 1)
        yield from (march - _NEXT_DAY, march) if born == (2, 29) else (date(year, *born),)
