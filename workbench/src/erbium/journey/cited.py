"""Where a rule that decided comes from: looked up in the services' own `rules/*.toml`, so that the story never says another number."""

import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from erbium.servers.folder import checkout

# The first letter of a source, spelled out: see the head of each file.
PROVENANCE = {"S": "the founding article", "C": "published work", "R": "published work", "G": "general knowledge", "H": "house default"}


def row(service: str, file: str, table: str, **like: Any) -> dict[str, Any]:
    """The first row of a table in which these fields have these values. Raises: LookupError."""
    for one in _table(service, file)[table]:
        if all(one.get(name) == value for name, value in like.items()):
            found: dict[str, Any] = one
            return found
    raise LookupError(f"{service}/rules/{file} has no {table} with {like}")


def table(service: str, file: str, name: str) -> dict[str, Any]:
    """A table with single values."""
    found: dict[str, Any] = _table(service, file)[name]
    return found


def screening_rule(rule_id: str) -> dict[str, Any]:
    """A screening rule, whichever file it is in; its file's name is added. Raises: LookupError."""
    for path in sorted((checkout() / "services" / "screening" / "rules").glob("*.toml")):
        for one in _table("screening", path.name).get("rule", []):
            if one["id"] == rule_id:
                return {**one, "file": path.name}
    raise LookupError(f"no screening rule is called {rule_id}")


def source(letter: str, service: str, file: str) -> str:
    """`(house default; scheduling/rules/visits.toml)`."""
    return f"({PROVENANCE[letter[:1]]}; {service}/rules/{file})"


def as_told(reason: dict[str, Any]) -> str:
    """A reason that screening gave: what it is about, until when it stands, where it is from."""
    rule = screening_rule(reason["rule_id"])
    origin = source(rule["provenance"], "screening", rule["file"])
    return f"{reason['rule_id']} v{reason['rule_version']}: {rule['label']}, until {rule['ends']} {origin}"


def day(when: date | str, *, year: int | None = None) -> str:
    """`Mon 30 Nov`; with the year where it is another than `year`."""
    told = date.fromisoformat(when) if isinstance(when, str) else when
    plain = f"{told:%a} {told.day} {told:%b}"
    return plain if year in (None, told.year) else f"{plain} {told.year}"


def clock(when: datetime | str, zone: str) -> str:
    """`10:00`, on the wall of that time zone."""
    told = datetime.fromisoformat(when) if isinstance(when, str) else when
    return f"{told.astimezone(ZoneInfo(zone)):%H:%M}"


def _table(service: str, file: str) -> dict[str, Any]:
    with (checkout() / "services" / service / "rules" / file).open("rb") as opened:
        return tomllib.load(opened)


def looked_at(trace: list[dict[str, Any]]) -> Iterator[str]:
    """The ids of the rules in a trace, each once."""
    yield from dict.fromkeys(one["rule_id"] for one in trace)
