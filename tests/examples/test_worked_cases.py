"""The worked cases of the clinical reference that screening decides, one row each: its number, what happened, what must be said."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from erbium_kernel.errors import Rejected
from screening.patient import commands as c
from tests.screening.story import CLINIC, NURSE, Story, act, at, id_of, reasons, rulebook, said

FULL_FIELD = "co2_full_field"


@dataclass(frozen=True)
class Case:
    """One row. `said` maps each question to what is said; `rules` names the open reasons of the last one, with their dates."""

    number: str
    what: str
    tell: Callable[[], list[Any]]
    expected: list[str]
    rules: dict[str, str | None] | None = None


def patient(day: str, *, skin_type: str = "II", born: str = "1986-05-05", policy: str = "consensus_2017", **answers: Any) -> Story:
    """An adult of type II who was examined and asked everything on this day."""
    return Story(rulebook(policy), born=born).examined(day, skin_type).answered(day, **answers)


def attested_cold_sore() -> list[Any]:
    """Case 12: cleared; on arrival a cold sore."""
    story = patient("2026-03-20")
    story.cleared("2026-03-20")
    attested = c.NoteChanges(
        clinic_id=CLINIC, attestation_id=id_of("attestation"), visit_id=id_of("visit"),
        attested_on=at("2026-03-25").date(), attested_at=at("2026-03-25", "09:00"),
    )  # fmt: skip
    suspended = [type(event).__name__ for event in story.do(attested)]
    story.answered_only("2026-03-25", "09:05", cold_sore_now="yes")
    return [suspended[-1], story.clearance.standing, story.asks("2026-03-25")]


def late_filler() -> list[Any]:
    """Case 20: cleared, then a filler is reported that lies before the clearance."""
    story = patient("2026-03-20")
    story.cleared("2026-03-20")
    story.reported("filler_ha", "2026-03-12", "face", day="2026-03-21")
    return [story.clearance.standing, f"earliest {story.clearance.suspension.earliest}", story.asks("2026-03-22")]


def isotretinoin(policy: str, *, modality: str = "nafl_1550", override: bool = False) -> list[Any]:
    """Cases 13 to 15: stopped on 2026-02-21, laser on 2026-06-01, which is day 100."""
    story = patient("2026-05-30", policy=policy, isotretinoin=("stopped", "2026-02-21"))
    told: list[Any] = [story.asks("2026-06-01", modality)]
    if override:
        told.append(refused(lambda: story.overridden("2026-05-30", "ISOTRETINOIN", expires="2026-06-20", modality=modality)))
        told.append(story.asks("2026-06-01", modality))
    return told


def tan_overridden_by(role: str) -> list[Any]:
    """Case 17: who may override a recent tan."""
    story = patient("2026-03-20", sun_exposure=("exposed", "2026-03-12"))
    who = act("2026-03-20", "10:30", by=NURSE, roles=[role]) if role != "doctor" else act("2026-03-20", "10:30")
    return [refused(lambda: story.overridden("2026-03-20", "RECENT_TAN", expires="2026-04-10", act=who)), story.asks("2026-03-20")]


def overridden_filler() -> list[Any]:
    """Case 16: the doctor who examined tries to override the seed's window."""
    story = patient("2026-03-20").reported("filler_ha", "2026-03-10", "face", day="2026-03-19")
    return [refused(lambda: story.overridden("2026-03-20", "FILLER", expires="2026-03-30")), story.asks("2026-03-20")]


def same_day() -> list[Any]:
    """Case 18, screening's part: consultation at 10:00, cleared for the same day."""
    story = patient("2026-05-04")
    granted = story.cleared("2026-05-04")[-1]
    return [type(granted).__name__, f"valid {granted.valid_from} to {granted.valid_until}"]


def type_v() -> list[Any]:
    """Case 19: type V asks for the same day; a test spot of that day, priming begun, read without pigment change four weeks later."""
    story = patient("2026-05-04", skin_type="V")
    spot = id_of("spot")
    told = [story.asks("2026-05-04")]
    story.do(c.PlaceTestSpot(act=act("2026-05-04"), spot_id=spot, modality="nafl_1550", zone="face"))
    story.do(
        c.RecordPrecondition(act=act("2026-05-04"), precondition_id=id_of("priming"), kind="priming", starts_on=at("2026-05-05").date())
    )
    story.do(c.ReadTestSpot(act=act("2026-05-25"), spot_id=spot, reading="no_pih"))
    told.append(story.asks("2026-05-25", standing="provisional"))
    story.examined("2026-06-01", "V").answered("2026-06-01")
    return [*told, story.asks("2026-06-01")]


def old_clearance() -> list[Any]:
    """Case 30: cleared on 2026-03-01, treatment on day 30 and on day 31."""
    story = patient("2026-03-01")
    granted = story.cleared("2026-03-01")[-1]
    told = [f"valid until {granted.valid_until}", story.asks("2026-03-31"), story.asks("2026-04-01")]
    story.examined("2026-04-01").answered("2026-04-01")
    return [*told, "re-cleared" if type(story.cleared("2026-04-01")[-1]).__name__ == "ClearanceGranted" else "not re-cleared"]


def cold_sore_history() -> list[Any]:
    """Case 11: no antiviral, then one that starts on the morning of the treatment."""
    story = patient("2026-03-20", cold_sore_history="yes")
    told = [story.asks("2026-03-20")]
    antiviral = c.RecordPrecondition(
        act=act("2026-03-20"), precondition_id=id_of("antiviral"), kind="antiviral", starts_on=at("2026-03-24").date()
    )
    story.do(antiviral)
    return [*told, story.asks("2026-03-23"), story.asks("2026-03-24")]


