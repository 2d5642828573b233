"""The words that bodies are made of, spelled out for the API description; a test holds them against the rulebook."""

from typing import Annotated, Literal

from pydantic import Field

Modality = Literal["nafl_1550", "nafl_1927", "afl_2940", "afl_10600", "co2_full_field"]
Zone = Literal["face", "forehead", "cheeks", "nose", "perioral", "periorbital", "eyelid", "neck", "chest", "hands"]
ProcedureKind = Literal[
    "peel_superficial", "peel_medium", "peel_deep", "peel_unknown", "dermabrasion", "botulinum_toxin", "filler_ha", "filler_other",
    "filler_permanent", "filler_unknown", "biorevitalisation", "waxing",
]  # fmt: skip
Question = Literal[
    "pregnancy", "cold_sore_now", "cold_sore_history", "isotretinoin", "sun_exposure", "keloid_tendency", "peeling", "botulinum_toxin",
    "filler", "biorevitalisation", "waxing",
]  # fmt: skip
AnswerValue = Literal[
    "no", "yes", "none", "never", "possibly", "pregnant", "ended", "healed", "taking", "stopped", "exposed",
]  # fmt: skip
FindingWord = Literal["herpes_active", "tanned", "keloid_scar"]
Indication = Literal[
    "PHOTO_FACE", "PHOTO_NONFACE", "HANDS", "RHYT_PERIORB", "EYELID_LAX", "RHYT_PERIORAL", "PHOTO_AFL", "ACNE_SCAR", "ACNE_SCAR_AFL",
    "SURG_SCAR", "BURN_HYP_SCAR", "STRIAE", "MELASMA", "LENTIGO", "PIH_TREAT", "AK_FIELD", "POIKILODERMA", "HYPO_SCAR", "PORES_TEXTURE",
]  # fmt: skip
RuleId = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,39}$", description="The id of a row of the rulebook, as reasons name it.")]
Zones = Annotated[list[Zone], Field(max_length=10, description="Of the tree face > forehead, …, periorbital > eyelid; neck; chest; hands.")]
