"""Reading one TOML table with care: every mistake becomes a sentence that names the file, the row and the field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class BrokenRulebook(Exception):
    """A rules file cannot be used; the sentence names file, row and field. The service does not start with it."""


@dataclass(slots=True)
class Table:
    """A TOML table that remembers where it stands and which of its fields were read."""

    place: str
    values: Mapping[str, Any]
    read: set[str] = field(default_factory=set)

    def broken(self, name: str, wanted: str) -> BrokenRulebook:
        """The sentence about one field."""
        found = f"found {self.values[name]!r}" if name in self.values else "it is missing"
        return BrokenRulebook(f"{self.place}, field {name}: expected {wanted}, {found}")

    def take(self, name: str, kind: type | tuple[type, ...], wanted: str) -> Any:
        """A required field of this type. Raises: BrokenRulebook. Why: TOML's true is no number."""
        self.read.add(name)
        value = self.values.get(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.broken(name, wanted)
        return value

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        self.read.add(name)
        return name in self.values

    def text(self, name: str) -> str:
        """A non-empty text."""
        value: str = self.take(name, str, "a text that is not empty")
        if not value.strip():
            raise self.broken(name, "a text that is not empty")
        return value

    def word(self, name: str, allowed: Sequence[str]) -> str:
        """One of the allowed words."""
        value = self.text(name)
        if value not in allowed:
            raise self.broken(name, f"one of {', '.join(allowed)}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """true or false."""
        return bool(self.take(name, bool, "true or false")) if self.has(name) else default

    def whole(self, name: str, least: int, greatest: int) -> int:
        """A whole number inside these bounds."""
        value: int = self.take(name, int, f"a whole number from {least} to {greatest}")
        if not least <= value <= greatest:
            raise self.broken(name, f"a whole number from {least} to {greatest}")
        return value

    def number(self, name: str, least: float, greatest: float) -> float:
        """A number inside these bounds."""
        value = float(self.take(name, (int, float), f"a number from {least} to {greatest}"))
        if not least <= value <= greatest:
            raise self.broken(name, f"a number from {least} to {greatest}")
        return value

    def words(self, name: str) -> tuple[str, ...]:
        """A list of texts; an absent list is empty."""
        if not self.has(name):
            return ()
        value = self.take(name, list, "a list of texts")
        if not all(isinstance(item, str) and item for item in value):
            raise self.broken(name, "a list of texts")
        return tuple(value)

    def table(self, name: str) -> "Table":
        """A table inside; an absent one is empty."""
        if not self.has(name):
            return Table(f"{self.place}, {name}", {})
        return Table(f"{self.place}, {name}", self.take(name, dict, "a table"))

    def tables(self, name: str) -> "tuple[Table, ...]":
        """A list of tables; an absent list is empty."""
        if not self.has(name):
            return ()
        rows = self.take(name, list, "a list of tables")
        if not all(isinstance(row, dict) for row in rows):
            raise self.broken(name, "a list of tables")
        return tuple(Table(f"{self.place}, {name}[{n}]", row) for n, row in enumerate(rows))

    def inner(self) -> "dict[str, Table]":
        """All fields as tables, when the names are data."""
        return {name: self.table(name) for name in self.values}

    def done(self) -> None:
        """Nothing is left that nobody reads: a misspelt field would silently be no rule at all."""
        unknown = sorted(set(self.values) - self.read)
        if unknown:
            raise BrokenRulebook(f"{self.place}, field {unknown[0]}: nobody reads a field of this name; is it misspelt?")
