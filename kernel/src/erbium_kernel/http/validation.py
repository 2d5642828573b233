"""Where a request does not fit: JSON Pointers and reasons, built from limits and types, never from what was sent."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Where: TypeAlias = Sequence[int | str]

NAME_CHARACTERS_MAX = 100
NOT_REPEATED = "…"
_WRITTEN = re.compile(rf"[a-z][A-Za-z0-9_./~-]{{0,{NAME_CHARACTERS_MAX - 1}}}")

# pydantic's own sentences may quote the input, so each type of error has one of ours; {…} are limits from the schema.
REASONS = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this body",
    "json_invalid": "is nested too deep",  # all else that is no JSON was refused before
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dataclass_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be an array",
    "tuple_type": "must be an array",
    "set_type": "must be an array",
    "frozen_set_type": "must be an array",
    "string_type": "must be a string",
    "string_unicode": "must be valid Unicode",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "int_parsing_size": "must be a smaller integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "needs the field {discriminator} to say which kind it is",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "date_type": "must be a date like 2026-05-01",
    "date_parsing": "must be a date like 2026-05-01",
    "date_from_datetime_parsing": "must be a date like 2026-05-01",
    "date_from_datetime_inexact": "must be a date like 2026-05-01",
    "date_past": "must lie in the past",
    "date_future": "must lie in the future",
    "datetime_type": "must be an instant like 2026-05-01T09:30:00Z",
    "datetime_parsing": "must be an instant like 2026-05-01T09:30:00Z",
    "datetime_from_date_parsing": "must be an instant like 2026-05-01T09:30:00Z",
    "timezone_aware": "must name its offset, like 2026-05-01T09:30:00Z",
    "time_parsing": "must be a time like 09:30",
}
# Written like a date, and none: pydantic names the part ("day value is outside expected range"), never the value.
OUT_OF_CALENDAR = "outside expected range"
NO_SUCH_DAY = "is no day that the calendar has; a date looks like 2026-05-01"
NO_SUCH_INSTANT = "is no instant that calendar and clock have; an instant looks like 2026-05-01T09:30:00Z"


def under(where: str, name: str) -> str:
    """The JSON Pointer of the field `name` of the object at `where`."""
    return f"{where}/{_escaped(name)}"


def fault(where: str, reason: str) -> dict[str, str]:
    """One place in the body, as a JSON Pointer (RFC 6901; empty = the whole body), and what is wrong there."""
    return {"pointer": where, "reason": reason}


def body_faults(errors: Sequence[Mapping[str, Any]], body: Any) -> list[dict[str, str]]:
    """pydantic's errors about `body`, as pointers into it."""
    return [fault(_pointer(error["loc"], body), _reason(error)) for error in errors]


def parameter_faults(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """FastAPI's errors about path and query parameters."""
    return [parameter_fault(str(error["loc"][0]), str(error["loc"][-1]), _reason(error)) for error in errors]


def parameter_fault(place: str, name: str, reason: str) -> dict[str, str]:
    """One parameter and what is wrong with it. `place`: path or query."""
    return {"in": place, "parameter": _repeated(name), "reason": reason}


def nul_pointers(value: Any, where: str = "") -> list[str]:
    """The places of all strings and names that hold U+0000, which PostgreSQL cannot store."""
    if isinstance(value, str):
        return [where] if "\0" in value else []
    if isinstance(value, list):
        return [found for place, item in enumerate(value) for found in nul_pointers(item, f"{where}/{place}")]
    if isinstance(value, dict):
        names = [where for name in value if "\0" in name]
        return names + [found for name, item in value.items() if "\0" not in name for found in nul_pointers(item, under(where, name))]
    return []


def _reason(error: Mapping[str, Any]) -> str:
    context = dict(error.get("ctx") or {})
    if error["type"] in ("value_error", "assertion_error"):
        return _own_words(str(context.get("error", "")), error.get("input"))
    if OUT_OF_CALENDAR in str(context.get("error", "")) and error["type"].startswith("date"):
        return NO_SUCH_INSTANT if error["type"].startswith("datetime") else NO_SUCH_DAY
    try:
        return REASONS[error["type"]].format(**context)
    except KeyError:
        return f"is not valid ({error['type']})"


def _own_words(sentence: str, given: Any) -> str:
    """The sentence of a validator in a body, unless it quotes what was sent."""
    quoted = isinstance(given, str | int | float) and str(given) != "" and str(given) in sentence
    return "is not valid" if quoted or not sentence else sentence


def _pointer(where: Where, body: Any) -> str:
    """Why the walk: pydantic's location also names union members and validators, which are no places in the JSON."""
    pointer, here = "", body
    for depth, step in enumerate(where):
        last = depth == len(where) - 1
        if isinstance(here, dict) and (step in here or (last and isinstance(step, str))):
            pointer, here = under(pointer, str(step)), here.get(step)
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            pointer, here = f"{pointer}/{step}", here[step]
    return pointer


def _escaped(name: str) -> str:
    return _repeated(name).replace("~", "~0").replace("/", "~1")


def _repeated(name: str) -> str:
    """A name as a programmer writes one. Of anything else nobody knows whether it is a person's, so it is not said again."""
    return name if _WRITTEN.fullmatch(name) else NOT_REPEATED
