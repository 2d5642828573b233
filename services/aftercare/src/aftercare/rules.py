"""What aftercare's clinical tables say, as records; the numbers are in `rules/*.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["GREEN", "YELLOW", "AMBER", "RED"]
LEVELS: tuple[Level, ...] = ("GREEN", "YELLOW", "AMBER", "RED")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionRow:
    """One instruction. Units: days after treatment, both included."""

    id: str
    text: str
    modalities: tuple[str, ...]
    starts_day: int
    ends_day: int
    src: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInDays:
    """When patients are asked. Units: days after treatment; local hour of the clinic."""

    version: int
    asked_at_local_hour: int
    days: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Numbers of the triage. Units in the names; days count from the treatment."""

    fever_amber_celsius: float
    fever_red_celsius: float
    pain_rising_from_day: int
    worsening_expected_to_day: int
    redness_flag_after_day: int
    redness_review_after_day: int
    swelling_expected_to_day: int
    flaking_expected_to_day: int
    crust_expected_to_day: int
    strong_pain: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageRow:
    """One level: what the patient is told, and the signs that lead to it."""

    action: str
    signs: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All tables of aftercare."""

    instructions_version: int
    instructions: tuple[InstructionRow, ...]
    check_ins: CheckInDays
    triage_version: int
    limits: Limits
    triage: Mapping[Level, TriageRow]


def worst(first: Level, second: Level) -> Level:
    """A level is never lowered automatically."""
    return max(first, second, key=LEVELS.index)
