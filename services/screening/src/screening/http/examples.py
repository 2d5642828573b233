"""The examples of the API description. They are one story, and they work in this order when they are posted."""

from typing import Any

PATIENT_ID = "01990000-0000-7000-8000-0000000000a1"
CLINIC_ID = "01990000-0000-7000-8000-0000000000c1"
DOCTOR_ID = "01990000-0000-7000-8000-0000000000d1"
PROCEDURE_ID = "01990000-0000-7000-8000-0000000000b1"
ANSWERS_ID = "01990000-0000-7000-8000-0000000000b2"
CONSULTATION_ID = "01990000-0000-7000-8000-0000000000b3"
SPOT_ID = "01990000-0000-7000-8000-0000000000b4"
PRECONDITION_ID = "01990000-0000-7000-8000-0000000000b5"
OVERRIDE_ID = "01990000-0000-7000-8000-0000000000b6"
CLEARANCE_ID = "01990000-0000-7000-8000-0000000000e1"
RULEBOOK_VERSION = "3f2a9c0d1b7e"

REGISTER = {
    "patient_id": PATIENT_ID, "clinic_id": CLINIC_ID, "name": "Ada Sample", "birth_date": "1986-05-05", "contact": "+34 600 000 000",
}  # fmt: skip
PATIENT = {
    "patient_id": PATIENT_ID, "clinic_id": CLINIC_ID, "name": "Ada Sample", "birth_date": "1986-05-05", "contact": "+34 600 000 000",
    "registered_on": "2026-03-03", "version": 1,
}  # fmt: skip

REPORT = {
    "clinic_id": CLINIC_ID, "procedure_id": PROCEDURE_ID, "kind": "botulinum_toxin", "zones": ["forehead"], "on": "2026-01-15",
    "certainty": "exact",
}  # fmt: skip
CORRECT = {"clinic_id": CLINIC_ID, "kind": "botulinum_toxin", "zones": ["forehead"], "on": "2026-01-16", "certainty": "exact"}
PROCEDURE = {
    "procedure_id": PROCEDURE_ID, "patient_id": PATIENT_ID, "kind": "botulinum_toxin", "zones": ["forehead"], "on": "2026-01-15",
    "certainty": "exact", "latest_plausible_on": None, "counted_on": "2026-01-15", "suspended_clearance_ids": [], "version": 2,
}  # fmt: skip
CORRECTED = {**PROCEDURE, "on": "2026-01-16", "counted_on": "2026-01-16", "version": 3}

ANSWERS: dict[str, Any] = {
    "clinic_id": CLINIC_ID,
    "answers_id": ANSWERS_ID,
    "answers": [
        {"question": "pregnancy", "value": "no"},
        {"question": "cold_sore_now", "value": "no"},
        {"question": "cold_sore_history", "value": "no"},
        {"question": "isotretinoin", "value": "taking"},
        {"question": "sun_exposure", "value": "exposed", "on": "2026-01-10", "certainty": "exact"},
        {"question": "keloid_tendency", "value": "no"},
        {"question": "peeling", "value": "no"},
        {"question": "botulinum_toxin", "value": "yes", "on": "2026-01-15", "certainty": "exact", "zones": ["forehead"]},
        {"question": "filler", "value": "no"},
        {"question": "biorevitalisation", "value": "no"},
        {"question": "waxing", "value": "no"},
    ],
}
CONSULTATION = {
    "clinic_id": CLINIC_ID,
    "consultation_id": CONSULTATION_ID,
    "skin_type": "II",
    "findings": [],
    "note": "Fine lines, cheeks.",
}
SPOT = {"clinic_id": CLINIC_ID, "spot_id": SPOT_ID, "modality": "nafl_1550", "zone": "cheeks"}
SPOT_READING = {"clinic_id": CLINIC_ID, "reading": "no_pih"}
PRECONDITION = {"clinic_id": CLINIC_ID, "precondition_id": PRECONDITION_ID, "kind": "antiviral", "starts_on": "2026-03-04"}

