"""Scheduling as a front desk meets it: over HTTP, on a real database, with what other services say coming in between."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from scheduling.http import examples
from tests.house import House
from tests.stored_events import check_rebuilt_is_the_same

PATIENT = "01990000-0000-7000-8000-0000000000a1"
OTHER = "01990000-0000-7000-8000-0000000000a2"
CLINIC, DOCTOR, ROOM, DEVICE = examples.CLINIC_ID, examples.PRACTITIONER_ID, examples.ROOM_ID, examples.DEVICE_ID
NEW_YORK = "01990000-0000-7000-8000-0000000000c8"
CLEARANCE: dict[str, Any] = {
    "clearance_id": examples.CLEARANCE_ID, "patient_id": PATIENT, "modality": "nafl_1550", "zones": ["face"],
    "examined_on": "2026-03-02", "granted_on": "2026-03-02", "valid_from": "2026-03-02", "valid_until": "2026-04-01",
}  # fmt: skip
GEL = {"kind": "biorevitalisation", "zones": ["face"]}
ALWAYS = [{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(1, 8)]


@pytest.fixture
async def clinic(house: House) -> House:
    """Two clinics with a room, a doctor and (in Berlin) a laser each; two patients, one of them cleared."""
    for clinic_id, zone in ((CLINIC, "Europe/Berlin"), (NEW_YORK, "America/New_York")):
        body = {"clinic_id": clinic_id, "name": zone, "time_zone": zone, "opening_hours": ALWAYS}
        assert (await house.post("/clinics", body)).status_code == 201
        room = {"room_id": room_of(clinic_id), "label": "1", "laser_ready": True}
        assert (await house.post(f"/clinics/{clinic_id}/rooms", room, if_match='"1"')).status_code == 201
        licence = {**examples.LICENCE, "clinic_id": clinic_id, "working_hours": ALWAYS, "licensed_until": None}
        kinds = ["consultation", "laser", "biorevitalisation"]
        person = {"practitioner_id": doctor_of(clinic_id), **licence, "visit_kinds": kinds}
        assert (await house.post("/practitioners", person)).status_code == 201
    await house.hear("erbium.device-telemetry.device-claimed", **examples.LASER)
    for patient in (PATIENT, OTHER):
        name = {"v": 1, "subject_id": patient, "nonce": "AAAA", "ciphertext": "AAAA"}
        await house.hear("erbium.screening.patient-registered", patient_id=patient, name=name)
    await house.hear("erbium.screening.clearance-granted", **CLEARANCE)
    await house.follow()
    return house


def room_of(clinic_id: str) -> str:
    return clinic_id.replace("0000000000c", "0000000001c")


def doctor_of(clinic_id: str) -> str:
    return clinic_id.replace("0000000000c", "0000000002c")


def slot(starts_at: str, wanted: Any, clinic_id: str = CLINIC, **changes: Any) -> dict[str, Any]:
    """A hold's body."""
    people = {"clinic_id": clinic_id, "practitioner_id": doctor_of(clinic_id), "room_id": room_of(clinic_id)}
    device = {"device_id": DEVICE} if wanted["kind"] == "laser" else {}
    return {**wanted, **people, **device, "starts_at": starts_at, **changes}


async def hold(house: House, starts_at: str, wanted: Any, patient: str = PATIENT, **changes: Any) -> httpx.Response:
    return await house.post(f"/patients/{patient}/holds", slot(starts_at, wanted, **changes))


async def booked(house: House, starts_at: str, wanted: Any, patient: str = PATIENT, **changes: Any) -> dict[str, Any]:
    held = await hold(house, starts_at, wanted, patient, **changes)
    assert held.status_code == 201, held.text
    answer = await house.post(f"/patients/{patient}/visits", {"hold_id": held.json()["hold_id"]})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def etag(house: House, patient: str = PATIENT) -> str:
    return (await house.get(f"/patients/{patient}/itinerary")).headers["etag"]


async def change(house: House, visit: str, what: str, body: Any = None, patient: str = PATIENT) -> httpx.Response:
    return await house.post(f"/patients/{patient}/visits/{visit}/{what}", body, if_match=await etag(house, patient))


