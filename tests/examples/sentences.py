"""Every sentence of the worked cases, by what it does."""

import json
import re
from collections.abc import Callable, Iterable
from copy import copy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from erbium_kernel.errors import Rejected
from scheduling.itinerary import commands as s
from scheduling.itinerary.state import Firm, Frozen
from screening.facts import When
from screening.patient import commands as c
from tests.examples.telling import PROCEDURES, SAYINGS, Telling, Told, asked, given, said_of
from tests.screening.story import CLEAR_ANSWERS, CLINIC, DOCTOR, NURSE, PATIENT_ID, ZONE

CONTRACTS = Path(__file__).parents[2] / "contracts" / "device-telemetry"
SAYING = "(" + "|".join(SAYINGS) + r")(?: (\d{4}-\d\d-\d\d))?"
PROCEDURE = "(" + "|".join(PROCEDURES) + ")"


# --- what happens


@given("type (I|II|III|IV|V|VI)")
def _(tell: Telling, skin_type: str) -> None:
    tell.skin_type = skin_type


@given(f"history of {SAYING}")
def _(tell: Telling, saying: str, day: str | None) -> None:
    question, value = SAYINGS[saying]
    tell.history[question] = (value, date.fromisoformat(day) if day else None)


@given(f"{PROCEDURE} (?:in|on|of) the <name> on <day>(?: at <clock>)?(?:, told on <day>)?")
def _(tell: Telling, what: str, zone: str, day: str, clock: str | None, told_on: str | None) -> None:
    tell.when(told_on or day, clock)
    tell.screening(
        c.ReportProcedure(
            act=tell.act(), procedure_id=tell.new_id(), kind=PROCEDURES[what], zones=(zone,), when=When(on=date.fromisoformat(day)),
            performed_time_zone=None,
        )
    )  # fmt: skip


@given("consultation on <day>(?: at <clock>)?")
def _(tell: Telling, day: str, clock: str | None) -> None:
    tell.when(day, clock)
    nothing: dict[str, tuple[str, date | None]] = {question: (value, None) for question, value in CLEAR_ANSWERS.items()}
    tell.answer(**{**nothing, **tell.history})
    tell.history = {question: said for question, said in tell.history.items() if question in ("cold_sore_history", "isotretinoin")}
    tell.screening(c.HoldConsultation(act=tell.act(), consultation_id=tell.new_id(), skin_type=tell.skin_type))


@given(f"on <day> at <clock> the patient says: {SAYING}")
def _(tell: Telling, on: str, clock: str, saying: str, day: str | None) -> None:
    tell.when(on, clock)
    question, value = SAYINGS[saying]
    tell.answer(**{question: (value, date.fromisoformat(day) if day else None)})


@given("cleared(?: for <day>)?(?:, told of <name>)?")
def _(tell: Telling, day: str | None, advisory: str | None) -> None:
    decided = tell.request(day or tell.act().today.isoformat(), *([advisory] if advisory else []))
    assert type(decided).__name__ == "ClearanceGranted", decided


@given("antiviral prescribed from <day>")
def _(tell: Telling, day: str) -> None:
    _precondition(tell, "antiviral", day)


@given("priming from <day>")
def _(tell: Telling, day: str) -> None:
    _precondition(tell, "priming", day)


def _precondition(tell: Telling, kind: Any, day: str) -> None:
    starts_on = date.fromisoformat(day)
    tell.screening(c.RecordPrecondition(act=tell.act(), precondition_id=tell.new_id(), kind=kind, starts_on=starts_on))


@given("test spot placed, read on <day> (without|with) pigment change")
def _(tell: Telling, day: str, pigment: str) -> None:
    spot_id = tell.new_id()
    tell.screening(c.PlaceTestSpot(act=tell.act(), spot_id=spot_id, modality="nafl_1550", zone="face"))
    tell.when(day)
    tell.screening(c.ReadTestSpot(act=tell.act(), spot_id=spot_id, reading="pih" if pigment == "with" else "no_pih"))


@given("(laser|biorevitalisation|consultation|Botox) visit booked for <day> at <clock>")
def _(tell: Telling, kind: str, day: str, clock: str) -> None:
    visit_id = tell.book(kind, day, clock)
    if kind == "laser":
        tell.visit_id = visit_id


@given("checked in on <day> at <clock>")
def _(tell: Telling, day: str, clock: str) -> None:
    tell.when(day, clock)
    tell.scheduling(s.CheckIn(visit_id=tell.visit_id, at=tell.chain.now))


@given("(changes|no changes) attested")
def _(tell: Telling, what: str) -> None:
    tell.scheduling(s.AttestDay(visit_id=tell.visit_id, changes=what == "changes", attested_by="nurse-1", at=tell.chain.now))


@given("treated on <day>(?: with <name>)?")
def _(tell: Telling, day: str, modality: str | None) -> None:
    tell.when(day, "10:00")
    ids = {
        "treatment_id": str(tell.new_id()), "patient_id": str(PATIENT_ID), "clinic_id": str(CLINIC), "on": day, "time_zone": ZONE,
        "modality": modality or "nafl_1550", **({"visit_id": str(tell.visit_id)} if tell.visit_id else {}),
    }  # fmt: skip
    for fact in ("treatment-started", "treatment-ended"):
        contract = json.loads((CONTRACTS / f"{fact}.v1.json").read_text())
        tell.chain.say(f"erbium.device-telemetry.{fact}", json.dumps({**contract["example"], **ids}).encode())


