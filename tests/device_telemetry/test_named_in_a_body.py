"""What the opening of a treatment names, and which version its answer speaks of."""

from uuid import uuid4

from tests.device_telemetry.room import Room


async def test_a_laser_that_there_is_not(room: Room) -> None:
    """An opening that names a laser nobody has registered is 422 with the place of its id."""
    room.laser = uuid4()
    answer = await room.open()
    assert (answer.status_code, answer.json()["code"]) == (422, "reference-not-found")
    assert [place["pointer"] for place in answer.json()["errors"]] == ["/device_id"]


async def test_an_opening_names_no_version(room: Room) -> None:
    """What is written is the clearance, what is answered the treatment: its version is read, not guessed from the opening's answer."""
    await room.ready()
    opened = await room.open()
    assert opened.status_code == 201, opened.text
    assert "etag" not in opened.headers
    assert "version" not in opened.json()


async def test_every_version_leads_to_the_next_change(room: Room) -> None:
    """A laser can be claimed with the version that its registration was answered with, and only a safety officer lets it back."""
    made = await room.post("/devices", {"serial": f"EF-{uuid4().hex[:12]}", "model": "ef-1550"})
    path = f"/devices/{made.json()['device_id']}"
    claimed = await room.post(f"{path}/claim", {"clinic_id": str(uuid4())}, if_match=f'"{made.json()["version"]}"')
    assert (claimed.status_code, claimed.json()["version"]) == (200, 2)
    for role in ("ops", "manufacturer", "nurse"):
        assert (await room.post(f"{path}/release", if_match='"2"', roles=[role])).status_code == 403
    released = await room.post(f"{path}/release", if_match='"2"', roles=["laser_safety_officer"])
    assert released.status_code == 200
