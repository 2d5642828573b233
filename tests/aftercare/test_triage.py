"""The triage table, row by row, and its one law: the worst sign wins."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftercare.rules import LEVELS
from aftercare.triage import Answers, signs, triage
from tests.aftercare.making import RULES


@pytest.mark.parametrize(
    ("day", "shown", "level", "sign"),
    [
        (0, {"anaesthetic_poisoning_signs": True}, "RED", "LAST_SIGNS"),
        (1, {"breathing_trouble": True}, "RED", "BREATHING_TROUBLE"),
        (1, {"face_or_tongue_swelling": True}, "RED", "FACE_OR_TONGUE_SWELLING"),
        (1, {"vision_loss_or_severe_eye_pain": True}, "RED", "VISION_LOSS_OR_SEVERE_EYE_PAIN"),
        (1, {"seizure": True}, "RED", "SEIZURE"),
        (2, {"fever_celsius": 39.0, "spreading_redness": True}, "RED", "HIGH_FEVER_WITH_SPREADING_REDNESS_OR_CONFUSION"),
        (2, {"fever_celsius": 39.0}, "AMBER", "FEVER"),
        (2, {"fever_celsius": 38.0}, "AMBER", "FEVER"),
        (1, {"blisters": True}, "AMBER", "NEW_BLISTER"),
        (3, {"grouped_sores": True}, "AMBER", "GROUPED_VESICLES"),
        (3, {"pus_or_yellow_crust": True}, "AMBER", "PUS_OR_YELLOW_CRUST"),
        (2, {"pain_trend": "worse"}, "AMBER", "PAIN_RISING_AFTER_48_H"),
        (1, {"eye_swollen_shut": True}, "AMBER", "EYE_SWOLLEN_SHUT"),
        (1, {"open_areas": True}, "AMBER", "OPEN_AREA"),
        (20, {"firm_or_raised_lines": True}, "AMBER", "FIRM_RIDGE"),
        (15, {"redness": True}, "YELLOW", "REDNESS_PAST_REVIEW"),
        (5, {"redness": True}, "GREEN", "REDNESS_FLAG"),
        (3, {"oozing": True}, "YELLOW", "OOZING"),
        (9, {"acne_like_spots": True}, "YELLOW", "ACNEIFORM"),
        (9, {"itching_rash": True}, "YELLOW", "ITCHING_RASH"),
        (20, {"new_pigment_patches": True}, "YELLOW", "NEW_PATCH_OF_PIGMENT"),
        (1, {"missed_antiviral": True}, "YELLOW", "MISSED_ANTIVIRAL"),
        (12, {"swelling": True}, "YELLOW", "SWELLING_PAST_EXPECTED"),
        (11, {"crusts": True}, "YELLOW", "CRUST_PAST_EXPECTED"),
    ],
)
def test_sign(day: int, shown: dict[str, Any], level: str, sign: str) -> None:
    """Each sign of the table leads to its level on its days."""
    found_level, found = triage(RULES, Answers(**shown), day)
    assert (found_level, sign in found) == (level, True)


@pytest.mark.parametrize(
    ("day", "shown"), [(4, {"redness": True}), (1, {"swelling": True}), (10, {"crusts": True}), (1, {"pain_trend": "worse"})]
)
def test_expected_course(day: int, shown: dict[str, Any]) -> None:
    """What that day's course expects is GREEN and shows no sign."""
    assert triage(RULES, Answers(**shown), day) == ("GREEN", ())


def test_below_fever() -> None:
    """37.9 degrees are no fever."""
    assert triage(RULES, Answers(fever_celsius=37.9), 1) == ("GREEN", ())


ANSWERS = st.builds(
    Answers,
    **{field.name: st.booleans() for field in fields(Answers) if field.type is bool or field.type == "bool"},
    pain_0_to_10=st.integers(0, 10),
    pain_trend=st.sampled_from(["better", "same", "worse"]),
    fever_celsius=st.none() | st.floats(35, 41),
)


@given(ANSWERS, st.integers(0, 60))
def test_worst_sign_wins(answers: Answers, day: int) -> None:
    """The level is that of the worst sign shown, and every sign stands in the table under one level."""
    level, found = triage(RULES, answers, day)
    of_sign = {sign: name for name in LEVELS for sign in RULES.triage[name].signs}
    assert set(found) == set(signs(RULES.limits, answers, day)) <= of_sign.keys()
    assert level == max((of_sign[sign] for sign in found), key=LEVELS.index, default="GREEN")
