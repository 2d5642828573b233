"""A treatment as it was recorded at an instant: totals and gaps of the frames that had been received by then."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from device_telemetry.frames.codec import Frame
from device_telemetry.frames.consequences import Kept
from device_telemetry.projections import frames_then
from device_telemetry.projections.frames_then import kept_then
from device_telemetry.projections.stored_frames import kept
from device_telemetry.treatment.commands import TakeUpBinding
from device_telemetry.treatment.decide import TREATMENT
from tests.device_telemetry.making import BINDING, frame
from tests.device_telemetry.room import Room

MOMENT = timedelta(microseconds=1)
FRAMES = 60


def instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


async def then(room: Room, at: datetime) -> httpx.Response:
    return await room.get(f"/treatments/{room.treatment}", as_recorded=instant(at))


async def came(room: Room, frames: list[Frame], **header: Any) -> datetime:
    """A batch is received, stored and told at one instant, which is returned; half a minute passes."""
    at = room.clock.now()
    answer = await room.send(frames, **header)
    assert answer.status_code == 202, answer.text
    await room.consume()
    room.later(seconds=30)
    return at


async def stored(room: Room, at: datetime | None = None) -> Kept:
    """Everything stored of the treatment, or what had been received of it by then, as the role of the API reads it."""
    binding = replace(BINDING, ids=replace(BINDING.ids, treatment_id=room.treatment))
    async with room.engines["api"].begin() as conn:
        await conn.execute(text("SELECT set_config('app.chain', :chain, true)"), {"chain": str(room.chain)})
        return await (kept(conn, room.treatment) if at is None else kept_then(conn, binding, at))


async def test_before_a_gap_was_filled(room: Room) -> None:
    """Before the back-fill the gap is open and the totals are the smaller ones, after it closed; before the opening there is nothing."""
    opening = room.clock.now()
    await room.opened()
    room.later(minutes=2)
    begun = await came(room, [frame(n) for n in range(20)])
    gappy = await came(room, [frame(n) for n in range(30, 40)] + [frame(5)], last_seq=49)
    whole = await came(room, [frame(n) for n in (*range(29, 19, -1), *range(40, 50), 31)], last_seq=49)
    for at, phase, mtz_count, gaps in (
        (opening, "opened", 0, []), (begun - MOMENT, "opened", 0, []),
        (begun, "running", 20 * 17, []), (gappy - MOMENT, "running", 20 * 17, []),
        (gappy, "running", 30 * 17, [(20, 29), (40, 49)]), (whole - MOMENT, "running", 30 * 17, [(20, 29), (40, 49)]),
        (whole, "running", 50 * 17, []),
    ):  # fmt: skip
        answer = await then(room, at)
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        assert (shown["phase"], shown["totals"][0]["mtz_count"]) == (phase, mtz_count)
        assert [(gap["first_seq"], gap["last_seq"]) for gap in shown["gaps"]] == gaps
        assert (shown["gaps_open"], shown["missing_frames"]) == (len(gaps), sum(last - first + 1 for first, last in gaps))
        assert ("etag" in answer.headers, answer.headers["erbium-as-recorded"]) == (False, instant(at))
    assert (await then(room, room.clock.now())).json() == await room.treatment_now()
    assert (await then(room, opening - MOMENT)).status_code == 404


def batches(chance: random.Random, boots: list[UUID]) -> Iterator[tuple[list[Frame], dict[str, Any]]]:
    """The frames of two power-ons in any order, some twice, some left for the end, and the last numbers said somewhere on the way."""
    for boot in boots:
        numbers = chance.sample(range(FRAMES), k=FRAMES)
        while numbers:
            some, numbers = numbers[:15], numbers[15:]
            some += chance.sample(range(FRAMES), k=chance.randint(0, 3))
            ended = chance.random() < 0.4
            zone = {n: "nose" if n % 7 == 0 else "face" for n in some}
            frames = [frame(n, zone=zone[n], mtz_count=n % 20, energy_mj=39.7 if n % 2 else 40.3) for n in dict.fromkeys(some)]
            yield frames, {"boot_id": boot, "last_seq": FRAMES - 1 if ended else None}
    for boot in boots:
        yield [frame(0, zone="nose", mtz_count=0)], {"boot_id": boot, "last_seq": FRAMES - 1}  # nothing new but where it ended


@pytest.mark.parametrize("seed", range(3))
async def test_every_answer_is_given_again(room: Room, seed: int) -> None:
    """Whatever came in whatever order, each answer is given again, field by field, to whoever asks for its instant later."""
    chance = random.Random(seed)
    await room.opened()
    told = {room.clock.now(): await room.treatment_now()}
    room.later(seconds=30)
    work, boots = [], [uuid4(), uuid4()]
    for one in batches(chance, boots):
        work.insert(chance.randint(max(0, len(work) - 6), len(work)), one)
    for turn, (frames, header) in enumerate(work):
        at = await came(room, frames, **header)
        told[at] = await then_is_now(room, at)
        if turn == len(work) * 2 // 3:
            finals = [{"boot_id": str(boot), "last_seq": FRAMES - 1} for boot in boots]
            ended = await room.change("/end", {"finals": finals})
            assert ended.status_code == 200, ended.text
            await room.consume()
            await room.follow()
            told[room.clock.now()] = await room.treatment_now()
            room.later(seconds=30)
    assert {shown["phase"] for shown in told.values()} == {"opened", "running", "ended", "completed"}
    assert any(shown["gaps_open"] for shown in told.values())
    for at, shown in told.items():
        assert (await then(room, at)).json() == shown, at
    assert await stored(room, room.clock.now()) == await stored(room)


async def then_is_now(room: Room, at: datetime) -> dict[str, Any]:
    """What is answered now, which is what is answered to the question for the last receipt."""
    shown = await room.treatment_now()
    assert (await then(room, at)).json() == shown
    return shown


async def test_what_is_stored_of_it(room: Room) -> None:
    """As recorded now is exactly what is stored: other treatments' numbers in the same boot, refused frames, an end of unknown time."""
    await room.opened()
    first, boot = room.treatment, room.boot
    await came(room, [frame(n) for n in (3, 1, 2, 3)], first_seq=2, last_seq=8)
    await came(room, [frame(0), frame(6, energy_mj=80.0)], boot_id=uuid4())
    await came(room, [frame(1)], first_seq=5, boot_id=uuid4())  # a boot of which no frame is this treatment's
    room.treatment = uuid4()
    ids = replace(BINDING.ids, treatment_id=room.treatment, device_id=room.laser, clinic_id=room.clinic, patient_id=room.patient)
    await room.do(TREATMENT, room.treatment, TakeUpBinding(binding=replace(BINDING, ids=ids)))
    await came(room, [frame(n) for n in (4, 5, 9)], first_seq=4, boot_id=boot)
    for treatment in (first, room.treatment):
        room.treatment = treatment
        found = await stored(room)
        assert found.recordings
        assert await stored(room, room.clock.now()) == found
    room.treatment = first
    before = {one.boot_id: one for one in (await stored(room)).recordings}[boot]
    assert before.last_received_at is not None
    async with room.engines["owner"].begin() as conn:
        await conn.execute(text("ALTER TABLE recordings NO FORCE ROW LEVEL SECURITY"))
        await conn.execute(text("UPDATE recordings SET last_seq_at = NULL WHERE treatment_id = :it"), {"it": first})
        await conn.execute(text("ALTER TABLE recordings FORCE ROW LEVEL SECURITY"))
    assert await stored(room, room.clock.now()) == await stored(room)
    assert boot not in {one.boot_id for one in (await stored(room, before.last_received_at - MOMENT)).recordings}