LASER = examples.WANTED
TALK = {"kind": "consultation"}
NINTH = "2026-03-09T09:00:00Z"


async def test_from_the_search_to_the_treatment_room(clinic: House) -> None:
    """Find, hold, book, check in, attest: each answer leads to the next, and the day sheet shows it."""
    wanted = {"kind": "laser", "modality": "nafl_1550", "patient_id": PATIENT}
    found = await clinic.get("/slots", clinic_id=CLINIC, **wanted, **{"from": "2026-03-09", "to": "2026-03-10"})
    first = found.json()["items"][0]
    assert (first["standing"], first["on"]) == ("firm", "2026-03-09")
    people = {name: first[name] for name in ("clinic_id", "practitioner_id", "room_id", "device_id", "starts_at")}
    held = await clinic.post(f"/patients/{PATIENT}/holds", {**LASER, **people})
    assert held.status_code == 201, held.text
    visit = (await clinic.post(f"/patients/{PATIENT}/visits", {"hold_id": held.json()["hold_id"]})).json()
    assert (visit["standing"], visit["clearance_id"]) == ("firm", examples.CLEARANCE_ID)
    clinic.clock.at += timedelta(days=5)
    assert (await change(clinic, visit["visit_id"], "check-in")).json()["checked_in"] is True
    assert (await change(clinic, visit["visit_id"], "attestation", {"changes": False})).json()["changes"] is False
    await clinic.follow()
    sheet = (await clinic.get(f"/clinics/{CLINIC}/visits", on="2026-03-09")).json()["items"]
    assert [(row["visit_id"], row["checked_in"], row["standing"]) for row in sheet] == [(visit["visit_id"], True, "firm")]


async def test_what_is_taken_is_not_offered(clinic: House) -> None:
    """A booked hour, with its buffers, is gone from the search, and comes back with the cancellation."""

    async def starts() -> list[str]:
        found = await clinic.get(
            "/slots", clinic_id=CLINIC, kind="consultation", slots_max=200, **{"from": "2026-03-09", "to": "2026-03-09"}
        )
        return [item["starts_at"] for item in found.json()["items"]]

    before = await starts()
    assert NINTH in before
    visit = await booked(clinic, NINTH, TALK)
    await clinic.follow()
    gone = set(before) - set(await starts())
    assert gone == {"2026-03-09T08:30:00Z", "2026-03-09T08:45:00Z", NINTH, "2026-03-09T09:15:00Z", "2026-03-09T09:30:00Z"}
    assert (await change(clinic, visit["visit_id"], "cancellation", {"cause": "patient"})).json()["standing"] == "cancelled"
    await clinic.follow()
    assert await starts() == before


async def test_the_search_leaves_out_the_days_that_rules_forbid(clinic: House) -> None:
    """With a laser visit on the 9th, biorevitalisation is offered from the 23rd on and on no day within 14 days of it."""
    await booked(clinic, NINTH, LASER)
    wanted = {"kind": "biorevitalisation", "patient_id": PATIENT, "slots_max": 1}
    found = await clinic.get("/slots", clinic_id=CLINIC, **wanted, **{"from": "2026-03-05", "to": "2026-03-30"})
    assert [item["on"] for item in found.json()["items"]] == ["2026-03-23"]
    assert found.json()["complete"] is False


async def test_a_hold_that_expires_is_free_again(clinic: House) -> None:
    """After ten minutes the booking is refused, and once the timer has fired the slot can be held by another patient."""
    held = (await hold(clinic, NINTH, TALK)).json()
    taken = await hold(clinic, NINTH, TALK, OTHER)
    assert (taken.status_code, taken.json()["code"]) == (409, "scheduling.slot-taken")
    clinic.clock.at += timedelta(minutes=10)
    late = await clinic.post(f"/patients/{PATIENT}/visits", {"hold_id": held["hold_id"]})
    assert (late.status_code, late.json()["code"]) == (409, "scheduling.hold-gone")
    await clinic.fire()
    assert (await hold(clinic, NINTH, TALK, OTHER)).status_code == 201


