"""The examples that the documentation shows and the tests post."""

from typing import Any

TREATMENT_ID = "01990000-0000-7000-8000-0000000000f1"
PATIENT_ID = "01990000-0000-7000-8000-0000000000a1"
CLINIC_ID = "01990000-0000-7000-8000-0000000000c1"
ADVERSE_EVENT_ID = "01990000-0000-7000-8000-0000000000e1"

SUMMARY: dict[str, Any] = {
    "treatment_id": TREATMENT_ID,
    "patient_id": PATIENT_ID,
    "clinic_id": CLINIC_ID,
    "modality": "nafl_1550",
    "treated_on": "2026-04-15",
    "basis": "completed",
    "level": "AMBER",
}
PLAN: dict[str, Any] = {
    **SUMMARY,
    "patient_name": "Anna Example",
    "rules_version": 1,
    "instructions": [
        {"id": "HEAT", "text": "No sauna, steam, hot tub, or hot shower on the face.", "starts_on": "2026-04-15", "ends_on": "2026-04-22"}
    ],
    "version": 3,
}
CHECK_IN: dict[str, Any] = {"day": 1, "opened_on": "2026-04-16", "answered_on": "2026-04-16", "level": "AMBER", "signs": ["NEW_BLISTER"]}
ANSWERS: dict[str, Any] = {
    "pain_0_to_10": 3,
    "pain_trend": "same",
    "redness": True,
    "redness_trend": "same",
    "swelling": True,
    "eye_swollen_shut": False,
    "blisters": True,
    "grouped_sores": False,
    "pus_or_yellow_crust": False,
    "fever_celsius": None,
    "spreading_redness": False,
    "confusion": False,
    "open_areas": False,
    "oozing": False,
    "crusts": False,
    "flaking": False,
    "new_pigment_patches": False,
    "firm_or_raised_lines": False,
    "acne_like_spots": False,
    "itching_rash": False,
    "missed_antiviral": False,
    "breathing_trouble": False,
    "face_or_tongue_swelling": False,
    "vision_loss_or_severe_eye_pain": False,
    "seizure": False,
    "anaesthetic_poisoning_signs": False,
    "words": "Two small blisters on the left cheek since this morning.",
}
TRIAGE: dict[str, Any] = {
    "treatment_id": TREATMENT_ID,
    "day": 1,
    "level": "AMBER",
    "signs": ["NEW_BLISTER"],
    "action": "A doctor will contact you within 60 minutes and see you today.",
    "worst_level": "AMBER",
    "open_adverse_event_ids": [ADVERSE_EVENT_ID],
    "version": 5,
}
ADVERSE_EVENT: dict[str, Any] = {
    "adverse_event_id": ADVERSE_EVENT_ID,
    "treatment_id": TREATMENT_ID,
    "patient_id": PATIENT_ID,
    "clinic_id": CLINIC_ID,
    "level": "AMBER",
    "signs": ["NEW_BLISTER"],
    "opened_on": "2026-04-16",
    "closed_on": None,
}
CLOSED: dict[str, Any] = {"treatment_id": TREATMENT_ID, "open_adverse_event_ids": [], "version": 6}