# --- what is asked


@asked("may the laser be on <day>\\?")
def _(tell: Telling, day: str) -> Told:
    try:
        return _of_decision(tell.request(day))
    except Rejected as refusal:
        return said_of(refusal), []


@asked("what do the rules say of <name> on <day>\\?")
def _(tell: Telling, modality: str, day: str) -> Told:
    found = tell.assessed(modality, day)
    return _in_words(found.outcome, found.until), _named(found.reasons)


@asked("may (the doctor|the front desk) override <name>(?: for <name>)?\\?")
def _(tell: Telling, who: str, rule_id: str, modality: str | None) -> Told:
    by, role = (DOCTOR, "doctor") if who == "the doctor" else (NURSE, "front_desk")
    return _tried(lambda: tell.override(rule_id, modality or "nafl_1550", by=by, role=role)), [rule_id]


@asked("how does the clearance stand\\?")
def _(tell: Telling) -> Told:
    clearance = tell.clearance
    if clearance.suspension is None:
        return clearance.standing, []
    words = _in_words(clearance.suspension.outcome, clearance.suspension.earliest)
    return f"{clearance.standing}: {words}", _named(clearance.suspension.reasons)


@asked("(laser|biorevitalisation|Botox) visit on <day> at <clock>\\?")
def _(tell: Telling, kind: str, day: str, clock: str) -> Told:
    try:
        tell.visit_id = tell.book(kind, day, clock)
    except Rejected as refusal:
        return _refused(refusal)
    return _standing(tell)


@asked("laser visit moved to <day> at <clock>\\?")
def _(tell: Telling, day: str, clock: str) -> Told:
    try:
        tell.move(day, clock)
    except Rejected as refusal:
        return _refused(refusal)
    return _standing(tell)


@asked("how does the laser visit stand\\?")
def _(tell: Telling) -> Told:
    return _standing(tell)


@asked("on which days from <day> to <day> may biorevitalisation be\\?")
def _(tell: Telling, first: str, last: str) -> Told:
    day, days = date.fromisoformat(first), []
    while day <= date.fromisoformat(last):
        elsewhere = copy(tell)
        elsewhere.chain = tell.chain.copy()
        if _tried(lambda on=day, there=elsewhere: there.book("biorevitalisation", on.isoformat(), "16:00")) == "granted":
            days.append(day.isoformat())
        day += timedelta(days=1)
    return ", ".join(days) or "on none", []


@asked("same day approved at <clock>\\?")
def _(tell: Telling, clock: str) -> Told:
    tell.when(tell.act().today.isoformat(), clock)
    return _tried(lambda: tell.scheduling(s.ApproveSameDay(visit_id=tell.visit_id, approved_by="doctor-1", at=tell.chain.now))), []


@asked("check in at <clock>\\?")
def _(tell: Telling, clock: str) -> Told:
    tell.when(tell.act().today.isoformat(), clock)
    return _tried(lambda: tell.scheduling(s.CheckIn(visit_id=tell.visit_id, at=tell.chain.now))), []


@asked("treat with (\\d+) mJ and (\\d+) MTZ/cm2\\?")
def _(tell: Telling, energy_mj: str, density: str) -> Told:
    try:
        tell.settings(energy_mj, density)
    except Rejected as refusal:
        limits = refusal.facts.get("limits")
        return said_of(refusal), [str(limit) for limit in limits] if isinstance(limits, list) else []
    return "granted", []


@asked("on <day> the patient tells aftercare of ([^?]+)\\?")
def _(tell: Telling, day: str, said: str) -> Told:
    tell.when(day)
    answered = tell.tell_aftercare(said)
    return answered.level, list(answered.signs)


# --- in words


def _tried(do: Callable[[], Any]) -> str:
    try:
        do()
    except Rejected as refusal:
        return said_of(refusal)
    return "granted"


def _refused(refusal: Rejected) -> Told:
    earliest, reasons = refusal.facts.get("earliest"), refusal.facts.get("reasons")
    when = f"earliest {earliest}" if earliest else "date open"
    return f"refused, {when}", _unversioned(reasons if isinstance(reasons, list) else [])


def _of_decision(decided: Any) -> Told:
    match type(decided).__name__:
        case "ClearanceGranted":
            return "CLEARED", []
        case "ClearanceDeferred":
            return _in_words("DEFERRED", decided.until), _named(decided.reasons)
        case _:
            return _in_words(decided.outcome, decided.until), _named(decided.reasons)


def _in_words(outcome: str, day: date | None) -> str:
    if outcome == "DEFERRED":
        return f"DEFERRED until {day}" if day else "DEFERRED, date open"
    if outcome == "INELIGIBLE":
        return "INELIGIBLE, no date"
    return f"{outcome}, earliest {day}" if day else outcome


def _named(reasons: Iterable[Any]) -> list[str]:
    return [f"{reason.rule_id} until {reason.earliest}" if reason.earliest else reason.rule_id for reason in reasons]


def _unversioned(reasons: Iterable[Any]) -> list[str]:
    return [re.sub(r" v\d+$", "", str(reason)) for reason in reasons]


def _standing(tell: Telling) -> Told:
    standing = tell.itinerary.visits[tell.visit_id].standing
    if isinstance(standing, Frozen):
        earliest = f", earliest {standing.earliest}" if standing.earliest else ", date open"
        return f"frozen, {standing.cause}{earliest}", _unversioned(standing.rules)
    return ("firm" if isinstance(standing, Firm) else "provisional"), []