def refused(do: Callable[[], Any]) -> str:
    """The slug of the refusal, or "done"."""
    try:
        do()
    except Rejected as refusal:
        return refusal.slug
    return "done"


def botox(laser: str) -> list[Any]:
    """Botox on the evening of 2026-03-01."""
    return [patient(laser).reported("botulinum_toxin", "2026-03-01", "face").asks(laser)]


CASES = [
    Case("1", "Botox 2026-03-01, laser 2026-03-14", lambda: botox("2026-03-14"), ["DEFERRED until 2026-03-15"], {"BOTOX": "2026-03-15"}),
    Case("2", "Botox 23:30, laser 13 d 8 h 30 min later, on day 14", lambda: botox("2026-03-15"), ["CLEARED"], {}),
    Case("3", "superficial peel 2026-03-10, laser 2026-03-23",
         lambda: [patient("2026-03-23").reported("peel_superficial", "2026-03-10", "face").asks("2026-03-23")],
         ["DEFERRED until 2026-03-24"], {"PEEL": "2026-03-24"}),
    Case("4", "deep peel 2026-01-05, laser 2026-03-20",
         lambda: [patient("2026-03-20").reported("peel_deep", "2026-01-05", "face").asks("2026-03-20")],
         ["DEFERRED until 2026-04-05"], {"PEEL": "2026-04-05"}),
    Case("5", "biorevitalisation 2026-04-01, laser 2026-04-14 / 2026-04-15",
         lambda: [(story := patient("2026-04-14").reported("biorevitalisation", "2026-04-01", "face")).asks("2026-04-14"),
                  story.asks("2026-04-15")],
         ["DEFERRED until 2026-04-15", "CLEARED"], {}),
    Case("8", "filler 03-05, UV 03-01 (type III), waxing 03-16; laser 03-18: the latest wins, the expired drops out",
         lambda: [patient("2026-03-18", skin_type="III", sun_exposure=("exposed", "2026-03-01"))
                  .reported("filler_ha", "2026-03-05", "face").reported("waxing", "2026-03-16", "face").asks("2026-03-18")],
         ["DEFERRED until 2026-03-23"], {"WAXING": "2026-03-23", "FILLER": "2026-03-19"}),
    Case("9", "pregnant and Botox 5 days ago: no date, both facts kept",
         lambda: [patient("2026-03-20", pregnancy="pregnant").reported("botulinum_toxin", "2026-03-15", "face").asks("2026-03-20")],
         ["INELIGIBLE"], {"PREGNANCY": None, "BOTOX": None}),
    Case("10", "filler on the hands yesterday, face today",
         lambda: [patient("2026-03-20").reported("filler_ha", "2026-03-19", "hands").asks("2026-03-20")], ["CLEARED"], {}),
    Case("11", "cold-sore history: an antiviral that starts on the treatment day", cold_sore_history,
         ["CONDITIONAL", "CONDITIONAL, earliest 2026-03-24", "CLEARED"], {}),
    Case("12", "cleared, cold sore on arrival", attested_cold_sore, ["ClearanceSuspended", "suspended", "DEFERRED, date open"],
         {"HSV_ACTIVE": None, "HSV_HISTORY": None}),
    Case("13", "isotretinoin stopped 100 d ago, consensus_2017: with rationale CLEARED",
         lambda: isotretinoin("consensus_2017", override=True), ["NEEDS_PHYSICIAN", "done", "CLEARED"], {}),
    Case("14", "the same, label_180", lambda: isotretinoin("label_180"), ["DEFERRED until 2026-08-20"], {"ISOTRETINOIN": "2026-08-20"}),
    Case("15", "the same, full-field CO2: override rejected",
         lambda: isotretinoin("consensus_2017", modality=FULL_FIELD, override=True),
         ["DEFERRED until 2026-08-20", "screening.not-overridable", "DEFERRED until 2026-08-20"], None),
    Case("16", "a physician overrides a filler gap of 10 d: rejected", overridden_filler,
         ["screening.seed-window-not-overridable", "DEFERRED until 2026-03-24"], {"FILLER": "2026-03-24"}),
    Case("17a", "a scheduler overrides RECENT_TAN: rejected", lambda: tan_overridden_by("front_desk"),
         ["screening.doctor-only", "DEFERRED until 2026-03-26"], {"RECENT_TAN": "2026-03-26"}),
    Case("17b", "the doctor may", lambda: tan_overridden_by("doctor"), ["done", "CLEARED"], {}),
    Case("18", "consultation 10:00, no findings: cleared for the same day", same_day,
         ["ClearanceGranted", "valid 2026-05-04 to 2026-06-03"], None),
    Case("19", "type V asks same day: a test spot and priming first", type_v,
         ["CONDITIONAL", "CONDITIONAL, earliest 2026-06-01", "CLEARED"], {}),
    Case("20", "CLEARED 03-20, then filler of 03-12 is reported", late_filler,
         ["suspended", "earliest 2026-03-26", "DEFERRED until 2026-03-26"], {"FILLER": "2026-03-26"}),
    Case("22", "17 at the consultation, 18 on the treatment date",
         lambda: [(story := patient("2026-05-01", born="2008-05-10")).asks("2026-05-01"), story.asks("2026-05-10")],
         ["INELIGIBLE", "CLEARED"], {}),
    Case("30", "clearance 2026-03-01, treatment on day 30 / day 31", old_clearance,
         ["valid until 2026-03-31", "CLEARED", "INCOMPLETE", "re-cleared"], None),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number}: {case.what}")
def test_worked_case(case: Case) -> None:
    """What the reference expects is what the rules say."""
    told = case.tell()
    assert [word if isinstance(word, str) else said(word) for word in told] == case.expected
    if case.rules is not None:
        assert reasons(told[-1]) == case.rules