OVERRIDE = {
    "clinic_id": CLINIC_ID, "override_id": OVERRIDE_ID, "rule_id": "ISOTRETINOIN", "rule_version": 1, "modality": "nafl_1550",
    "zone": "face", "rationale": "Low dose, normal healing in the test spot; lower settings.", "mitigations": ["lower_settings"],
    "expires_in_days": 14,
}  # fmt: skip
GRANTED_OVERRIDE = {
    "override_id": OVERRIDE_ID, "patient_id": PATIENT_ID, "rule_id": "ISOTRETINOIN", "rule_version": 1, "modality": "nafl_1550",
    "zone": "face", "indication": None, "rationale": OVERRIDE["rationale"], "mitigations": ["lower_settings"],
    "grounds": ["isotretinoin=taking"], "doctor_id": DOCTOR_ID, "granted_on": "2026-03-03", "expires_on": "2026-03-17",
    "version": 9,
}  # fmt: skip
REQUEST = {"clinic_id": CLINIC_ID, "clearance_id": CLEARANCE_ID, "modality": "nafl_1550", "zones": ["face"], "indication": "PHOTO_FACE"}
ACT = {"clinic_id": CLINIC_ID}
REVOKE = {"clinic_id": CLINIC_ID, "note": "The patient decided against it."}
LIFT = {"clinic_id": CLINIC_ID, "rationale": "Registered by mistake; nothing was done, the patient asks for erasure."}

TRACE = [
    {
        "rule_id": "BOTOX", "rule_version": 1, "policy": None, "zone": "face", "verdict": "CLEAR", "earliest": None,
        "says": "botulinum toxin in the zone: nothing open",
        "looked_at": [{"fact": "procedure:botulinum_toxin", "value": "2026-01-15", "known_on": "2026-03-03"}],
    },
    {
        "rule_id": "ISOTRETINOIN", "rule_version": 1, "policy": "isotretinoin_policy = consensus_2017", "zone": "face",
        "verdict": "OVERRIDDEN", "earliest": None, "says": "oral isotretinoin now or less than 180 days ago",
        "looked_at": [{"fact": "answer:isotretinoin", "value": "taking", "known_on": "2026-03-03"}],
    },
]  # fmt: skip
CLEARANCE = {
    "clearance_id": CLEARANCE_ID, "patient_id": PATIENT_ID, "clinic_id": CLINIC_ID, "modality": "nafl_1550", "zones": ["face"],
    "indication": "PHOTO_FACE", "outcome": "CLEARED", "standing": "valid", "valid_from": "2026-03-03", "valid_until": "2026-03-17",
    "earliest": None, "decided_on": "2026-03-03", "decided_by": DOCTOR_ID,
    "limits": {
        "energy_mj_per_mtz_min": 2.0, "energy_mj_per_mtz_max": 100.0, "density_mtz_per_cm2_max": 4000, "coverage_percent_max": 40,
        "passes_max": 12,
    },
    "reasons": [], "missing": [], "rulebook_version": RULEBOOK_VERSION,
}  # fmt: skip
TRACED = {**CLEARANCE, "trace": TRACE}
DECIDED = {**TRACED, "version": 10}
ASSESSMENT = {
    "patient_version": 9, "outcome": "DEFERRED", "until": "2026-03-24", "not_before": None,
    "reasons": [
        {
            "rule_id": "PEEL", "rule_version": 1, "verdict": "DEFER", "zones": ["face"], "earliest": "2026-03-24",
            "says": "any peeling, chemical or mechanical: gap 13 of 14 days, until 2026-03-24", "ends": "14 days after a superficial peel",
        }
    ],
    "missing": [], "trace": TRACE, "rulebook_version": RULEBOOK_VERSION,
}  # fmt: skip
QUESTIONNAIRE = {
    "rulebook_version": RULEBOOK_VERSION,
    "questions": [
        {
            "id": "isotretinoin", "version": 1, "text": "Do you take isotretinoin, or have you ever?",
            "values": ["never", "taking", "stopped"], "dated_values": ["stopped"], "date_means": "day of the last dose",
        }
    ],
}  # fmt: skip
RETENTION = {"patient_id": PATIENT_ID, "locked": False, "because": None, "ends_on": None}
LIFTED = {**RETENTION, "version": 13}
ERASED = {"patient_id": PATIENT_ID, "erased_on": "2026-03-03", "version": 14}


def recorded(id_: str, version: int) -> dict[str, Any]:
    """The answer to a recorded fact."""
    return {"id": id_, "patient_id": PATIENT_ID, "suspended_clearance_ids": [], "version": version}
