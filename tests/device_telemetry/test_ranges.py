"""Received numbers as ranges, against the plain set of numbers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from device_telemetry.frames import ranges
from device_telemetry.frames.ranges import Range

seqs = st.sets(st.integers(0, 60))


def numbers(have: ranges.Ranges) -> set[int]:
    return {seq for first, last in have for seq in range(first, last + 1)}


@given(seqs, seqs)
def test_merged_holds_what_either_holds(one: set[int], other: set[int]) -> None:
    """Merging is the union, whatever the order, and the result is sorted and never touches itself."""
    both = ranges.merged(ranges.of(one), ranges.of(other))
    assert numbers(both) == one | other
    assert both == ranges.merged(ranges.of(other), ranges.of(one)) == ranges.of(one | other)
    assert all(before.last + 1 < after.first for before, after in pairwise(both))


@given(seqs, st.integers(0, 60), st.integers(0, 60))
def test_missing_is_what_is_not_held(have: set[int], first: int, last: int) -> None:
    """The gaps between two numbers are exactly what has not been received between them."""
    gaps = ranges.missing(ranges.of(have), first, last)
    assert numbers(gaps) == set(range(first, last + 1)) - have
    assert ranges.count(gaps) == len(set(range(first, last + 1)) - have)


@given(seqs, st.integers(0, 60))
def test_holds_and_next_expected(have: set[int], seq: int) -> None:
    """A number is held if it was received; the next expected one is the first that was not."""
    assert ranges.holds(ranges.of(have), seq) == (seq in have)
    expected = seq
    while expected in have:
        expected += 1
    assert ranges.next_expected(ranges.of(have), seq) == expected


def test_a_back_filled_gap_is_no_duplicate() -> None:
    """A high-water mark would take it for one: the numbers in a gap are missing until they come."""
    have = ranges.of([0, 1, 2, 6, 7])
    assert ranges.missing(have, 0, 7) == (Range(3, 5),)
    assert not ranges.holds(have, 4)
    assert ranges.merged(have, (Range(3, 5),)) == (Range(0, 7),)
