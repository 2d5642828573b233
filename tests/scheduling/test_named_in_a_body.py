"""What a body names and what an answer names: ids that there are not, versions for the next change, who may approve a day."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from scheduling.http import examples
from tests.house import House
from tests.scheduling.test_over_http import CLINIC, DEVICE, NEW_YORK, PATIENT, booked, clinic, hold, slot

__all__ = ["clinic"]  # the fixture
LASER = {"kind": "laser", "modality": "nafl_1550", "zones": ["face"]}
STARTS = "2026-03-09T10:00:00Z"
ABSENT = "01990000-0000-7000-8000-00000000dead"


def told(answer: httpx.Response) -> dict[str, Any]:
    """A problem without what differs from request to request."""
    return {name: value for name, value in answer.json().items() if name not in ("instance", "trace_id")}


@pytest.mark.parametrize("field", ["clinic_id", "practitioner_id", "room_id", "device_id"])
async def test_an_id_in_a_body_that_there_is_not(clinic: House, field: str) -> None:
    """A hold that names what is not there is 422 with the place of the id, no 404: the patient of the address is there."""
    answer = await hold(clinic, STARTS, LASER, **{field: ABSENT})
    assert (answer.status_code, answer.json()["code"]) == (422, "reference-not-found")
    assert answer.json()["errors"] == [{"pointer": f"/{field}", "reason": "names nothing that there is in this chain"}]
    assert "facts" not in answer.json()
    assert (await hold(clinic, STARTS, LASER)).status_code == 201


@pytest.mark.parametrize("field", ["clinic_id", "practitioner_id", "room_id", "device_id"])
async def test_what_another_chain_has_looks_absent(clinic: House, scheduling_urls: Any, field: str) -> None:
    """An id that another chain has is told just like one that nobody has."""
    async with House.on(clinic.service, scheduling_urls, uuid4()) as other:
        body = {"name": "Elsewhere", "time_zone": "Europe/Berlin", "opening_hours": [{"weekday": 1, "opens": "08:00", "closes": "20:00"}]}
        theirs = (await other.post("/clinics", body)).json()["clinic_id"]
        room = await other.post(f"/clinics/{theirs}/rooms", {"label": "1", "laser_ready": True}, if_match='"1"')
        person = await other.post("/practitioners", {**examples.LICENCE, "clinic_id": theirs})
        laser = str(uuid4())
        await other.hear("erbium.device-telemetry.device-claimed", **{**examples.LASER, "device_id": laser, "clinic_id": theirs})
        await other.follow()
        found = {
            "clinic_id": theirs, "room_id": room.json()["rooms"][0]["room_id"], "practitioner_id": person.json()["practitioner_id"],
            "device_id": laser,
        }  # fmt: skip
    answers = [await hold(clinic, STARTS, LASER, **{field: value}) for value in (found[field], ABSENT)]
    assert told(answers[0]) == told(answers[1])
    assert answers[0].json()["code"] == "reference-not-found"


async def test_the_address_comes_first(clinic: House) -> None:
    """Where neither the visit's patient nor the clinic of the new slot is there, the answer is about the address: 404."""
    path = f"/patients/{uuid4()}/visits/{uuid4()}/move"
    answer = await clinic.post(path, {**examples.MOVE_BODY, "clinic_id": ABSENT}, if_match='"1"')
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    licence = await clinic.post(f"/practitioners/{uuid4()}/licences", {**examples.LICENCE, "clinic_id": ABSENT}, if_match='"1"')
    assert (licence.status_code, licence.json()["code"]) == (404, "not-found")


async def test_ids_in_a_query(clinic: House) -> None:
    """A search that names a clinic or a patient that is not there says which parameter it is."""
    query = {"clinic_id": CLINIC, "kind": "consultation", "from": "2026-03-09", "to": "2026-03-09"}
    for name in ("clinic_id", "patient_id"):
        answer = await clinic.get("/slots", **{**query, name: ABSENT})
        assert (answer.status_code, answer.json()["code"]) == (422, "reference-not-found")
        assert [(place["in"], place["parameter"]) for place in answer.json()["errors"]] == [("query", name)]


async def test_a_laser_of_another_clinic_is_a_rule(clinic: House) -> None:
    """A laser that is there and stands elsewhere is no unknown id: the rule about lasers says no."""
    answer = await clinic.post(f"/patients/{PATIENT}/holds", slot(STARTS, LASER, NEW_YORK, device_id=DEVICE))
    assert (answer.status_code, answer.json()["code"]) == (409, "scheduling.laser-unsuitable")


async def test_a_day_that_there_is_not(clinic: House) -> None:
    """30 February is refused at its own place, in words that say why."""
    body = slot(STARTS, LASER) | {"starts_at": None, "starts_local": "2026-02-30T10:00"}
    answer = await clinic.post(f"/patients/{PATIENT}/holds", body)
    assert answer.json()["errors"] == [{"pointer": "/starts_local", "reason": "is on no day that the calendar has"}]
    until = {**examples.LICENCE, "licensed_until": "2026-02-30"}
    answer = await clinic.post("/practitioners", until)
    assert answer.json()["errors"] == [
        {"pointer": "/licensed_until", "reason": "is no day that the calendar has; a date looks like 2026-05-01"}
    ]


async def test_every_version_leads_to_the_next_change(clinic: House) -> None:
    """A clinic, a practitioner, a hold: what was answered when it was made is enough to change it."""
    hours = [{"weekday": 1, "opens": "08:00", "closes": "20:00"}]
    made = await clinic.post("/clinics", {"name": "New", "time_zone": "Europe/Berlin", "opening_hours": hours})
    clinic_id = made.json()["clinic_id"]
    assert made.json()["version"] == 1
    room = await clinic.post(f"/clinics/{clinic_id}/rooms", {"label": "1", "laser_ready": True}, if_match=made.headers["etag"])
    assert (room.status_code, room.json()["version"]) == (201, 2)
    person = await clinic.post("/practitioners", {**examples.LICENCE, "clinic_id": clinic_id})
    again = f"/practitioners/{person.json()['practitioner_id']}/licences"
    longer = {**examples.LICENCE, "clinic_id": clinic_id, "licensed_until": "2029-12-31"}
    licence = await clinic.post(again, longer, if_match=f'"{person.json()["version"]}"')
    assert (licence.status_code, licence.json()["version"]) == (201, 2)
    held = await hold(clinic, STARTS, LASER)
    release = f"/patients/{PATIENT}/holds/{held.json()['hold_id']}/release"
    given_back = await clinic.post(release, if_match=f'"{held.json()["version"]}"')
    assert (given_back.status_code, given_back.json()["version"]) == (200, held.json()["version"] + 1)


async def test_who_approves_and_who_attests(clinic: House) -> None:
    """The front desk books and checks in; whether a treatment follows on the same day a doctor says, what has changed a clinician."""
    visit = await booked(clinic, STARTS, LASER)
    path = f"/patients/{PATIENT}/visits/{visit['visit_id']}"
    for what, body, refused, asked in (
        ("same-day-approval", None, ("front_desk", "integrator", "nurse"), "doctor"),
        ("attestation", {"changes": False}, ("front_desk", "integrator"), "nurse"),
    ):
        for role in refused:
            answer = await clinic.post(f"{path}/{what}", body, if_match='"1"', roles=[role])
            assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing"), (what, role)
        assert (await clinic.post(f"{path}/{what}", body, if_match='"1"', roles=[asked])).status_code == 412, "let in, with an old version"
