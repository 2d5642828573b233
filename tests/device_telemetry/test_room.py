"""The service on a real database: a treatment from its opening to its completion, over HTTP."""

import re
from uuid import UUID

from sqlalchemy import text

from device_telemetry.dose import lesion_area_um2
from tests.device_telemetry.making import LESIONS, frame
from tests.device_telemetry.room import Room


async def one(room: Room, query: str) -> tuple[object, ...]:
    """The one row of a query over this treatment, read as `api` reads."""
    async with room.engines["api"].begin() as conn:
        await conn.execute(text("SELECT set_config('app.chain', :chain, true)"), {"chain": str(room.chain)})
        return tuple((await conn.execute(text(f"{query} WHERE treatment_id = :id"), {"id": room.treatment})).one())


async def test_a_treatment_ends_and_then_completes(room: Room) -> None:
    """Frames with duplicates, reordering and a gap: provisional totals at the end, final ones when the gap is filled."""
    await room.opened()
    first = [frame(seq) for seq in range(40)]
    answer = await room.send(first[20:])
    assert answer.status_code == 202, answer.text
    assert answer.json()["gaps"] == [{"first_seq": 0, "last_seq": 19}]
    assert answer.json()["next_expected"] == {"boot_id": str(room.boot), "seq": 0}
    again = (await room.send(first)).json()
    assert (again["accepted"], again["duplicate"], again["next_expected"]["seq"], again["gaps"]) == (20, 20, 40, [])
    await room.send([frame(seq) for seq in range(60, 100)])
    await room.consume()
    running = await room.treatment_now()
    assert (running["phase"], running["totals"][0]["mtz_count"], running["gaps_open"]) == ("running", 80 * 17, 1)

    ended = await room.change("/end", {"finals": [{"boot_id": str(room.boot), "last_seq": 99}]})
    assert ended.status_code == 200, ended.text
    await room.follow()
    shown = await room.treatment_now()
    assert (shown["phase"], shown["provisional"], shown["missing_frames"]) == ("ended", True, 20)
    assert shown["gaps"] == [{"boot_id": str(room.boot), "first_seq": 40, "last_seq": 59}]

    late = (await room.send([frame(seq) for seq in range(35, 60)])).json()
    assert (late["accepted"], late["duplicate"], late["command"]) == (20, 5, None)
    await room.consume()
    await room.follow()
    done = await room.treatment_now()
    assert (done["phase"], done["provisional"], done["gaps_open"], done["missing_frames"]) == ("completed", False, 0, 0)
    [total] = done["totals"]
    assert (total["mtz_count"], total["energy_j"], total["planned_mtz"]) == (1_700, 68.0, 136_800)
    listed = (await room.get("/treatments", patient_id=str(room.patient))).json()["items"]
    assert [(each["treatment_id"], each["phase"]) for each in listed] == [(str(room.treatment), "completed")]


async def test_sums_are_what_the_stored_frames_say(room: Room) -> None:
    """Zone and cell sums equal an aggregate over the frames that are stored, each of which is stored once."""
    await room.opened()
    frames = [frame(seq, energy_mj=20 + seq % 9) for seq in range(150)]
    for part in (frames[50:120], frames[:60], frames[100:], frames[:10]):
        assert (await room.send(part)).status_code == 202
    await room.consume()
    uj = "sum(mtz_count * round(energy_mj * 1000)::bigint)"
    stored = await one(room, f"SELECT count(*), sum(mtz_count), {uj}, count(DISTINCT seq) FROM frames")
    zone = await one(room, "SELECT frames, mtz_count, energy_uj, lesion_um2 FROM zone_sums")
    cell = await one(room, "SELECT sum(frames), sum(mtz_count), sum(energy_uj) FROM cell_sums")
    assert stored[:3] == zone[:3] == cell
    assert stored[3] == 150
    assert zone[3] == sum(17 * lesion_area_um2(LESIONS, each.energy_mj) for each in frames)


async def test_energy_above_the_limit_stops_in_the_same_answer(room: Room) -> None:
    """A frame above the cleared energy is answered with STOP at once, so is the next batch, until a doctor resumes."""
    await room.opened()
    assert (await room.send([frame(0)])).json()["command"] is None
    hot = (await room.send([frame(1, energy_mj=70.5)])).json()
    assert (hot["command"], hot["reasons"]) == ("STOP", ["energy_over_limit"])
    assert (await room.send([frame(2)])).json()["command"] == "STOP"
    await room.consume()
    nurse = await room.change("/resume", roles=["nurse"])
    assert nurse.json()["code"] == "telemetry.doctor-must-resume"
    assert (await room.change("/resume", roles=["doctor"])).status_code == 200
    again = (await room.send([frame(1, energy_mj=70.5), frame(3)])).json()
    assert (again["command"], again["accepted"]) == (None, 1)


