"""A physician's override: what it takes, what it never reaches, and what it covers."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from erbium_kernel.errors import Rejected
from screening.patient import refusals as r
from tests.screening.story import NURSE, Story, act, id_of, personal, rulebook

DAY = "2026-03-20"


def ready(skin_type: str = "II", born: str = "1986-05-05", **answers: Any) -> Story:
    """Examined and asked today."""
    return Story(born=born).examined(DAY, skin_type).answered(DAY, **answers)


def test_done_and_repeated() -> None:
    """The override names its grounds, clears the way, and is granted once."""
    story = ready(isotretinoin="taking")
    command = story.override(DAY, "ISOTRETINOIN", expires="2026-04-10")
    (granted,) = story.do(command)
    assert granted.grounds == ("isotretinoin=taking",)
    assert story.asks("2026-04-10").outcome == "CLEARED"
    assert story.do(command) == []
    with pytest.raises(r.IdTaken):
        story.do(replace(command, zone="nose"))


REFUSED = [
    ("by a nurse", {"act": act(DAY, "10:30", by=NURSE, roles=["nurse"])}, r.DoctorOnly),
    ("by a doctor who did not examine", {"act": act(DAY, "10:30", by=id_of("other doctor"))}, r.NotTheExaminingDoctor),
    ("with a rationale of 19 characters", {"rationale": personal("a" * 19)}, r.RationaleTooShort),
    ("with a rationale of blanks", {"rationale": personal(" " * 40)}, r.RationaleTooShort),
    ("without a mitigation", {"mitigations": ()}, r.MitigationMissing),
    ("for 31 days", {"expires_on": date(2026, 4, 20)}, r.OverrideExpiryOutOfRange),
    ("ending yesterday", {"expires_on": date(2026, 3, 19)}, r.OverrideExpiryOutOfRange),
    ("of a rule that does not exist", {"rule_id": "NO_SUCH_RULE"}, r.RuleUnknown),
    ("of an old version of the rule", {"rule_version": 2}, r.RuleUnknown),
    ("of a rule that is not in the way", {"rule_id": "RECENT_TAN"}, r.NothingToOverride),
    ("in an unknown zone", {"zone": "elbow"}, r.WordUnknown),
    ("for an unknown laser", {"modality": "torch"}, r.WordUnknown),
]


@pytest.mark.parametrize(("other", "refusal"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(other: dict[str, Any], refusal: type[Rejected]) -> None:
    """Who, how and how long: each shortfall is refused by its name."""
    story = ready(isotretinoin="taking")
    with pytest.raises(refusal):
        story.do(replace(story.override(DAY, "ISOTRETINOIN", expires="2026-03-30"), **other))


NEVER = [
    ("a seed window, 10 days after filler", ready, ("filler_ha", "2026-03-10"), "FILLER", r.SeedWindow),
    ("Botox", ready, ("botulinum_toxin", "2026-03-10"), "BOTOX", r.SeedWindow),
    ("biorevitalisation", ready, ("biorevitalisation", "2026-03-10"), "BIOREV", r.SeedWindow),
    ("a superficial peel", ready, ("peel_superficial", "2026-03-10"), "PEEL", r.SeedWindow),
    ("a deep peel after day 14", ready, ("peel_deep", "2026-02-01"), "PEEL", r.SeedWindow),
    ("a medium peel on day 13", ready, ("peel_medium", "2026-03-07"), "PEEL", r.SeedWindow),
    ("a seed row, even with nothing reported", ready, None, "BOTOX", r.SeedWindow),
    ("pregnancy", lambda: ready(pregnancy="pregnant"), None, "PREGNANCY", r.AbsoluteRule),
    ("active herpes", lambda: ready(cold_sore_now="yes"), None, "HSV_ACTIVE", r.NotOverridable),
    ("a precondition", lambda: ready(cold_sore_history="yes"), None, "HSV_HISTORY", r.PreconditionNotOverridable),
    ("type V", lambda: ready("V"), None, "FITZ_V_VI", r.PreconditionNotOverridable),
    ("an advisory", lambda: ready("IV"), None, "FITZ_IV", r.PreconditionNotOverridable),
    ("a minor without a scar", lambda: ready(born="2009-05-05"), None, "AGE_MINOR", r.AbsoluteRule),
    ("an open adverse event", ready, None, "ADVERSE_EVENT_OPEN", r.NotOverridable),
]


@pytest.mark.parametrize(("story", "reported", "rule_id", "refusal"), [row[1:] for row in NEVER], ids=[row[0] for row in NEVER])
def test_never_overridden(story: Any, reported: tuple[str, str] | None, rule_id: str, refusal: type[Rejected]) -> None:
    """Absolute rows, seed windows, rows marked N, preconditions: nobody overrides them."""
    told = story()
    if reported:
        told.reported(reported[0], reported[1], "face", day=DAY)
    before = told.asks(DAY)
    with pytest.raises(refusal):
        told.overridden(DAY, rule_id, expires="2026-04-10")
    assert told.asks(DAY) == before


@pytest.mark.parametrize(
    ("kind", "on", "until"), [("peel_medium", "2026-03-06", "2026-04-05"), ("filler_other", "2026-03-06", "2026-04-03")]
)
def test_beyond_the_seed_window(kind: str, on: str, until: str) -> None:
    """A medium peel or another filler may be overridden from day 14 on, and then no earlier day is allowed by it."""
    story = ready().reported(kind, on, "face", day=DAY)
    assert str(story.asks(DAY).until) == until
    rule = "PEEL" if kind == "peel_medium" else "FILLER"
    story.overridden(DAY, rule, expires="2026-04-10")
    assert story.asks(DAY).outcome == "CLEARED"
    assert str(story.asks("2026-03-19").until) == "2026-03-20"  # day 13, were it asked for: the window itself still stands


def test_covers_only_its_grounds() -> None:
    """Sun before the override is covered; sun after it is a new fact, and blocks again."""
    story = ready(sun_exposure=("exposed", "2026-03-12"))
    story.overridden(DAY, "RECENT_TAN", expires="2026-04-10")
    assert story.asks("2026-03-21").outcome == "CLEARED"
    story.answered_only("2026-03-22", sun_exposure=("exposed", "2026-03-21"))
    assert str(story.asks("2026-03-23").until) == "2026-04-04"


def test_covers_only_its_zone_laser_and_days() -> None:
    """An override for the cheeks clears no face, one for 1550 no 1927, and after its last day it is over."""
    story = ready(isotretinoin="taking")
    story.overridden(DAY, "ISOTRETINOIN", expires="2026-03-25", zone="cheeks")
    assert story.asks(DAY, "nafl_1550", "cheeks").outcome == "CLEARED"
    assert story.asks(DAY, "nafl_1550", "face").outcome == "NEEDS_PHYSICIAN"
    assert story.asks(DAY, "nafl_1550", "cheeks", "nose").outcome == "NEEDS_PHYSICIAN"
    assert story.asks(DAY, "nafl_1927", "cheeks").outcome == "NEEDS_PHYSICIAN"
    assert story.asks("2026-03-26", "nafl_1550", "cheeks").outcome == "NEEDS_PHYSICIAN"


def test_face_covers_its_parts() -> None:
    """An override for the face covers the cheeks."""
    story = ready(isotretinoin="taking")
    story.overridden(DAY, "ISOTRETINOIN", expires="2026-03-25")
    assert story.asks(DAY, "nafl_1550", "cheeks").outcome == "CLEARED"


def test_minor_with_a_scar() -> None:
    """A minor is overridden for a scar only, with a guardian's consent, and the override clears nothing but the scar."""
    story = ready(born="2009-05-05")
    with pytest.raises(r.MitigationMissing) as refused:
        story.overridden(DAY, "AGE_MINOR", expires="2026-04-10", indication="ACNE_SCAR", mitigations=("lower_settings",))
    assert refused.value.facts["asked_for"] == ["guardian_consent"]
    story.overridden(DAY, "AGE_MINOR", expires="2026-04-10", indication="ACNE_SCAR", mitigations=("guardian_consent",))
    assert story.asks(DAY, indication="ACNE_SCAR").outcome == "CLEARED"
    assert story.asks(DAY, indication="PHOTO_FACE").outcome == "INELIGIBLE"


def test_keloid_keeps_its_test_spot() -> None:
    """An override ends the relative part; the test spot stays a precondition."""
    story = ready(keloid_tendency="yes")
    assert story.asks(DAY).outcome == "NEEDS_PHYSICIAN"
    story.overridden(DAY, "KELOID", expires="2026-04-10")
    assert story.asks(DAY).outcome == "CONDITIONAL"
    assert rulebook().rules["KELOID"].version == 1
