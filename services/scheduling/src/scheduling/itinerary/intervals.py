"""Are two acts on one patient far enough apart? Whole calendar days between local dates, both neighbours, zones respected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from erbium_kernel.clinical_dates import gap_days
from scheduling.rules import Interval, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that was or will be done to the skin. `on` is the local date of its own place and is never converted."""

    ref: UUID
    kind: str
    zones: tuple[str, ...]
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two acts closer than their rule allows. `earliest`: when the asked act may be, if it is the later one. Units: days."""

    rule: Interval
    other: UUID
    gap_days: int
    earliest: date | None

    @property
    def overridable(self) -> bool:
        """The gap has reached the day from which on a doctor may override the rule."""
        from_day = self.rule.overridable_from_day
        return from_day is not None and self.gap_days >= from_day


def conflicts(rules: Rules, act: Act, others: Iterable[Act]) -> tuple[Conflict, ...]:
    """Every rule that `act` breaks with its neighbours on either side; two acts on one day are tried in both orders."""
    found = []
    for other in others:
        if not rules.in_field(act.zones, other.zones):
            continue
        gap = gap_days(other.on, act.on)
        if gap >= 0 and (rule := rules.interval(other.kind, act.kind)) and gap < rule.gap_days_min:
            earliest = other.on + timedelta(days=rule.gap_days_min)
            found.append(Conflict(rule=rule, other=other.ref, gap_days=gap, earliest=earliest))
        if gap <= 0 and (rule := rules.interval(act.kind, other.kind)) and -gap < rule.gap_days_min:
            found.append(Conflict(rule=rule, other=other.ref, gap_days=-gap, earliest=None))
    return tuple(found)


def earliest_legal(rules: Rules, act: Act, others: Sequence[Act]) -> date | None:
    """The first legal day from the asked one on, or None inside the bound that the rules set."""
    for n in range(rules.earliest_days_max + 1):
        day = act.on + timedelta(days=n)
        if not conflicts(rules, replace(act, on=day), others):
            return day
    return None
