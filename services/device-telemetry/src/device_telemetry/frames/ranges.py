"""Which sequence numbers of one boot have been received: ranges, both ends included, sorted, never touching.

Why ranges and not a high-water mark: that would take a back-filled gap for a duplicate.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Range(NamedTuple):
    """All numbers from `first` to `last`."""

    first: int
    last: int


Ranges = tuple[Range, ...]


def of(seqs: Iterable[int]) -> Ranges:
    """The ranges that hold exactly these numbers, given in any order, any number of times."""
    given = list(seqs)
    if not given:
        return ()
    if given[-1] - given[0] == len(given) - 1 and given == list(range(given[0], given[-1] + 1)):  # as lasers send them
        return (Range(given[0], given[-1]),)
    found, (start, *rest) = [], sorted(set(given))
    end = start
    for seq in rest:
        if seq != end + 1:
            found.append(Range(start, end))
            start = seq
        end = seq
    return (*found, Range(start, end))


def merged(one: Iterable[Range], other: Iterable[Range]) -> Ranges:
    """The ranges that hold what either holds."""
    found: list[Range] = []
    for first, last in sorted((*one, *other)):
        if found and first <= found[-1].last + 1:
            found[-1] = Range(found[-1].first, max(found[-1].last, last))
        else:
            found.append(Range(first, last))
    return tuple(found)


def holds(ranges: Sequence[Range], seq: int) -> bool:
    """Whether the number has been received."""
    place = bisect_right(ranges, (seq, float("inf"))) - 1
    return place >= 0 and seq <= ranges[place].last


def missing(ranges: Sequence[Range], first: int, last: int) -> Ranges:
    """The gaps between `first` and `last`, both included."""
    gaps, at = [], first
    for have in ranges:
        if have.first > last:
            break
        if have.first > at:
            gaps.append(Range(at, have.first - 1))
        at = max(at, have.last + 1)
    if at <= last:
        gaps.append(Range(at, last))
    return tuple(gaps)


def added(before: Sequence[Range], more: Iterable[Range]) -> Ranges:
    """What `more` holds and `before` does not."""
    return tuple(gap for first, last in more for gap in missing(before, first, last))


def next_expected(ranges: Sequence[Range], first: int) -> int:
    """The first number from `first` on that has not been received: everything below it is acknowledged."""
    for have in ranges:
        if have.first <= first <= have.last:
            return have.last + 1
    return first


def count(ranges: Iterable[Range]) -> int:
    """How many numbers they hold."""
    return sum(last - first + 1 for first, last in ranges)
