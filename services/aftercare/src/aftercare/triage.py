"""From a patient's answers to a level: the signs they show on that day, and the worst of them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from aftercare.rules import LEVELS, Level, Limits, Rules

Trend = Literal["better", "same", "worse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the patient says. Units: pain 0-10, fever in degrees Celsius (None = not measured). All questions are always asked."""

    pain_0_to_10: int = 0
    pain_trend: Trend = "better"
    redness: bool = False
    redness_trend: Trend = "better"
    swelling: bool = False
    eye_swollen_shut: bool = False
    blisters: bool = False
    grouped_sores: bool = False
    pus_or_yellow_crust: bool = False
    fever_celsius: float | None = None
    spreading_redness: bool = False
    confusion: bool = False
    open_areas: bool = False
    oozing: bool = False
    crusts: bool = False
    flaking: bool = False
    new_pigment_patches: bool = False
    firm_or_raised_lines: bool = False
    acne_like_spots: bool = False
    itching_rash: bool = False
    missed_antiviral: bool = False
    breathing_trouble: bool = False
    face_or_tongue_swelling: bool = False
    vision_loss_or_severe_eye_pain: bool = False
    seizure: bool = False
    anaesthetic_poisoning_signs: bool = False


def triage(rules: Rules, answers: Answers, day: int) -> tuple[Level, tuple[str, ...]]:
    """The worst level and all signs, by name. Units: `day` after treatment. Source: domain.md section 7, Triage."""
    found = tuple(sorted(signs(rules.limits, answers, day)))
    levels = [level for level in LEVELS if rules.triage[level].signs & set(found)]
    return (levels[-1] if levels else "GREEN"), found


def signs(limits: Limits, answers: Answers, day: int) -> Iterator[str]:
    """Every sign that these answers show on that day."""
    yield from _emergency(limits, answers)
    yield from _same_day(limits, answers, day)
    yield from _outside_expected_course(limits, answers, day)


def _emergency(limits: Limits, answers: Answers) -> Iterator[str]:
    if answers.anaesthetic_poisoning_signs:
        yield "LAST_SIGNS"
    if answers.breathing_trouble:
        yield "BREATHING_TROUBLE"
    if answers.face_or_tongue_swelling:
        yield "FACE_OR_TONGUE_SWELLING"
    if answers.vision_loss_or_severe_eye_pain:
        yield "VISION_LOSS_OR_SEVERE_EYE_PAIN"
    if answers.seizure:
        yield "SEIZURE"
    if _fever(answers) >= limits.fever_red_celsius and (answers.spreading_redness or answers.confusion):
        yield "HIGH_FEVER_WITH_SPREADING_REDNESS_OR_CONFUSION"


def _same_day(limits: Limits, answers: Answers, day: int) -> Iterator[str]:
    if answers.grouped_sores:
        yield "GROUPED_VESICLES"
    if answers.pus_or_yellow_crust:
        yield "PUS_OR_YELLOW_CRUST"
    if answers.blisters:
        yield "NEW_BLISTER"
    if answers.pain_trend == "worse" and day >= limits.pain_rising_from_day:
        yield "PAIN_RISING_AFTER_48_H"
    if _fever(answers) >= limits.fever_amber_celsius:
        yield "FEVER"
    if answers.eye_swollen_shut:
        yield "EYE_SWOLLEN_SHUT"
    if answers.open_areas:
        yield "OPEN_AREA"
    if answers.firm_or_raised_lines:
        yield "FIRM_RIDGE"


def _outside_expected_course(limits: Limits, answers: Answers, day: int) -> Iterator[str]:
    """Why: any answer outside that day's expected course that no higher level names is YELLOW."""
    if answers.redness and day > limits.redness_review_after_day:
        yield "REDNESS_PAST_REVIEW"
    elif answers.redness and day > limits.redness_flag_after_day:
        yield "REDNESS_FLAG"
    if (answers.redness_trend == "worse" and day > limits.worsening_expected_to_day) or answers.spreading_redness or answers.confusion:
        yield "GETTING_WORSE"
    if answers.swelling and day > limits.swelling_expected_to_day:
        yield "SWELLING_PAST_EXPECTED"
    if answers.flaking and day > limits.flaking_expected_to_day:
        yield "FLAKING_PAST_EXPECTED"
    if answers.crusts and day > limits.crust_expected_to_day:
        yield "CRUST_PAST_EXPECTED"
    if answers.pain_0_to_10 >= limits.strong_pain:
        yield "STRONG_PAIN"
    named = {
        "OOZING": answers.oozing,
        "ACNEIFORM": answers.acne_like_spots,
        "ITCHING_RASH": answers.itching_rash,
        "NEW_PATCH_OF_PIGMENT": answers.new_pigment_patches,
        "MISSED_ANTIVIRAL": answers.missed_antiviral,
    }
    yield from (sign for sign, shown in named.items() if shown)


def _fever(answers: Answers) -> float:
    return answers.fever_celsius or 0.0
