"""After a fact has been heard: every visit to come is judged again, and made firm, frozen, thawed or given up."""

from collections.abc import Iterator
from datetime import datetime

from scheduling.itinerary.booking import cancelled
from scheduling.itinerary.events import CancelCause, FreezeCause, ItineraryEvent, VisitFrozen, VisitMadeFirm, VisitMadeProvisional
from scheduling.itinerary.standing import Judgement, Possible, Refused, firm_deadline, freeze_deadline, judge, today_at, valid_on
from scheduling.itinerary.state import Clearance, Firm, Frozen, Itinerary, Provisional, Visit
from scheduling.rules import Rules


def reassessed(rules: Rules, state: Itinerary, at: datetime) -> Iterator[ItineraryEvent]:
    """What follows for the visits to come, in the order of their start; nothing follows where nothing changes."""
    for visit in sorted(state.visits.values(), key=lambda visit: (visit.slot.starts_at, visit.visit_id)):
        if visit.slot.ends_at > at:
            judgement = judge(rules, state, visit.wanted, visit.slot.on, today_at(visit.slot, at), visit.visit_id)
            change = _change(rules, state, visit, judgement, at)
            if change is not None:
                yield change


def frozen(rules: Rules, visit: Visit, cause: FreezeCause, at: datetime) -> VisitFrozen:
    """The visit keeps its slot for a while and may not take place meanwhile."""
    until = freeze_deadline(rules, visit.slot, at)
    return VisitFrozen(visit_id=visit.visit_id, clinic_id=visit.slot.clinic_id, cause=cause, until=until, rules=(), earliest=None)


def _change(rules: Rules, state: Itinerary, visit: Visit, judgement: Judgement, at: datetime) -> ItineraryEvent | None:
    resting = _resting(state, visit)
    said = judgement.clearance
    if isinstance(said, Firm) and not judgement.conflicts:
        still = isinstance(visit.standing, Firm) and (resting is None or valid_on(rules, resting, visit.slot.on))
        return None if still else VisitMadeFirm(visit_id=visit.visit_id, clinic_id=visit.slot.clinic_id, clearance_id=said.clearance_id)
    if (ended := _ended(state, visit, resting)) is not None:
        return ended
    if not judgement.conflicts and (isinstance(said, Possible) or (isinstance(said, Refused) and said.stale)):
        if isinstance(visit.standing, Provisional):
            return None  # it waits anyway; facts that only grew old change nothing
        if isinstance(said, Possible) and (waits := _waits_again(rules, visit, resting, at)) is not None:
            return waits
    return _frozen(rules, visit, judgement, resting, at)


def _ended(state: Itinerary, visit: Visit, resting: Clearance | None) -> ItineraryEvent | None:
    """A visit whose clearance was revoked or has expired, with no other to rest on, gives its slot back."""
    if resting is None or state.patient_id is None or resting.status not in ("revoked", "expired"):
        return None
    cause: CancelCause = "clearance-revoked" if resting.status == "revoked" else "clearance-expired"
    return cancelled(state.patient_id, visit, cause)


def _waits_again(rules: Rules, visit: Visit, resting: Clearance | None, at: datetime) -> VisitMadeProvisional | None:
    """A frozen visit for which a clearance is possible; but only a doctor's word ends a freeze that stands on a suspension."""
    firm_by = firm_deadline(rules, visit.slot)
    suspended = resting is not None and resting.status == "suspended"
    if not isinstance(visit.standing, Frozen) or suspended or firm_by <= at:
        return None
    return VisitMadeProvisional(visit_id=visit.visit_id, clinic_id=visit.slot.clinic_id, firm_by=firm_by)


def _frozen(rules: Rules, visit: Visit, judgement: Judgement, resting: Clearance | None, at: datetime) -> VisitFrozen | None:
    """Frozen, or still frozen: then for what stands in the way now, and no longer than before. Nothing if nothing is new."""
    was = visit.standing if isinstance(visit.standing, Frozen) else None
    new = VisitFrozen(
        visit_id=visit.visit_id,
        clinic_id=visit.slot.clinic_id,
        cause="attestation" if was is not None and was.cause == "attestation" else _cause(judgement, resting),
        until=was.until if was is not None else freeze_deadline(rules, visit.slot, at),
        rules=tuple(f"{conflict.rule.id} v{conflict.rule.version}" for conflict in judgement.conflicts),
        earliest=judgement.earliest if judgement.conflicts or isinstance(judgement.clearance, Refused) else None,
    )
    same = was is not None and (was.cause, was.rules, was.earliest) == (new.cause, new.rules, new.earliest)
    return None if same else new


def _cause(judgement: Judgement, resting: Clearance | None) -> FreezeCause:
    """The suspension before all else, since only a doctor ends it."""
    said = judgement.clearance
    suspended = isinstance(said, Refused) and "CLEARANCE_SUSPENDED" in said.reasons
    if suspended or (resting is not None and resting.status == "suspended"):
        return "clearance-suspended"
    return "interval" if judgement.conflicts else "not-cleared"


def _resting(state: Itinerary, visit: Visit) -> Clearance | None:
    if isinstance(visit.standing, Provisional) or visit.standing.clearance_id is None:
        return None
    return state.clearances.get(visit.standing.clearance_id)
