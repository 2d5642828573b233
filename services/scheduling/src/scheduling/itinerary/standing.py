"""Firm, provisional or refused: what screening has said and the interval rules decide about one visit on one day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import assert_never
from uuid import UUID

from erbium_kernel.clinical_dates import gap_days, local_date
from erbium_kernel.errors import Rejected
from scheduling.itinerary import refusals
from scheduling.itinerary.intervals import Act, Conflict, conflicts, earliest_legal
from scheduling.itinerary.slot import Slot, Wanted
from scheduling.itinerary.state import Clearance, Firm, Itinerary, Provisional, Verdict
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
    """About one visit on one day: what the clearances say, and the intervals that it breaks (`legal_on`: the first day without)."""

    clearance: Firm | Possible | Refused
    conflicts: tuple[Conflict, ...]
    legal_on: date | None


def judge(rules: Rules, state: Itinerary, wanted: Wanted, on: date, today: date, visit_id: UUID, *, look_ahead: bool = True) -> Judgement:
    """What the itinerary says about `wanted` on the local day `on`, judged on `today`; the visit itself is no neighbour of its own.

    `look_ahead` False: without the first legal day, which is what takes time.
    """
    clearance = clearance_for(rules, state, wanted, on, today) if wanted.kind == "laser" else Firm(clearance_id=None)
    if wanted.act is None:
        return Judgement(clearance=clearance, conflicts=(), legal_on=on)
    act = Act(ref=visit_id, kind=wanted.act, zones=wanted.zones, on=on)
    others = state.acts(without=visit_id)
    broken = conflicts(rules, act, others)
    legal_on = (earliest_legal(rules, act, others) if look_ahead else None) if broken else on
    return Judgement(clearance=clearance, conflicts=broken, legal_on=legal_on)


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
    if isinstance(judgement.clearance, Refused):
        dates = (judgement.clearance.earliest, judgement.legal_on)
        earliest = None if None in dates else max(day for day in dates if day is not None)
        return refusals.NotCleared(reasons=[*judgement.clearance.reasons, *broken], earliest=_text(earliest))
    if broken:
        gaps = [f"{conflict.gap_days} of {conflict.rule.gap_days_min} days" for conflict in judgement.conflicts]
        return refusals.IntervalTooShort(reasons=broken, gaps=gaps, earliest=_text(judgement.legal_on))
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
    """What was said about a zone, newest first, back to the newest statement about all of it; a gap in what is known says nothing."""
    answers: list[Firm | Possible | Refused] = []
    incomplete = False
    for said in _newest_first(state, modality):
        whole = rules.covers(said.zones, zone)
        if isinstance(said, Clearance):
            if whole:
                return [*answers, _of_clearance(rules, said, on, today)]
        elif said.outcome == "INCOMPLETE":
            incomplete = incomplete or rules.in_field(said.zones, (zone,))
        elif rules.in_field(said.zones, (zone,)):
            answers.append(_of_verdict(said, on))
            if whole:
                return answers
    reason = "INCOMPLETE" if incomplete else "NO_CLEARANCE"
    return [*answers, Refused(reasons=(reason,), earliest=None, stale=True)]


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


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
