"""The documented examples of treatments: a face at 40 mJ, type IV, 456 MTZ per cm2 (23.1 %)."""

from typing import Any

TREATMENT_ID = "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9f01"
BOOT_ID = "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b01"
CLEARANCE_ID = "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9e01"
VISIT_ID = "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9a01"
PATIENT_ID = "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9a02"
DEVICE_ID = "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9d01"
CLINIC_ID = "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9c01"

OPEN: dict[str, Any] = {
    "treatment_id": TREATMENT_ID,
    "clearance_id": CLEARANCE_ID,
    "visit_id": VISIT_ID,
    "device_id": DEVICE_ID,
    "zones": [{"zone": "face", "area_cm2": 300.0, "planned_mtz": 136800, "energy_mj_per_mtz": 40.0}],
    "attest_stale_screening": False,
}
IDS = {
    "treatment_id": TREATMENT_ID, "patient_id": PATIENT_ID, "visit_id": VISIT_ID, "clearance_id": CLEARANCE_ID,
    "clinic_id": CLINIC_ID, "device_id": DEVICE_ID, "modality": "nafl_1550", "on": "2026-03-20",
}  # fmt: skip
OPENED: dict[str, Any] = IDS | {
    "time_zone": "Europe/Madrid",
    "plan": [{"zone": "face", "area_cm2": 300.0, "planned_mtz": 136800, "energy_mj_per_mtz": 40.0}],
    "limits": {
        "energy_mj_per_mtz_min": 4.0, "energy_mj_per_mtz_max": 70.0, "density_mtz_per_cm2_max": 2500.0,
        "coverage_percent_max": 23.0, "passes_max": 8,
    },
    "grid_cell_mm": 10.0,
    "screening_age_seconds": 4.2,
    "screening_attested_by": None,
}  # fmt: skip
END = {"finals": [{"boot_id": BOOT_ID, "last_seq": 7999}]}
ABORT = {"cause": "patient_wish", "finals": [{"boot_id": BOOT_ID, "last_seq": 4100}]}
PHASE = {"treatment_id": TREATMENT_ID, "phase": "ended", "version": 3}
TOTALS = {
    "zone": "face", "mtz_count": 136000, "energy_j": 5440.0, "area_cm2": 300.0, "density_mtz_per_cm2": 453.3,
    "coverage_percent": 23.01, "planned_mtz": 136800,
}  # fmt: skip
TREATMENT: dict[str, Any] = OPENED | {
    "phase": "ended",
    "version": 3,
    "started_at": "2026-03-20T10:31:00Z",
    "ended_at": "2026-03-20T10:46:12Z",
    "totals": [TOTALS],
    "provisional": True,
    "gaps_open": 1,
    "gaps": [{"boot_id": BOOT_ID, "first_seq": 4000, "last_seq": 4049}],
    "missing_frames": 50,
    "holds": [],
    "closed_zones": [],
}
LISTED = IDS | {
    "zones": ["face"], "phase": "ended", "opened_at": "2026-03-20T10:30:00Z", "started_at": "2026-03-20T10:31:00Z",
    "ended_at": "2026-03-20T10:46:12Z",
}  # fmt: skip
HEADER = (
    f'{{"v":1,"treatment_id":"{TREATMENT_ID}","device_id":"{DEVICE_ID}","boot_id":"{BOOT_ID}",'
    '"first_seq":0,"sent_device_ms":1300,"grid_cell_mm":10.0}'
)
FRAMES = f'{HEADER}\n[0,1000,"face",1,40.0,39.8,17,0,0,true,31.5,0]\n[1,1100,"face",1,40.0,40.1,17,0,1,true,31.6,0]\n'
ANSWER: dict[str, Any] = {
    "accepted": 2,
    "duplicate": 0,
    "rejected": [],
    "next_expected": {"boot_id": BOOT_ID, "seq": 2},
    "gaps": [],
    "command": None,
    "reasons": [],
    "closed_zones": [],
    "server_time": "2026-03-20T10:31:00.250000Z",
}
