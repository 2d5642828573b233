"""Clearances: granted, deferred or refused by the rules; reinstated or revoked by a doctor; ended by their last day."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta

from erbium_kernel.clinical_dates import local_date
from screening.facts import Acknowledgement, Facts, Plan
from screening.limits import limits_for
from screening.patient.commands import ExpireClearance, ReinstateClearance, RequestClearance, RevokeClearance
from screening.patient.contradictions import assess, contradiction
from screening.patient.decision_events import (
    ClearanceDeferred,
    ClearanceExpired,
    ClearanceGranted,
    ClearanceRefused,
    ClearanceReinstated,
    ClearanceRevoked,
)
from screening.patient.events import Event
from screening.patient.fact_events import AdvisoryAcknowledged
from screening.patient.physicians import doctor_only
from screening.patient.refusals import (
    AdvisoryNotAcknowledged,
    AlreadyCleared,
    ClearanceEnded,
    ClearanceUnknown,
    DateImpossible,
    IdTaken,
    NotOffered,
    StillContradicted,
    SuspendedClearanceWaits,
    WordUnknown,
)
from screening.patient.state import Clearance, Registered
from screening.rule_rows import Rulebook
from screening.rules import Assessment, evaluate, outcome_of
from screening.worsening import worsening_days


def request_clearance(book: Rulebook, command: RequestClearance, state: Registered) -> Sequence[Event]:
    """What the rules decide, recorded with its trace. An id that was decided before is not decided again."""
    if (known := _decided(state, command)) is not None:
        _same_request(known, command)
        return []
    doctor_only(command.act)
    plan = _plan(book, command)
    told = [*_acknowledgements(book, command, state.facts, plan)]
    facts = replace(_with_told(state.facts, told), cleared_on=command.act.today)  # its own age on the treatment day counts too
    assessment = evaluate(book, facts, plan, command.act.today)
    match assessment.outcome:
        case "CLEARED":
            return [*told, _granted(book, command, state, facts, plan, assessment)]
        case "DEFERRED":
            return [_deferred(command, plan, assessment)]
        case "ADVISORY":
            raise AdvisoryNotAcknowledged(rules=sorted({reason.rule_id for reason in assessment.reasons}))
        case "INELIGIBLE" | "INCOMPLETE" | "NEEDS_PHYSICIAN" | "CONDITIONAL":
            return [_refused(command, plan, assessment)]


def reinstate_clearance(book: Rulebook, command: ReinstateClearance, state: Registered) -> Sequence[Event]:
    """A doctor lifts the suspension, if nothing contradicts the clearance any more on any day it has left."""
    doctor_only(command.act)
    clearance = _clearance(state, command.clearance_id, command.act.today)
    if clearance.standing == "valid":
        return []
    today = command.act.today
    against = contradiction(book, state, clearance, today)
    if against is not None:
        raise StillContradicted(outcome=against.outcome, rules=sorted({reason.rule_id for reason in against.reasons}))
    agreed = assess(book, state, clearance, max(today, clearance.granted.valid_from), today)
    return [
        ClearanceReinstated(
            clinic_id=command.act.clinic_id, clearance_id=command.clearance_id, doctor_id=command.act.by, reinstated_on=today,
            trace=agreed.trace, rulebook_version=agreed.rulebook_version,
        ),
    ]  # fmt: skip


def revoke_clearance(command: RevokeClearance, state: Registered) -> Sequence[Event]:
    """A doctor ends it for good, valid or suspended; an ended one stays as it ended."""
    doctor_only(command.act)
    clearance = state.clearances.get(command.clearance_id)
    if clearance is None:
        raise ClearanceUnknown(clearance_id=str(command.clearance_id))
    if clearance.standing == "revoked":
        return []
    if clearance.standing == "expired":
        raise ClearanceEnded(clearance_id=str(command.clearance_id))
    act = command.act
    return [
        ClearanceRevoked(
            clinic_id=act.clinic_id, clearance_id=command.clearance_id, doctor_id=act.by, note=command.note, revoked_on=act.today
        ),
    ]


def expire_clearance(command: ExpireClearance, state: Registered) -> Sequence[Event]:
    """The last day is over; a timer that comes early changes nothing."""
    clearance = state.clearances.get(command.clearance_id)
    if clearance is None or not clearance.open:
        return []
    granted = clearance.granted
    today = local_date(command.at, granted.time_zone)
    if today <= granted.valid_until:
        return []
    return [ClearanceExpired(clinic_id=granted.clinic_id, clearance_id=command.clearance_id, expired_on=today)]


def _decided(state: Registered, command: RequestClearance) -> ClearanceGranted | ClearanceDeferred | ClearanceRefused | None:
    clearance = state.clearances.get(command.clearance_id)
    return clearance.granted if clearance else state.denials.get(command.clearance_id)


def _same_request(known: ClearanceGranted | ClearanceDeferred | ClearanceRefused, command: RequestClearance) -> None:
    """Raises: IdTaken if another plan was decided under this id."""
    asked_for = known.valid_from if isinstance(known, ClearanceGranted) else known.asked_for
    wanted = (command.modality, tuple(sorted(set(command.zones))), command.indication, command.on or asked_for)
    if (known.modality, known.zones, known.indication, asked_for) != wanted:
        raise IdTaken(clearance_id=str(command.clearance_id))


def _plan(book: Rulebook, command: RequestClearance) -> Plan:
    """The plan in question, words and day checked."""
    unknown = sorted({zone for zone in command.zones if zone not in book.zone_parent})
    if unknown or not command.zones:
        raise WordUnknown("A plan names at least one zone of the rulebook.", field="zones", known=sorted(book.zone_parent))
    modality = book.modalities.get(command.modality)
    if modality is None or not modality.offered:
        raise NotOffered(offered=sorted(m.id for m in book.modalities.values() if m.offered))
    on = command.on or command.act.today
    if on < command.act.today:
        raise DateImpossible("A clearance is for today or a later day.", today=command.act.today.isoformat())
    return Plan(modality=command.modality, zones=tuple(sorted(set(command.zones))), on=on, indication=command.indication)


def _acknowledgements(book: Rulebook, command: RequestClearance, facts: Facts, plan: Plan) -> Iterable[AdvisoryAcknowledged]:
    """Advisory rows that stand, and that the request says the patient was told of."""
    act = command.act
    for reason in evaluate(book, facts, plan, act.today).reasons:
        if reason.verdict == "ADVISORY" and reason.rule_id in command.acknowledges:
            yield AdvisoryAcknowledged(
                clinic_id=act.clinic_id, rule_id=reason.rule_id, rule_version=reason.rule_version, grounds=reason.grounds,
                acknowledged_by=act.by, acknowledged_on=act.today,
            )  # fmt: skip


def _with_told(facts: Facts, told: Sequence[AdvisoryAcknowledged]) -> Facts:
    new = tuple(Acknowledgement(rule_id=t.rule_id, rule_version=t.rule_version, grounds=t.grounds) for t in told)
    return replace(facts, acknowledgements=(*facts.acknowledgements, *new))


def _granted(
    book: Rulebook, command: RequestClearance, state: Registered, facts: Facts, plan: Plan, assessment: Assessment
) -> ClearanceGranted:
    act, examination = command.act, facts.examination
    assert examination is not None, "rows that read the examination say INCOMPLETE without one"
    valid_until = _last_cleared_day(book, facts, plan, act.today)
    _none_in_the_way(state, plan, valid_until, act.today)
    return ClearanceGranted(
        clinic_id=act.clinic_id, clearance_id=command.clearance_id, modality=plan.modality, zones=plan.zones,
        indication=plan.indication, skin_type=examination.skin_type,
        limits=limits_for(book, plan.modality, plan.zones, examination.skin_type),
        examined_on=examination.examined_on, valid_from=plan.on, valid_until=valid_until, granted_on=act.today, granted_by=act.by,
        time_zone=act.time_zone, trace=assessment.trace, rulebook_version=assessment.rulebook_version,
    )  # fmt: skip


def _last_cleared_day(book: Rulebook, facts: Facts, plan: Plan, today: date) -> date:
    """The last day up to which the rules say CLEARED on every day: facts age, the clearance too; overrides end, birthdays come."""
    latest = plan.on + timedelta(days=book.settings.clearance_days_max)
    for day in worsening_days(book, facts, plan.on, latest):
        if outcome_of(book, facts, replace(plan, on=day), today) != "CLEARED":
            return max(plan.on, day - timedelta(days=1))
    return latest


def _none_in_the_way(state: Registered, plan: Plan, valid_until: date, today: date) -> None:
    """Raises: AlreadyCleared, SuspendedClearanceWaits. A clearance that would reach further is granted beside the old one."""
    for clearance in state.open_clearances:
        granted = clearance.granted
        if (granted.modality, granted.zones, granted.indication) != (
            plan.modality,
            plan.zones,
            plan.indication,
        ) or granted.valid_until < today:
            continue
        if clearance.standing == "suspended":
            raise SuspendedClearanceWaits(clearance_id=str(granted.clearance_id))
        if granted.valid_from <= plan.on and valid_until <= granted.valid_until:
            raise AlreadyCleared(clearance_id=str(granted.clearance_id), valid_until=granted.valid_until.isoformat())


def _deferred(command: RequestClearance, plan: Plan, assessment: Assessment) -> ClearanceDeferred:
    act = command.act
    return ClearanceDeferred(
        clinic_id=act.clinic_id, clearance_id=command.clearance_id, modality=plan.modality, zones=plan.zones, indication=plan.indication,
        asked_for=plan.on, until=assessment.until, not_before=assessment.not_before, reasons=assessment.reasons, missing=assessment.missing,
        decided_on=act.today, decided_by=act.by, trace=assessment.trace, rulebook_version=assessment.rulebook_version,
    )  # fmt: skip


def _refused(command: RequestClearance, plan: Plan, assessment: Assessment) -> ClearanceRefused:
    act = command.act
    return ClearanceRefused(
        clinic_id=act.clinic_id, clearance_id=command.clearance_id, modality=plan.modality, zones=plan.zones, indication=plan.indication,
        asked_for=plan.on, outcome=assessment.outcome, until=assessment.until, reasons=assessment.reasons, missing=assessment.missing,
        decided_on=act.today, decided_by=act.by, trace=assessment.trace, rulebook_version=assessment.rulebook_version,
    )  # fmt: skip


def _clearance(state: Registered, clearance_id: object, today: date) -> Clearance:
    """One that has not ended. Raises: ClearanceUnknown, ClearanceEnded."""
    found = next((c for id_, c in state.clearances.items() if id_ == clearance_id), None)
    if found is None:
        raise ClearanceUnknown(clearance_id=str(clearance_id))
    if not found.open or found.granted.valid_until < today:
        raise ClearanceEnded(clearance_id=str(clearance_id))
    return found
