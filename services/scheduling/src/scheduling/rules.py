"""The rules that a booking obeys, as data: records and how they are read from what `rules/*.toml` says. No number lives here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

Modality = Literal["nafl_1550", "nafl_1927", "afl_2940", "afl_10600"]
Zone = Literal["face", "forehead", "cheeks", "nose", "perioral", "periorbital", "eyelid", "neck", "chest", "hands"]
VisitKind = Literal[
    "consultation", "laser", "biorevitalisation", "follow_up", "test_spot_reading", "botulinum_toxin", "filler_ha", "peel_superficial"
]

MODALITIES: Final[tuple[Modality, ...]] = get_args(Modality)
ZONES: Final[tuple[Zone, ...]] = get_args(Zone)
VISIT_KINDS: Final[tuple[VisitKind, ...]] = get_args(VisitKind)
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The least gap between an earlier and a later act. Units: whole calendar days.

    `overridable_from_day`: from this gap on a doctor may override it in screening; None = nobody may.
    """

    id: str
    version: int
    gap_days_min: int
    source: str
    overridable_from_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffers:
    """Around a visit, a resource is taken this much longer. Units: minutes."""

    before_minutes: int
    after_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRule:
    """How long a kind of visit takes, and what its resources need around it."""

    kind: VisitKind
    duration_minutes: int
    practitioner: Buffers
    room: Buffers
    laser: Buffers


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The deadlines around a booking; the unit is in each name."""

    hold_minutes: int
    holds_open_max: int
    booking_ahead_days_max: int
    firm_notice_hours: int
    freeze_notice_hours: int
    freeze_grace_hours: int
    clearance_age_days_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that decides about a booking and is not a fact about somebody."""

    intervals: Mapping[tuple[str, str], Interval]
    act_kinds: frozenset[str]
    inside: Mapping[str, str]
    unknown_zone: str
    visits: Mapping[VisitKind, VisitRule]
    clocks: Clocks
    same_day_modalities: frozenset[str]
    step_minutes: int
    earliest_days_max: int

    def interval(self, earlier: str, later: str) -> Interval | None:
        """The rule between two kinds of act in this order; a kind that no row names counts as the longest."""
        return self.intervals.get((self._known(earlier), self._known(later)))

    def _known(self, kind: str) -> str:
        return kind if kind in self.act_kinds else UNKNOWN

    def covers(self, zones: Iterable[str], zone: str) -> bool:
        """Is `zone` one of `zones`, or does it lie in one of them?"""
        return bool({zone, *self._around(zone)} & set(self._or_unknown(zones)))

    def in_field(self, zones: Iterable[str], others: Iterable[str]) -> bool:
        """Does any zone of the one list lie in, around or on any zone of the other? No zone named = the unknown one."""
        left, right = self._or_unknown(zones), self._or_unknown(others)
        return any(self.covers(left, zone) for zone in right) or any(self.covers(right, zone) for zone in left)

    def _around(self, zone: str) -> tuple[str, ...]:
        larger = self.inside.get(zone)
        return () if larger is None else (larger, *self._around(larger))

    def _or_unknown(self, zones: Iterable[str]) -> tuple[str, ...]:
        return tuple(zones) or (self.unknown_zone,)


def read_rules(intervals: Mapping[str, Any], zones: Mapping[str, Any], visits: Mapping[str, Any]) -> Rules:
    """The rules as the three files say them. Raises: KeyError, AssertionError on a file that leaves something out."""
    matrix = dict(_matrix(intervals))
    kinds = {row["kind"]: _visit_rule(row) for row in visits["visit"]}
    assert set(kinds) == set(VISIT_KINDS), f"kinds of visit without a rule: {sorted(set(VISIT_KINDS) - set(kinds))}"
    assert set(zones["inside"]) | set(zones["inside"].values()) <= set(ZONES), "a zone that no service knows"
    return Rules(
        intervals=matrix,
        act_kinds=frozenset(kind for pair in matrix for kind in pair),
        inside=dict(zones["inside"]),
        unknown_zone=zones["unknown_counts_as"],
        visits=kinds,
        clocks=Clocks(**visits["clocks"]),
        same_day_modalities=frozenset(visits["same_day"]["modalities"]),
        step_minutes=visits["search"]["step_minutes"],
        earliest_days_max=visits["search"]["earliest_days_max"],
    )


def _matrix(rows: Mapping[str, Any]) -> Iterable[tuple[tuple[str, str], Interval]]:
    """Every ordered pair of acts that has a rule. Promise: both directions of procedure and laser, every pair of lasers."""
    version = rows["version"]

    def interval(earlier: str, later: str, days: int, source: str, from_day: int | None = None) -> tuple[tuple[str, str], Interval]:
        name = f"{earlier.upper()}_TO_{later.upper()}"
        rule = Interval(id=name, version=version, gap_days_min=days, source=source, overridable_from_day=from_day)
        return (earlier, later), rule

    for row in rows["procedure"]:
        for modality in MODALITIES:
            group = modality.partition("_")[0]
            from_day = row.get("before_overridable_from_day")
            yield interval(row["kind"], modality, row[f"before_{group}_days_min"], row["source"], from_day)
            yield interval(modality, row["kind"], row[f"after_{group}_days_min"], row["source"])
    for row in rows["laser"]:
        for later in MODALITIES:
            yield interval(row["earlier"], later, row["later_days_min"][later], row["source"])


def _visit_rule(row: Mapping[str, Any]) -> VisitRule:
    def buffers(resource: str) -> Buffers:
        return Buffers(before_minutes=row[f"{resource}_before_minutes"], after_minutes=row[f"{resource}_after_minutes"])

    return VisitRule(
        kind=row["kind"],
        duration_minutes=row["duration_minutes"],
        practitioner=buffers("practitioner"),
        room=buffers("room"),
        laser=buffers("laser"),
    )
