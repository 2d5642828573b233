"""The stage: a chain with two clinics in two time zones, rooms, a doctor, a nurse, a laser in each."""

import uuid
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from erbium.journey.clinic import Clinic, Reply

MADRID = "Europe/Madrid"
LAS_PALMAS = "Atlantic/Canary"
EVERY_DAY = [{"weekday": day, "opens": "08:00", "closes": "20:00"} for day in range(1, 8)]
LASER_MODEL = "ef-1550"
MODALITY = "nafl_1550"
MONDAY_MORNING = time(9, 0)


@dataclass(frozen=True, slots=True)
class Place:
    """One clinic with what a visit needs."""

    clinic_id: uuid.UUID
    name: str
    time_zone: str
    room_id: uuid.UUID
    device_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Setting:
    """Both clinics, and who works in them (opaque ids)."""

    madrid: Place
    las_palmas: Place
    doctor_id: uuid.UUID
    nurse_id: uuid.UUID


def next_monday_morning(now: datetime) -> datetime:
    """09:00 on the wall in Madrid, on the Monday after `now`."""
    day = now.astimezone(ZoneInfo(MADRID)).date()
    monday = day + timedelta(days=7 - day.weekday())
    return datetime.combine(monday, MONDAY_MORNING, tzinfo=ZoneInfo(MADRID))


def set_the_stage(clinic: Clinic) -> Setting:
    """Registers clinics, rooms, staff and lasers, and waits until the lasers are known to scheduling."""
    places = [_open(clinic, name, zone) for name, zone in (("Madrid Centro", MADRID), ("Las Palmas", LAS_PALMAS))]
    doctor_id, nurse_id = clinic.who("doctor"), clinic.who("nurse")
    for person, kinds, modalities in (
        (doctor_id, ["consultation", "follow_up", "biorevitalisation"], []),
        (nurse_id, ["laser", "biorevitalisation"], [MODALITY]),
    ):
        licence = {"visit_kinds": kinds, "modalities": modalities, "licensed_until": None, "working_hours": EVERY_DAY}
        first, second = places
        added = clinic.post(
            "scheduling",
            "/v1/practitioners",
            {"practitioner_id": str(person), "clinic_id": str(first.clinic_id), **licence},
            role="medical_director",
        )
        clinic.post(
            "scheduling",
            f"/v1/practitioners/{person}/licences",
            {"clinic_id": str(second.clinic_id), **licence},
            role="medical_director",
            if_match=added.etag,
        )
    return Setting(madrid=places[0], las_palmas=places[1], doctor_id=doctor_id, nurse_id=nurse_id)


def _open(clinic: Clinic, name: str, zone: str) -> Place:
    clinic_id = clinic.clinics[0 if zone == MADRID else 1]
    opened = clinic.post(
        "scheduling",
        "/v1/clinics",
        {"clinic_id": str(clinic_id), "name": name, "time_zone": zone, "opening_hours": EVERY_DAY},
        role="medical_director",
    )
    room_id = uuid.uuid4()
    clinic.post(
        "scheduling",
        f"/v1/clinics/{clinic_id}/rooms",
        {"room_id": str(room_id), "label": "Laser 1", "laser_ready": True},
        role="medical_director",
        if_match=opened.etag,
    )
    clinic.get("screening", "/v1/patients", role="front_desk", after=opened.message)  # patients are registered at a clinic it knows
    device_id = _laser(clinic, clinic_id)
    return Place(clinic_id, name, zone, room_id, device_id)


def _laser(clinic: Clinic, clinic_id: uuid.UUID) -> uuid.UUID:
    device_id = uuid.uuid4()
    serial = f"EF-{device_id.hex[:8].upper()}"
    registered: Reply = clinic.post(
        "device_telemetry",
        "/v1/devices",
        {"device_id": str(device_id), "serial": serial, "model": LASER_MODEL},
        role="laser_safety_officer",
    )
    claimed = clinic.post(
        "device_telemetry",
        f"/v1/devices/{device_id}/claim",
        {"clinic_id": str(clinic_id)},
        role="laser_safety_officer",
        expect=200,
        if_match=registered.etag,
    )
    clinic.get("scheduling", f"/v1/lasers/{device_id}", role="front_desk", after=claimed.message)
    return device_id
