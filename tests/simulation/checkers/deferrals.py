"""Every deferral's date is the fixed point: on it the reasons are gone, the day before one of them still stands."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

from erbium_kernel.errors import Rejected
from scheduling.deciders import RULES
from scheduling.itinerary.standing import judge, refusal_of
from scheduling.itinerary.state import Itinerary
from screening.deciders import RULEBOOK
from screening.facts import Facts, Plan
from screening.rules import evaluate
from tests.simulation.turns import Broken
from tests.simulation.watch import Happened

BORN: Final = date(1986, 5, 5)  # every patient of the simulation: the folded state holds the birth date sealed
DATED: Final = ("scheduling.not-cleared", "scheduling.interval-too-short")


def check_deferred(happened: Happened) -> None:
    """Screening's date. Raises: Broken."""
    deferred = happened.record
    facts = replace(happened.before.facts, birth_date=BORN)
    plan = Plan(modality=deferred.modality, zones=deferred.zones, on=deferred.asked_for, indication=deferred.indication)
    if deferred.until is None:
        return
    if _defers(facts, replace(plan, on=deferred.until), deferred.decided_on):
        raise Broken(f"deferral: until {deferred.until}, and on that day something still defers")
    if not _defers(facts, replace(plan, on=deferred.until - timedelta(days=1)), deferred.decided_on):
        raise Broken(f"deferral: until {deferred.until}, and the day before nothing defers any more")


def _defers(facts: Facts, plan: Plan, today: date) -> bool:
    return any(reason.verdict == "DEFER" for reason in evaluate(RULEBOOK, facts, plan, today).reasons)


def check_earliest(refusal: Rejected, state: Itinerary, wanted: Any, asked_on: date, today: date, visit_id: Any) -> None:
    """Scheduling's date: on it a booking would not be refused for these reasons. Raises: Broken."""
    earliest = refusal.facts.get("earliest")
    if refusal.slug not in DATED or not isinstance(earliest, str):
        return
    on = date.fromisoformat(earliest)
    if on < asked_on:
        raise Broken(f"deferral: {refusal.slug} for {asked_on} names the earlier day {on}")
    again = refusal_of(judge(RULES, state, wanted, on, today, visit_id))
    if again is not None:
        raise Broken(f"deferral: {refusal.slug} names {on} as the earliest day, and on it {again.facts}")
