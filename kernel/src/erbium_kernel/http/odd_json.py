"""What is JSON and is read differently by different readers: a name twice in one object, a number too great to be kept exactly.

Why refused: of two values under one name most readers take the last without a word, so a typing mistake would change a record.
Source: RFC 7493 (I-JSON) sections 2.2 and 2.3.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from erbium_kernel.http.validation import fault, under

INTEGER_MAX = 2**53 - 1  # beyond it a double skips integers
_DIGITS_MAX = len(str(INTEGER_MAX)) + 1  # with a sign

TWICE = "is named more than once in the same object"
TOO_GREAT = f"must be a number that a double keeps: an integer up to {INTEGER_MAX}, else up to 1.8e308"


class _TooGreat:
    """Stands where a number was."""


class _Twice(dict[str, Any]):
    """An object in which `names` are there more than once."""

    names: tuple[str, ...] = ()


_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_MAYBE_TOO_GREAT = re.compile(rb"[0-9]{16}|[0-9][eE]")
_MAYBE_TOO_GREAT_HERE = re.compile(rb"(?:^|[:\[,\s])-?[0-9.]*(?:[0-9]{16}|[0-9][eE])")  # in a body with its strings: where a number begins


def odd_places(raw: bytes, read: bytes) -> list[dict[str, str]]:
    """What is odd about a body that is known to be JSON in UTF-8, with its place; `read` is what a usual reader wrote of it again.

    Why first without parsing: each name of an object has one colon, so a lost name is a lost colon, and hardly any body is odd.
    Without escapes the colons inside strings may be counted too: they are the same in both, but for those that are lost.
    Raises: RecursionError if it is nested too deep.
    """
    if b"\\" not in raw and raw.count(b":") == read.count(b":") and not _MAYBE_TOO_GREAT_HERE.search(raw):
        return []
    outside = _STRING.sub(b"", raw)
    if outside.count(b":") == _STRING.sub(b"", read).count(b":") and not _MAYBE_TOO_GREAT.search(outside):
        return []
    odd: list[object] = []

    def an_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        twice = _Twice(found)
        twice.names = tuple(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        odd.append(twice)
        return twice

    def an_integer(digits: str) -> object:
        return too_great() if len(digits) > _DIGITS_MAX or abs(int(digits)) > INTEGER_MAX else None

    def a_fraction(digits: str) -> object:
        return too_great() if math.isinf(float(digits)) else None

    def too_great() -> object:
        odd.append(_TooGreat())
        return odd[-1]

    parsed = json.loads(raw.decode(), object_pairs_hook=an_object, parse_int=an_integer, parse_float=a_fraction)
    return list(_places(parsed, "")) if odd else []


def _places(value: Any, where: str) -> Iterator[dict[str, str]]:
    if isinstance(value, _TooGreat):
        yield fault(where, TOO_GREAT)
    if isinstance(value, _Twice):
        yield from (fault(under(where, name), TWICE) for name in value.names)
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, under(where, name))
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _places(item, f"{where}/{place}")
