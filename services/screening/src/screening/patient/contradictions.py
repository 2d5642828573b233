"""A clearance is living: a new fact that contradicts it suspends it in the same append as the fact.

A suspended one hears on: when other reasons stand than those it was suspended for, it is suspended again with those that stand now.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from screening.facts import Plan
from screening.limits import limits_for
from screening.patient.decision_events import ClearanceGranted, ClearanceSuspended
from screening.patient.events import Event
from screening.patient.evolve import evolve
from screening.patient.state import Clearance, Registered
from screening.rule_rows import Rulebook
from screening.rules import Assessment, Reason, evaluate, outcome_of
from screening.worsening import worsening_days

CHANGES_ATTESTED = "CHANGES_ATTESTED"


def with_suspensions(book: Rulebook, state: Registered, facts: Sequence[Event], today: date, *, always: bool = False) -> list[Event]:
    """The new facts, followed by the suspension of every clearance that they contradict (`always`: of every valid one).

    Units: `today` is a clinic's local day. A decision counts too: the rules may have changed since a clearance was granted.
    """
    if not facts:
        return []
    after = state
    for fact in facts:
        evolved = evolve(after, fact)
        assert isinstance(evolved, Registered), "a fact keeps a patient registered"
        after = evolved
    return [*facts, *_suspensions(book, after, today, always=always)]


def _suspensions(book: Rulebook, state: Registered, today: date, *, always: bool) -> Iterator[ClearanceSuspended]:
    for clearance in state.open_clearances:
        found = contradiction(book, state, clearance, today)
        if clearance.suspension is not None:
            if found is not None and _in_short(found) != _in_short(clearance.suspension):
                yield found
        elif found is not None or always:
            yield found or _as_a_precaution(book, state, clearance, today)


def _in_short(suspension: ClearanceSuspended) -> object:
    """What a suspension tells others; its sentences count days and so differ from day to day."""
    reasons = [(reason.rule_id, reason.verdict, reason.earliest) for reason in suspension.reasons]
    return suspension.outcome, suspension.earliest, reasons, [asked.fact for asked in suspension.missing]


def contradiction(book: Rulebook, state: Registered, clearance: Clearance, today: date) -> ClearanceSuspended | None:
    """The suspension that the facts demand, or None: the rules must still say CLEARED on every day that the clearance has left."""
    granted, facts = clearance.granted, state.facts
    first = _first_day_left(granted, today)
    for day in worsening_days(book, facts, first, granted.valid_until):
        if outcome_of(book, facts, _plan(granted, day), today) != "CLEARED":
            assessment = assess(book, state, clearance, day, today)
            return _suspended(clearance, assessment, today, assessment.reasons)
    skin_type = facts.skin_type
    if skin_type is None or limits_for(book, granted.modality, granted.zones, skin_type) != granted.limits:
        return _suspended(clearance, assess(book, state, clearance, first, today), today, (_limits_changed(book, clearance),))
    return None


def assess(book: Rulebook, state: Registered, clearance: Clearance, day: date, today: date) -> Assessment:
    """What the rules say about the cleared treatment on this day."""
    return evaluate(book, state.facts, _plan(clearance.granted, day), today)


def _first_day_left(granted: ClearanceGranted, today: date) -> date:
    """Why not past the last day: until its timer has fired, in another zone that day may not be over."""
    return min(max(today, granted.valid_from), granted.valid_until)


def _plan(granted: ClearanceGranted, day: date) -> Plan:
    return Plan(modality=granted.modality, zones=granted.zones, on=day, indication=granted.indication)


def _suspended(clearance: Clearance, assessment: Assessment, today: date, reasons: tuple[Reason, ...]) -> ClearanceSuspended:
    return ClearanceSuspended(
        clinic_id=clearance.granted.clinic_id,
        clearance_id=clearance.granted.clearance_id,
        outcome="NEEDS_PHYSICIAN" if assessment.outcome == "CLEARED" else assessment.outcome,
        earliest=assessment.until if assessment.outcome == "DEFERRED" else None,
        reasons=reasons,
        missing=assessment.missing,
        suspended_on=today,
        trace=assessment.trace,
        rulebook_version=assessment.rulebook_version,
    )


def _as_a_precaution(book: Rulebook, state: Registered, clearance: Clearance, today: date) -> ClearanceSuspended:
    """Changes were attested: a doctor looks, even if the questions asked since then show nothing."""
    row = book.rules[CHANGES_ATTESTED]
    reason = Reason(
        rule_id=row.id, rule_version=row.version, verdict="RELATIVE", zones=clearance.granted.zones, earliest=None,
        says=row.label, ends="a doctor reinstates the clearance", grounds=(),
    )  # fmt: skip
    assessment = assess(book, state, clearance, _first_day_left(clearance.granted, today), today)
    return _suspended(clearance, assessment, today, (reason,))


def _limits_changed(book: Rulebook, clearance: Clearance) -> Reason:
    row = book.limits[clearance.granted.modality]
    return Reason(
        rule_id=row.id,
        rule_version=row.version,
        verdict="RELATIVE",
        zones=clearance.granted.zones,
        earliest=None,
        says=f"the limits it was granted with, for skin type {clearance.granted.skin_type}, are not those of the record any more",
        ends="the clearance is revoked and a new one granted",
        grounds=(),
    )