async def test_a_suspension_freezes_and_time_releases(clinic: House) -> None:
    """A suspended clearance freezes its visit: no check-in; a day before the visit the slot is released and free for others."""
    visit = await booked(clinic, NINTH, LASER)
    await clinic.hear("erbium.screening.clearance-suspended", clearance_id=examples.CLEARANCE_ID, patient_id=PATIENT, earliest=None)
    await clinic.follow()
    frozen = (await clinic.get(f"/patients/{PATIENT}/visits/{visit['visit_id']}")).json()
    assert (frozen["standing"], frozen["cause"], frozen["until"]) == ("frozen", "clearance-suspended", "2026-03-08T09:00:00Z")
    assert (await hold(clinic, NINTH, TALK, OTHER)).status_code == 409
    clinic.clock.at += timedelta(days=5)
    refused = await change(clinic, visit["visit_id"], "check-in")
    assert (refused.status_code, refused.json()["code"]) == (409, "scheduling.visit-not-firm")
    await clinic.fire()
    await clinic.follow()
    over = (await clinic.get(f"/visits/{visit['visit_id']}")).json()
    assert (over["standing"], over["cause"]) == ("cancelled", "frozen-too-long")
    assert (await hold(clinic, "2026-03-09T11:00:00Z", TALK, OTHER)).status_code == 201


async def test_a_reinstatement_thaws_over_http(clinic: House) -> None:
    """Reinstated, the visit is firm again."""
    visit = await booked(clinic, NINTH, LASER)
    for fact in ("clearance-suspended", "clearance-reinstated"):
        await clinic.hear(f"erbium.screening.{fact}", clearance_id=examples.CLEARANCE_ID, patient_id=PATIENT)
        await clinic.follow()
    assert (await clinic.get(f"/patients/{PATIENT}/visits/{visit['visit_id']}")).json()["standing"] == "firm"


async def test_day_13_is_refused_and_day_14_accepted(clinic: House) -> None:
    """Biorevitalisation after a treatment: the refusal names the rule and the first legal day."""
    visit = await booked(clinic, "2026-03-04T12:00:00Z", LASER)
    await clinic.hear(
        "erbium.device-telemetry.treatment-started", treatment_id=str(uuid4()), patient_id=PATIENT, visit_id=visit["visit_id"],
        clinic_id=CLINIC, modality="nafl_1550", zones=["face"], on="2026-03-04",
    )  # fmt: skip
    await clinic.follow()
    refused = (await hold(clinic, "2026-03-17T09:00:00Z", GEL)).json()
    assert refused["code"] == "scheduling.interval-too-short"
    assert refused["facts"]["earliest"] == "2026-03-18"
    assert refused["facts"]["reasons"] == ["NAFL_1550_TO_BIOREVITALISATION v1"]
    assert (await booked(clinic, "2026-03-18T09:00:00Z", GEL))["standing"] == "firm"


async def test_a_licence_withdrawn_between_hold_and_booking_refuses(clinic: House) -> None:
    """The doctor's licence ends the day before: what is held cannot be booked any more; with the licence back it can."""
    held = (await hold(clinic, NINTH, TALK)).json()["hold_id"]
    path = f"/practitioners/{doctor_of(CLINIC)}"
    licence = {**examples.LICENCE, "working_hours": ALWAYS, "visit_kinds": ["consultation", "laser"]}
    for licensed_until, expected in (("2026-03-08", 409), (None, 201)):
        tag = (await clinic.get(path)).headers["etag"]
        changed = await clinic.post(f"{path}/licences", {**licence, "licensed_until": licensed_until}, if_match=tag)
        assert changed.status_code == 201, changed.text
        answer = await clinic.post(f"/patients/{PATIENT}/visits", {"hold_id": held})
        assert answer.status_code == expected, answer.text
        assert expected == 201 or answer.json()["code"] == "scheduling.practitioner-not-licensed"


async def test_two_clinics_race_over_http(clinic: House) -> None:
    """Berlin and New York book the two halves of a forbidden pair at once, on a real database: exactly one is booked."""
    halves = [await hold(clinic, NINTH, LASER), await hold(clinic, "2026-03-13T15:00:00Z", GEL, clinic_id=NEW_YORK)]
    answers = await asyncio.gather(*(clinic.post(f"/patients/{PATIENT}/visits", {"hold_id": half.json()["hold_id"]}) for half in halves))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len((await clinic.get(f"/patients/{PATIENT}/itinerary")).json()["visits"]) == 1