async def test_more_than_is_added_up_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A treatment with more frames than the bound is told so, with both numbers; today's answer needs no bound."""
    await room.opened()
    at = await came(room, [frame(n) for n in range(5)])
    monkeypatch.setattr(frames_then, "FRAMES_THEN_MAX", 5)
    assert (await then(room, at)).status_code == 200
    monkeypatch.setattr(frames_then, "FRAMES_THEN_MAX", 4)
    refused = await then(room, at)
    assert (refused.status_code, refused.json()["code"]) == (409, "telemetry.too-many-frames-then")
    assert refused.json()["facts"] == {"frames": 5, "frames_max": 4}
    assert (await room.treatment_now())["totals"][0]["mtz_count"] == 5 * 17


async def test_page_by_page(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few frames are added up at once, the sums are the same."""
    await room.opened()
    at = await came(room, [frame(n, energy_mj=39.9) for n in range(23)])
    whole = await stored(room, at)
    monkeypatch.setattr(frames_then, "PAGE_FRAMES_MAX", 4)
    assert await stored(room, at) == whole == await stored(room)


async def test_who_may_not_see_it(room: Room) -> None:
    """An instant to come is 422; another chain finds nothing at any instant; an erased person's treatment is found at none."""
    await room.opened()
    at = await came(room, [frame(n) for n in range(5)])
    future = await then(room, room.clock.now() + MOMENT)
    assert (future.status_code, future.json()["errors"][0]["parameter"]) == (422, "as_recorded")
    headers = {"Authorization": f"Bearer {room.bearers.token(uuid4())}"}
    path, query = f"/v1/treatments/{room.treatment}", {"as_recorded": instant(at)}
    assert (await room.client.get(path, params=query, headers=headers)).status_code == 404
    assert (await then(room, at)).status_code == 200
    await room.hear("erbium.screening.patient-erased", patient_id=room.patient)
    await room.follow()
    for instant_then in (at, room.clock.now(), datetime(2020, 1, 1, tzinfo=UTC)):
        answer = await then(room, instant_then)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
