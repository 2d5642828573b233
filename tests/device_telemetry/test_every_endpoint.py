"""The list of bad input, over every operation of telemetry, on a real database."""

from device_telemetry.http import treatment_examples as examples
from tests.device_telemetry.room import Room
from tests.kernel.http.every_endpoint import every_endpoint

VALUES = {"device_id": examples.DEVICE_ID, "treatment_id": examples.TREATMENT_ID}
# Without a clearance nothing opens, and without a treatment there is nothing to read, end or send frames for.
EXPECTED = {
    "openTreatment": 409,
    "getTreatment": 404,
    "endTreatment": 404,
    "abortTreatment": 404,
    "resumeTreatment": 404,
    "getTreatmentReport": 404,
    "sendFrames": 404,
}


async def test_every_endpoint(room: Room) -> None:
    """Each documented example is answered as documented, and each wrong request by a problem that says what, where and what to do."""
    await every_endpoint(room.app, room.bearers, chain=room.chain, values=VALUES, expected=EXPECTED, before={"listDevices": room.follow})


async def test_screening_stale_is_refused_unless_a_doctor_attests(room: Room) -> None:
    """Five minutes after screening was last heard a nurse opens nothing; a doctor who attests does, and stands in the record."""
    await room.ready()
    room.later(minutes=5, seconds=1)
    for asked, token in (({}, {"roles": ["nurse"]}), ({"attest": True}, {"roles": ["nurse"]}), ({}, {"roles": ["doctor"]})):
        refused = await room.open(**asked, **token)
        assert (refused.status_code, refused.json()["code"]) == (409, "telemetry.screening-stale")
    opened = await room.open(attest=True, roles=["doctor"], subject="dr-1")
    assert opened.status_code == 201, opened.text
    assert opened.json()["screening_attested_by"] is not None
    assert opened.json()["screening_age_seconds"] == 301


async def test_a_heartbeat_that_was_not_passed_does_not_count(room: Room) -> None:
    """A sign of life counts only once everything heard before it has been appended: until then the copy is as if never heard."""
    await room.equipped()
    await room.cleared()
    await room.arrived()
    await room.follow()
    await room.beat()
    await room.follow()
    await room.hear("erbium.screening.clearance-suspended", clearance_id=room.clearance, patient_id=room.patient)
    room.later(seconds=10)
    await room.beat()
    assert (await room.open()).json()["code"] == "telemetry.screening-stale"
    await room.follow()
    assert (await room.open()).json()["code"] == "telemetry.clearance-suspended"


async def test_an_opening_repeated_under_its_key(room: Room) -> None:
    """The same request under the same key is answered again, not opened again; without a treatment id it names the same one."""
    await room.ready()
    first = await room.open()
    asked = {
        "clearance_id": str(room.clearance), "visit_id": str(room.visit), "device_id": str(room.laser),
        "zones": [{"zone": "face", "area_cm2": 300.0, "planned_mtz": 136_800, "energy_mj_per_mtz": 40.0}],
    }  # fmt: skip
    key = "again"
    refused = [await room.post("/treatments", asked, key=key) for _ in range(2)]
    assert first.status_code == 201
    assert [answer.json()["code"] for answer in refused] == ["telemetry.treatment-already-open"] * 2
    assert refused[1].headers["idempotent-replayed"] == "true"