async def test_two_patients_race_over_http(clinic: House) -> None:
    """Ten desks hold the same hour for two patients at once, on a real database: exactly one gets it."""
    answers = await asyncio.gather(*(hold(clinic, NINTH, TALK, patient) for patient in (PATIENT, OTHER) * 5))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 9]


async def test_a_clinics_token_stays_at_its_clinic(clinic: House) -> None:
    """A token for New York neither holds nor cancels in Berlin."""
    visit = await booked(clinic, NINTH, TALK)
    away: dict[str, Any] = {"clinics": [NEW_YORK]}
    held = await clinic.post(f"/patients/{PATIENT}/holds", slot("2026-03-10T09:00:00Z", TALK), **away)
    path = f"/patients/{PATIENT}/visits/{visit['visit_id']}/cancellation"
    cancelled = await clinic.post(path, {"cause": "patient"}, if_match=await etag(clinic), **away)
    assert [held.json()["code"], cancelled.json()["code"]] == ["clinic-not-yours", "clinic-not-yours"]


async def test_clocks_that_jump_over_http(clinic: House) -> None:
    """A wall-clock time that does not exist is refused; one shown twice needs its fold."""
    for local, fold, status, code in (
        ("2026-03-29T02:30", None, 409, "scheduling.no-such-local-time"),
        ("2026-10-25T02:30", None, 409, "scheduling.ambiguous-local-time"),
        ("2026-10-25T02:30", 1, 201, None),
        ("2026-02-30T02:30", None, 422, "request-invalid"),
    ):
        body = {**slot("", TALK), "starts_local": local, "fold": fold}
        del body["starts_at"]
        answer = await clinic.post(f"/patients/{PATIENT}/holds", body)
        assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text


async def test_an_erased_patient_is_gone(clinic: House) -> None:
    """After PatientErased the visits are cancelled, the itinerary is not found, and no read table keeps the name."""
    visit = await booked(clinic, NINTH, TALK)
    await clinic.hear("erbium.screening.patient-erased", patient_id=PATIENT)
    await clinic.follow()
    assert (await clinic.get(f"/patients/{PATIENT}/itinerary")).status_code == 404
    assert (await hold(clinic, "2026-03-10T09:00:00Z", TALK)).json()["code"] == "person-erased"
    found = (await clinic.get(f"/visits/{visit['visit_id']}")).json()
    assert (found["standing"], found["patient_name"]) == ("cancelled", None)
    assert (await hold(clinic, NINTH, TALK, OTHER)).status_code == 201


async def test_rebuilt_tables_are_the_same(clinic: House) -> None:
    """Read tables emptied and followed again from the log's beginning hold the same rows."""
    await booked(clinic, NINTH, LASER)
    await clinic.follow()
    await check_rebuilt_is_the_same(clinic)


async def test_a_repeated_hold_is_one_hold(clinic: House) -> None:
    """The same Idempotency-Key again answers the same hold; a new key with the same hold id changes nothing either."""
    key, body = str(uuid4()), slot(NINTH, TALK)
    first, again = [await clinic.post(f"/patients/{PATIENT}/holds", body, key=key) for _ in range(2)]
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    anew = await clinic.post(f"/patients/{PATIENT}/holds", {**body, "hold_id": first.json()["hold_id"]})
    assert (anew.status_code, anew.headers["etag"]) == (201, first.headers["etag"])


async def test_a_search_is_bounded(clinic: House) -> None:
    """More than 31 days, days in the wrong order, or a modality without a laser visit: 422 with a sentence."""
    for days, more in (
        (("2026-03-01", "2026-04-01"), {}),
        (("2026-03-02", "2026-03-01"), {}),
        (("2026-03-02", "2026-03-02"), {"modality": "nafl_1550"}),
    ):
        query = {"clinic_id": CLINIC, "kind": "consultation", "from": days[0], "to": days[1], **more}
        answer = await clinic.get("/slots", **query)
        assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
