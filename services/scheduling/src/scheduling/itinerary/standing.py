"""Firm, provisional or refused: what screening has said and the interval rules decide about one visit on one day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import assert_never
from uuid import UUID

from erbium_kernel.clinical_dates import gap_days, local_date
from erbium_kernel.errors import Rejected
from scheduling.itinerary import refusals
from scheduling.itinerary.intervals import Act, Conflict, conflicts, earliest_legal
from scheduling.itinerary.slot import Slot, Wanted
from scheduling.itinerary.state import ENDED, Clearance, Firm, Itinerary, Provisional, Verdict
from scheduling.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Possible:
    """No clearance reaches the day, but what is known today speaks for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Not on that day. `earliest` None = date open. `stale`: nothing speaks against it, the facts are only missing or too old."""

    reasons: tuple[str, ...]
    earliest: date | None
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """About one visit on one day: what the clearances say, and the intervals that it breaks.

    `legal_on`: of the days that the clearances allow, the first on which no interval is broken; None = none found.
    """

    clearance: Firm | Possible | Refused
    conflicts: tuple[Conflict, ...]
    legal_on: date | None

    @property
    def earliest(self) -> date | None:
        """The first day on which nothing that is known stands in the way; None = date open."""
        open_date = isinstance(self.clearance, Refused) and self.clearance.earliest is None
        return None if open_date else self.legal_on


def judge(rules: Rules, state: Itinerary, wanted: Wanted, on: date, today: date, visit_id: UUID, *, look_ahead: bool = True) -> Judgement:
    """What the itinerary says about `wanted` on the local day `on`, judged on `today`; the visit itself is no neighbour of its own.

    `look_ahead` False: without the first legal day, which is what takes time.
    """
    clearance = clearance_for(rules, state, wanted, on, today) if wanted.kind == "laser" else Firm(clearance_id=None)
    if wanted.act is None:
        return Judgement(clearance=clearance, conflicts=(), legal_on=on)
    act = Act(ref=visit_id, kind=wanted.act, zones=wanted.zones, on=on)
    others = state.acts(without=visit_id)
    broken = _not_settled(state, clearance, conflicts(rules, act, others))
    allowed_on = max(on, clearance.earliest or on) if isinstance(clearance, Refused) else on
    if not broken and allowed_on == on:
        return Judgement(clearance=clearance, conflicts=(), legal_on=on)
    legal_on = earliest_legal(rules, replace(act, on=allowed_on), others) if look_ahead else None
    return Judgement(clearance=clearance, conflicts=broken, legal_on=legal_on)


def _not_settled(state: Itinerary, clearance: Firm | Possible | Refused, found: Sequence[Conflict]) -> tuple[Conflict, ...]:
    """Without what a doctor may override, where screening knew of the outside procedure when it last said that the clearance stands.

    Why: a clearance with that procedure on record is the override. Windows that nobody may override stand here as well as there.
    """
    if not isinstance(clearance, Firm) or clearance.clearance_id is None:
        return tuple(found)
    said = state.clearances[clearance.clearance_id].heard
    known = {ref for ref, heard in state.procedures_heard.items() if heard < said}
    return tuple(conflict for conflict in found if not (conflict.overridable and conflict.other in known))


def admitted(rules: Rules, judgement: Judgement, slot: Slot, at: datetime) -> Firm | Provisional:
    """The standing of a visit booked now into this slot. Raises: NotCleared, IntervalTooShort, TooLateForProvisional."""
    refusal = refusal_of(judgement)
    if refusal is not None:
        raise refusal
    match judgement.clearance:
        case Firm():
            return judgement.clearance
        case Possible():
            firm_by = firm_deadline(rules, slot)
            if firm_by <= at:
                raise refusals.TooLateForProvisional(firm_by=firm_by.isoformat())
            return Provisional(firm_by=firm_by)
        case Refused():
            raise AssertionError("a refusal was raised above")
        case _:
            assert_never(judgement.clearance)


def refusal_of(judgement: Judgement) -> Rejected | None:
    """Why not on that day, with all reasons and the first day on which none of them holds; an open date stays open."""
    broken = [f"{conflict.rule.id} v{conflict.rule.version}" for conflict in judgement.conflicts]
    earliest = judgement.earliest.isoformat() if judgement.earliest else None
    if isinstance(judgement.clearance, Refused):
        return refusals.NotCleared(reasons=[*judgement.clearance.reasons, *broken], earliest=earliest)
    if broken:
        gaps = [f"{conflict.gap_days} of {conflict.rule.gap_days_min} days" for conflict in judgement.conflicts]
        return refusals.IntervalTooShort(reasons=broken, gaps=gaps, earliest=earliest)
    return None


def firm_deadline(rules: Rules, slot: Slot) -> datetime:
    """When a provisional visit is released if it is not firm by then. Units: UTC."""
    return slot.starts_at - timedelta(hours=rules.clocks.firm_notice_hours)


def freeze_deadline(rules: Rules, slot: Slot, at: datetime) -> datetime:
    """How long a frozen visit keeps its slot: until notice before its start, at least the grace, never beyond its end. Units: UTC."""
    notice = slot.starts_at - timedelta(hours=rules.clocks.freeze_notice_hours)
    grace = at + timedelta(hours=rules.clocks.freeze_grace_hours)
    return min(slot.ends_at, max(notice, grace))


def today_at(slot: Slot, at: datetime) -> date:
    """The local date of the slot's clinic."""
    return local_date(at, slot.time_zone)


