"""JSON Schemas as tables for people: each field with its type, its unit, whether it must be there, and what it is."""

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

# The unit that a field's name ends in, once `_min`, `_max` and the like are off; the longest that fits counts.
UNITS = {
    "mj_per_mtz": "mJ per microbeam", "mtz_per_cm2": "microbeams per cm²", "mtz": "microbeams", "j_per_cm2": "J/cm²", "mj": "mJ", "j": "J",
    "cm2": "cm²", "cm": "cm", "mm": "mm", "um": "µm", "nm": "nm", "percent": "%", "celsius": "°C", "ms": "ms", "seconds": "s",
    "minutes": "min", "hours": "h", "days": "days", "weeks": "weeks", "years": "years", "bytes": "bytes", "characters": "characters",
}  # fmt: skip
_BOUND_WORDS = ("_min", "_max", "_soft", "_hard")
_FORMATS = {
    "uuid": "UUID", "date": "date, <code>2026-05-01</code>", "date-time": "instant, <code>2026-05-01T09:30:00Z</code>",
    "time": "time", "uri": "URI", "uri-reference": "address",
}  # fmt: skip
_LIMITS = (
    ("minimum", "at least {}"), ("exclusiveMinimum", "more than {}"), ("maximum", "at most {}"), ("exclusiveMaximum", "less than {}"),
    ("pattern", "matches <code>{}</code>"),
)  # fmt: skip


def e(text: object) -> str:
    """Text as HTML shows it."""
    return html.escape(str(text))


def prose(text: str) -> str:
    """A sentence whose `names` stand between backticks, as HTML."""
    parts = e(" ".join(text.split())).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 and place < len(parts) - 1 else part for place, part in enumerate(parts))


def unit_of(name: str) -> str:
    """The unit that a field's name tells, empty if it tells none."""
    for word in _BOUND_WORDS:
        name = name.removesuffix(word)
    fits = [suffix for suffix in UNITS if name == suffix or name.endswith(f"_{suffix}")]
    return UNITS[max(fits, key=len)] if fits else ""


def counts(schema: Mapping[str, Any]) -> bool:
    """Is it a number, maybe one that may be absent?"""
    return schema.get("type") in ("number", "integer") or any(counts(one) for one in schema.get("anyOf", ()))


def type_of(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, as HTML; named types are links to their own tables."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"<a href=#type-{e(name)}>{e(name)}</a>"
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(dict.fromkeys(type_of(one) for one in schema.get("anyOf") or schema["oneOf"]))
    if "enum" in schema or "const" in schema:
        words = schema["enum"] if "enum" in schema else [schema["const"]]
        return ("one of " if len(words) > 1 else "") + ", ".join(f"<code>{e(word)}</code>" for word in words)
    match schema.get("type"):
        case "array":
            return _array(schema)
        case "object" if schema.get("additionalProperties"):
            return "object: name to " + type_of(schema["additionalProperties"])
        case "string":
            return _FORMATS.get(schema.get("format", ""), "text") + _limits(schema)
        case str(word):
            return ("true or false" if word == "boolean" else word) + _limits(schema)
        case _:
            return "any"


def field_table(schema: Mapping[str, Any]) -> str:
    """One row a field; empty for a schema that has none."""
    rows = "".join(_rows(schema))
    return f"<table class=f><tr><th>field<th>type<th>unit<th>required<th>meaning{rows}</table>" if rows else ""


def named_tables(schemas: Mapping[str, Any]) -> Iterator[str]:
    """Every named type, each under an id of its own."""
    for name, schema in schemas.items():
        yield f"<section id=type-{e(name)}><h3>{e(name)}</h3><p>{prose(schema.get('description', ''))}</p>{field_table(schema)}</section>"


def _rows(schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        told = prose(field.get("description", ""))
        if field.get("default") not in (None, [], ""):
            told += f" Default: <code>{e(json.dumps(field['default']))}</code>."
        unit, must = unit_of(name) if counts(field) else "", "yes" if name in required else "no"
        yield f"<tr><td><code>{e(name)}</code><td>{type_of(field)}<td>{e(unit)}<td>{must}<td>{told}"


def _array(schema: Mapping[str, Any]) -> str:
    many = _range(schema.get("minItems"), schema.get("maxItems"))
    return f"list of {type_of(schema.get('items', {}))}{many and f', {many}'}"


def _range(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return f"at most {high}" if high is not None else f"at least {low}" if low is not None else ""
    return str(low) if low == high else f"{low} to {high}"


def _limits(schema: Mapping[str, Any]) -> str:
    long = _range(schema.get("minLength"), schema.get("maxLength"))
    told = [f"{long} characters"] if long else []
    told += [sentence.format(e(schema[word])) for word, sentence in _LIMITS if word in schema]
    return f" ({', '.join(told)})" if told else ""
