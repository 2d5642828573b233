"""When a precondition is ripe: an antiviral that starts in time, priming long enough, a test spot read without pigment change."""

from datetime import date, timedelta

from erbium_kernel.clinical_dates import gap_days
from screening.facts import Facts, Plan
from screening.rule_rows import Rulebook, Say
from screening.zones import overlap


def ripens(book: Rulebook, say: Say, facts: Facts, plan: Plan, zone: str) -> date | None:
    """The first day on which the precondition of this cell is met, as far as it is recorded; None = not begun, or failed."""
    if say.precondition == "test_spot":
        return _spot_ripens(book, say, facts, plan, zone)
    starts = [
        p.starts_on
        for p in facts.preconditions
        if p.kind == say.precondition and (say.greatest_age_days is None or gap_days(p.starts_on, plan.on) <= say.greatest_age_days)
    ]
    return min(starts) + timedelta(days=say.days or 0) if starts else None


def _spot_ripens(book: Rulebook, say: Say, facts: Facts, plan: Plan, zone: str) -> date | None:
    """From the earliest spot of this modality in this zone that was read "no PIH"; one with PIH spoils those placed up to its day."""
    spots = [s for s in facts.test_spots if s.modality == plan.modality and overlap(book.zone_parent, s.zone, zone)]
    spoilt_on = max((s.placed_on for s in spots if s.reading == "pih"), default=date.min)
    placed_on = [s.placed_on for s in spots if s.reading == "no_pih" and s.placed_on > spoilt_on]
    return min(placed_on) + timedelta(days=say.days or 0) if placed_on else None