def clearance_for(rules: Rules, state: Itinerary, wanted: Wanted, on: date, today: date) -> Firm | Possible | Refused:
    """One clearance that covers all zones makes it firm; else every zone must at least be possible."""
    found = [answer for zone in wanted.zones for answer in _zone_answers(rules, state, wanted.modality or "", zone, on, today)]
    refused = [answer for answer in found if isinstance(answer, Refused)]
    if refused:
        return _together(refused)
    if not any(isinstance(answer, Possible) for answer in found):
        covering = _newest_covering(rules, state, wanted, on)
        if covering is not None:
            return Firm(clearance_id=covering.clearance_id)
    return Possible()


def valid_on(rules: Rules, clearance: Clearance, on: date) -> bool:
    """Does it permit a treatment on that day? It is neither suspended nor ended, in its dates, and at most so many days old."""
    young = gap_days(clearance.granted_on, on) <= rules.clocks.clearance_age_days_max
    return clearance.status == "valid" and clearance.valid_from <= on <= clearance.valid_until and young


def _newest_covering(rules: Rules, state: Itinerary, wanted: Wanted, on: date) -> Clearance | None:
    covering = [
        clearance
        for clearance in state.clearances.values()
        if clearance.modality == wanted.modality
        and valid_on(rules, clearance, on)
        and all(rules.covers(clearance.zones, zone) for zone in wanted.zones)
    ]
    return max(covering, key=lambda clearance: clearance.heard, default=None)


def _zone_answers(rules: Rules, state: Itinerary, modality: str, zone: str, on: date, today: date) -> Sequence[Firm | Possible | Refused]:
    """What is known of a zone on that day: a clearance that stands, else what was said about it.

    Why a later verdict does not undercut a clearance: what contradicts it suspends it, and is heard first. The verdict was about another
    day, or another reason to treat.
    """
    for clearance in state.clearances.values():
        if clearance.modality == modality and rules.covers(clearance.zones, zone) and valid_on(rules, clearance, on):
            return [Firm(clearance_id=clearance.clearance_id)]
    return _said_of(rules, state, modality, zone, on, today)


def _said_of(rules: Rules, state: Itinerary, modality: str, zone: str, on: date, today: date) -> Sequence[Firm | Possible | Refused]:
    """Newest first, back to the newest statement about all of it; a gap in what is known says nothing.

    A clearance that is over leaves the word to an older one that still stands; what was said before it was answered by it.
    """
    answers: list[Firm | Possible | Refused] = []
    over: Firm | Possible | Refused | None = None
    incomplete = False
    for said in _newest_first(state, modality):
        whole = rules.covers(said.zones, zone)
        if isinstance(said, Clearance):
            if whole and not _is_over(said, today):
                return [*answers, _of_clearance(rules, said, on, today)]
            if whole and over is None:
                over = _of_clearance(rules, said, on, today)
        elif over is None and rules.in_field(said.zones, (zone,)):
            if said.outcome == "INCOMPLETE":
                incomplete = True
                continue
            answers.append(_of_verdict(said, on))
            if whole:
                return answers
    nothing = Refused(reasons=("INCOMPLETE" if incomplete else "NO_CLEARANCE",), earliest=None, stale=True)
    return [*answers, over or nothing]


def _is_over(clearance: Clearance, today: date) -> bool:
    """Ended, or its last day is over even if nobody has said so yet."""
    return clearance.status in ENDED or (clearance.status == "valid" and today > clearance.valid_until)


def _newest_first(state: Itinerary, modality: str) -> Iterator[Clearance | Verdict]:
    said: list[Clearance | Verdict] = [*state.clearances.values(), *state.verdicts]
    yield from sorted((one for one in said if one.modality == modality), key=lambda one: one.heard, reverse=True)


def _of_clearance(rules: Rules, clearance: Clearance, on: date, today: date) -> Firm | Possible | Refused:
    match clearance.status:
        case "valid":
            if on < clearance.valid_from:
                return Refused(reasons=("CLEARANCE_NOT_YET_VALID",), earliest=clearance.valid_from)
            if valid_on(rules, clearance, on):
                return Firm(clearance_id=clearance.clearance_id)
            return _expired() if today > clearance.valid_until else Possible()
        case "suspended":
            return _not_before("CLEARANCE_SUSPENDED", clearance.earliest, on)
        case "revoked":
            return Refused(reasons=("CLEARANCE_REVOKED",), earliest=None)
        case "expired":
            return _expired()
        case _:
            assert_never(clearance.status)


def _of_verdict(verdict: Verdict, on: date) -> Possible | Refused:
    match verdict.outcome:
        case "DEFERRED":
            return _not_before("DEFERRED", verdict.until, on)
        case "CONDITIONAL" | "NEEDS_PHYSICIAN" | "ADVISORY":
            return _not_before(verdict.outcome, verdict.until or on, on)
        case "INELIGIBLE" | "INCOMPLETE":
            return Refused(reasons=(verdict.outcome,), earliest=None)
        case _:
            assert_never(verdict.outcome)


def _not_before(reason: str, earliest: date | None, on: date) -> Possible | Refused:
    return Possible() if earliest is not None and on >= earliest else Refused(reasons=(reason,), earliest=earliest)


def _expired() -> Refused:
    return Refused(reasons=("CLEARANCE_EXPIRED",), earliest=None, stale=True)


def _together(refused: Sequence[Refused]) -> Refused:
    """All reasons; the latest of the dates, or an open date if one of them is open."""
    dates = [answer.earliest for answer in refused]
    known = [day for day in dates if day is not None]
    return Refused(
        reasons=tuple(dict.fromkeys(reason for answer in refused for reason in answer.reasons)),
        earliest=max(known) if len(known) == len(dates) else None,
        stale=all(answer.stale for answer in refused),
    )