async def test_density_over_plan_closes_the_zone(room: Room) -> None:
    """When the consumer's totals pass 115 % of the plan the zone is closed, and the next answer says STOP."""
    await room.opened(planned_mtz=1_000)
    await room.send([frame(seq, grid_row=seq // 20, grid_col=seq % 20, mtz_count=3) for seq in range(300)])
    await room.consume()
    fine = (await room.send([frame(300, mtz_count=3)])).json()
    assert fine["command"] is None
    await room.send([frame(seq, grid_row=seq // 20 % 15, grid_col=seq % 20, mtz_count=1) for seq in range(301, 600)])
    await room.consume()
    stopped = (await room.send([frame(600, mtz_count=1)])).json()
    assert (stopped["command"], stopped["closed_zones"]) == ("STOP", ["face"])
    assert "density_over_plan" in stopped["reasons"]
    assert [hold["command"] for hold in (await room.treatment_now())["holds"]].count("STOP") >= 1


async def test_a_suspension_during_treatment_pauses(room: Room) -> None:
    """The answer after a suspension was heard says PAUSE; nobody resumes until the clearance is reinstated."""
    await room.opened()
    await room.send([frame(0)])
    await room.consume()
    await room.screening_says("suspended")
    await room.follow()
    paused = (await room.send([frame(1)])).json()
    assert (paused["command"], paused["reasons"]) == ("PAUSE", ["clearance_suspended"])
    assert (await room.change("/resume")).json()["code"] == "telemetry.may-not-resume"
    await room.screening_says("reinstated")
    await room.follow()
    assert (await room.change("/resume", roles=["nurse"])).status_code == 200
    assert (await room.send([frame(2)])).json()["command"] is None


async def test_a_lockout_stops_what_runs(room: Room) -> None:
    """A laser that is locked out during a treatment is stopped in its next answer."""
    await room.opened()
    await room.post(f"/devices/{room.laser}/faults", {"code": "F402"})
    locked = (await room.send([frame(0)])).json()
    assert (locked["command"], locked["reasons"]) == ("STOP", ["device_locked_out"])


async def test_one_treatment_per_laser(room: Room) -> None:
    """A second treatment on the same laser is refused while the first is open, and opens when it is over."""
    await room.opened()
    first = room.treatment
    room.patient, room.clearance, room.visit, room.treatment = (UUID(int=n + (room.chain.int >> 64 << 64)) for n in range(1, 5))
    await room.cleared()
    await room.arrived()
    await room.follow()
    await room.beat()
    await room.follow()
    assert (await room.open()).json()["code"] == "telemetry.device-in-treatment"
    second, room.treatment = room.treatment, first
    assert (await room.change("/abort", {"cause": "patient_wish", "finals": []})).status_code == 200
    room.treatment = second
    assert (await room.open()).status_code == 201


async def test_the_report_tells_what_was_missing_and_when(room: Room) -> None:
    """From the stored frames alone: gaps noticed and closed, one that is open, one that the end revealed, duplicates, and passes."""
    await room.opened()

    async def sent(*numbers: int, **frames: object) -> None:
        room.later(seconds=60)
        await room.send([frame(seq, **frames) for seq in numbers])
        await room.consume()

    await sent(*range(5))
    await sent(*range(10, 20), pass_no=2, energy_mj=41.5)  # 12:32: 5 to 9 are missing
    await sent(*range(5), *range(22, 30))  # 20 and 21 too
    await sent(5, 6, 7, 8, 9)  # 12:34
    assert (await room.change("/end", {"finals": [{"boot_id": str(room.boot), "last_seq": 32}]})).status_code == 200
    await room.follow()
    await sent(30, 31, 32)  # 12:35, missing since the end at 12:34
    page = await room.get(f"/treatments/{room.treatment}/report")
    assert page.headers["content-disposition"] == f'inline; filename="treatment-2026-04-15-{room.treatment}.html"'
    text = " ".join(re.sub(r"<[^>]+>", " ", page.text).split())
    assert "Frames missing 2, in 1 gaps" in text
    assert f"20 21 2 {room.boot} 2026-04-15 12:33:00 (2026-04-15 10:33:00 UTC)" in text
    assert f"5 9 5 2026-04-15 12:32:00 2026-04-15 12:34:00 2 min 0 s {room.boot}" in text
    assert f"30 32 3 2026-04-15 12:34:00 2026-04-15 12:35:00 1 min 0 s {room.boot}" in text
    assert "Duplicates 5 frames came once more" in text
    assert "face 1 21 357 14.3 40.0 mJ 40.0 mJ" in text
    assert "face 2 10 170 7.1 40.0 mJ 41.5 mJ" in text
    assert f"serial number EF-{room.laser.hex[:12].upper()}" in text
    assert "Operator who ended it staff" in text
