"""The ids and values of the documented examples; the tests post them in this order."""

from typing import Any

CLINIC_ID = "01990000-0000-7000-8000-0000000000c1"
ROOM_ID = "01990000-0000-7000-8000-0000000000c2"
PRACTITIONER_ID = "01990000-0000-7000-8000-0000000000b1"
DEVICE_ID = "01990000-0000-7000-8000-0000000000d1"
PATIENT_ID = "01990000-0000-7000-8000-0000000000a1"
CLEARANCE_ID = "01990000-0000-7000-8000-0000000000e1"
HOLD_ID = "01990000-0000-7000-8000-0000000000f1"
SPARE_HOLD_ID = "01990000-0000-7000-8000-0000000000f2"

EVERY_DAY = [{"weekday": day, "opens": "08:00", "closes": "20:00"} for day in range(1, 8)]

CLINIC: dict[str, Any] = {
    "clinic_id": CLINIC_ID,
    "name": "Mitte",
    "time_zone": "Europe/Berlin",
    "opening_hours": EVERY_DAY,
    "rooms": [{"room_id": ROOM_ID, "label": "Laser 1", "laser_ready": True}],
    "version": 2,
}
LICENCE: dict[str, Any] = {
    "clinic_id": CLINIC_ID,
    "visit_kinds": ["consultation", "laser"],
    "modalities": ["nafl_1550"],
    "licensed_until": "2027-12-31",
    "working_hours": EVERY_DAY,
}
LASER: dict[str, Any] = {
    "device_id": DEVICE_ID,
    "clinic_id": CLINIC_ID,
    "model": "Erfrac 1550",
    "modalities": ["nafl_1550"],
}
WANTED: dict[str, Any] = {"kind": "laser", "modality": "nafl_1550", "zones": ["face"]}
PLACE: dict[str, Any] = {
    "clinic_id": CLINIC_ID,
    "practitioner_id": PRACTITIONER_ID,
    "room_id": ROOM_ID,
    "device_id": DEVICE_ID,
}
HOLD_BODY: dict[str, Any] = {"hold_id": HOLD_ID, **WANTED, **PLACE, "starts_at": "2026-03-04T10:30:00Z"}
MOVE_BODY: dict[str, Any] = {**PLACE, "starts_local": "2026-03-04T12:00"}
SLOT: dict[str, Any] = {
    **PLACE,
    "time_zone": "Europe/Berlin",
    "on": "2026-03-04",
    "starts_at": "2026-03-04T10:30:00Z",
    "ends_at": "2026-03-04T11:45:00Z",
}
HOLD: dict[str, Any] = {
    "hold_id": HOLD_ID,
    "patient_id": PATIENT_ID,
    **WANTED,
    **SLOT,
    "status": "open",
    "expires_at": "2026-03-04T09:55:00Z",
}
VISIT: dict[str, Any] = {
    "visit_id": HOLD_ID,
    "patient_id": PATIENT_ID,
    "patient_name": None,
    **WANTED,
    **SLOT,
    "standing": "firm",
    "cause": None,
    "until": None,
    "clearance_id": CLEARANCE_ID,
    "rules": [],
    "earliest": None,
    "checked_in": False,
    "changes": None,
    "same_day_approved": False,
    "version": 5,
}
