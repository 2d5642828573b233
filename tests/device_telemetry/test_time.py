"""What time does to a treatment, with durable timers: given up, ended by silence, partially completed."""

from datetime import timedelta
from uuid import UUID

from device_telemetry.frames.settling import NOTHING_WAITS_SECONDS_MAX
from tests.device_telemetry.making import NOW, frame
from tests.device_telemetry.room import Room


async def test_given_up_when_nothing_was_delivered(room: Room) -> None:
    """An hour after the opening without a delivery the treatment is given up, its laser and its visit are free again."""
    await room.opened()
    room.later(minutes=59)
    await room.fire()
    assert (await room.treatment_now())["phase"] == "opened"
    room.later(minutes=1)
    await room.fire()
    await room.follow()
    assert (await room.treatment_now())["phase"] == "given_up"
    room.treatment = room.boot  # any other id
    await room.beat()
    await room.follow()
    again = await room.open()
    assert again.status_code == 201, again.text


async def test_ended_by_silence(room: Room) -> None:
    """15 min after the last frame the treatment ends by itself; frames in between move that moment."""
    await room.opened()
    await room.send([frame(0)])
    await room.consume()
    room.later(minutes=10)
    await room.send([frame(1)])
    await room.consume()
    room.later(minutes=5)
    await room.consume()
    await room.fire()
    await room.follow()
    assert (await room.treatment_now())["phase"] == "running"
    room.later(minutes=9, seconds=59)
    await room.consume()
    await room.fire()
    await room.follow()
    assert (await room.treatment_now())["phase"] == "running"
    room.later(seconds=1)
    await room.consume()
    await room.fire()
    await room.follow()
    ended = await room.treatment_now()
    assert (ended["phase"], ended["ended_at"]) == ("ended", (NOW + timedelta(minutes=25)).isoformat().replace("+00:00", "Z"))
    late = (await room.send([frame(2)])).json()
    assert (late["accepted"], late["command"]) == (1, "STOP")


async def test_no_silence_while_frames_wait(room: Room) -> None:
    """While the topic has not been read to its end, a treatment does not end by silence, however long it takes."""
    await room.opened()
    await room.send([frame(0)])
    await room.consume()
    room.later(minutes=14)
    await room.send([frame(1)])
    room.later(minutes=10)
    await room.fire()
    await room.follow()
    assert (await room.treatment_now())["phase"] == "running"
    await room.consume()
    await room.follow()
    assert (await room.treatment_now())["phase"] == "running"
    room.later(seconds=NOTHING_WAITS_SECONDS_MAX)
    await room.fire()
    await room.follow()
    assert (await room.treatment_now())["phase"] == "running"


async def test_partially_completed_when_the_wait_is_over(room: Room) -> None:
    """24 h after the end with a gap the treatment is partially completed; what comes later still corrects it."""
    await room.opened()
    await room.send([frame(0), frame(2)])
    await room.consume()
    await room.change("/end", {"finals": [{"boot_id": str(room.boot), "last_seq": 2}]})
    await room.follow()
    room.later(hours=23, minutes=59)
    await room.fire()
    await room.follow()
    assert (await room.treatment_now())["phase"] == "ended"
    room.later(minutes=1)
    await room.fire()
    await room.follow()
    partial = await room.treatment_now()
    assert (partial["phase"], partial["missing_frames"], partial["totals"][0]["mtz_count"]) == ("partially_completed", 1, 34)
    await room.send([frame(1)])
    await room.consume()
    assert (await room.treatment_now())["phase"] == "completed"


async def test_whole_at_the_end_completes_at_once(room: Room) -> None:
    """If nothing is missing when the operator ends it, the treatment completes without waiting for anything."""
    await room.opened()
    await room.send([frame(0), frame(1)], last_seq=1)
    await room.consume()
    assert (await room.change("/end", {"finals": []})).status_code == 200
    await room.follow()
    assert (await room.treatment_now())["phase"] == "completed"


async def test_two_treatments_of_one_visit_never_both_deliver(room: Room) -> None:
    """A laser that was offline is given up and another treatment opens; when the first one's frames come, the second is stopped."""
    await room.opened()
    first = room.treatment
    room.later(minutes=60)
    await room.fire()
    await room.follow()
    room.treatment = UUID(int=first.int ^ 1)
    await room.beat()
    await room.follow()
    assert (await room.open()).status_code == 201
    await room.follow()
    second, room.treatment = room.treatment, first
    late = (await room.send([frame(0)], sent_device_ms=3_000_000)).json()
    assert (late["accepted"], late["command"]) == (1, "STOP")
    await room.consume()
    await room.follow()
    await room.follow()
    room.treatment = second
    stopped = (await room.send([frame(100)], first_seq=100)).json()
    assert (stopped["command"], stopped["reasons"]) == ("STOP", ["earlier_delivery"])


async def test_end_waits_for_nothing_that_was_not_sent(room: Room) -> None:
    """An end without any delivered frame is refused, and says what to do."""
    await room.opened()
    refused = await room.change("/end", {"finals": []})
    assert (refused.status_code, refused.json()["code"]) == (409, "telemetry.nothing-delivered")
