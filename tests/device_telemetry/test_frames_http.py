"""The frames endpoint: what it refuses, where and why, and that nothing refused reaches the topic."""

import gzip
from uuid import uuid4

import msgspec
import pytest
from backports import zstd

from device_telemetry.frames.codec import read_record
from device_telemetry.frames.taking import RANGES_MAX
from erbium_kernel.errors import Unavailable
from tests.device_telemetry.making import OTHER_LASER, body, frame
from tests.device_telemetry.room import Room


def good(room: Room) -> bytes:
    return body([frame(0), frame(1)], treatment_id=room.treatment, device_id=room.laser, boot_id=room.boot)


async def test_malformed_batches_are_refused_by_line(room: Room) -> None:
    """A bad line refuses the batch with its number and reason, repeats nothing of it, and nothing reaches the topic."""
    await room.opened()
    answer = await room.send([], raw=good(room) + b'[1,2,"Zq9Xw7"]\n')
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    [error] = answer.json()["errors"]
    assert error["pointer"] == "/4"
    assert error["reason"].startswith("line 4: ")
    assert "Zq9Xw7" not in answer.text
    for raw, line in ((b"", "/1"), (b"{}\n", "/1"), (good(room).split(b"\n")[0], "/1"), (b"\x00\x01", "/1")):
        refused = await room.send([], raw=raw)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, line), raw
    assert room.broker.records(room.topic) == []


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_packed_batches(room: Room, encoding: str) -> None:
    """A packed batch is read; a bomb, a damaged and an unknown packing are refused with 413, 422, 415."""
    pack = {"gzip": gzip.compress, "zstd": zstd.compress}[encoding]
    await room.opened()
    assert (await room.send([], raw=pack(good(room)), encoding=encoding)).json()["accepted"] == 2
    bomb = await room.send([], raw=pack(b" " * 890_000), encoding=encoding)
    assert (bomb.status_code, bomb.json()["code"]) == (413, "body-too-large")
    assert (await room.send([], raw=pack(good(room))[:-4], encoding=encoding)).status_code == 422
    assert (await room.send([], raw=good(room), encoding="br")).status_code == 415
    assert (await room.send([], raw=b" " * 900_001)).status_code == 413
    assert len(room.broker.records(room.topic)) == 1


async def test_a_laser_sends_only_its_own(room: Room) -> None:
    """Another laser's token, a person's token, another address and another treatment's laser are refused."""
    await room.opened()
    path, content = f"/v1/devices/{room.laser}/frames", good(room)
    for token, status in (({"roles": ["device"], "subject": OTHER_LASER}, 404), ({"roles": ["nurse"], "subject": room.laser}, 403)):
        headers = {**room.headers(**token), "Content-Type": "application/x-ndjson"}
        assert (await room.client.post(path, content=content, headers=headers)).status_code == status
    wrong_address = await room.send([frame(0)], device_id=OTHER_LASER)
    assert (wrong_address.status_code, wrong_address.json()["errors"][0]["pointer"]) == (422, "/1")
    assert (await room.send([frame(0)], treatment_id=uuid4())).status_code == 404
    other_grid = await room.send([frame(0)], grid_cell_mm=5.0)
    assert (other_grid.status_code, other_grid.json()["code"]) == (409, "telemetry.frames-do-not-fit")
    assert room.broker.records(room.topic) == []


async def test_answered_only_after_the_broker_has_them(room: Room) -> None:
    """While the broker does not acknowledge there is no 202 and nothing counts as arrived; the same batch sent again does."""
    await room.opened()

    async def away(place: str, _: str) -> None:
        if place == "before-publish":
            raise Unavailable("the broker is away")

    usual, room.broker.hook = room.broker.hook, away
    refused = await room.send([frame(0), frame(1)])
    assert refused.status_code == 503
    assert "retry-after" in refused.headers
    room.broker.hook = usual
    assert (await room.send([frame(0), frame(1)])).json()["accepted"] == 2


async def test_one_record_per_batch(room: Room) -> None:
    """A batch is one record under the key of chain and laser, with the laser's own lines as they came."""
    await room.opened()
    await room.send([frame(0), frame(1)])
    [record] = room.broker.records(room.topic)
    assert record.key == f"{room.chain}/{room.laser}".encode()
    assert record.value is not None
    assert record.value.partition(b"\n")[2] == good(room)
    receipt, batch = read_record(record.value)
    assert (receipt.chain_id, receipt.received_at, len(batch.frames)) == (room.chain, room.clock.now(), 2)


async def test_rejected_frames_are_named(room: Room) -> None:
    """Frames before the treatment's first number are not taken, and the answer names them."""
    await room.opened()
    answer = (await room.send([frame(9), frame(10)], first_seq=10)).json()
    assert (answer["accepted"], answer["rejected"]) == (1, [{"seq": 9, "reason": "before_first_seq"}])


async def test_too_many_gaps(room: Room) -> None:
    """A laser that would leave more than 1,000 gaps open is told to close some first; closing them is always taken."""
    await room.opened()
    every_other = [frame(2 * n, mtz_count=0, emission=False) for n in range(RANGES_MAX)]
    assert (await room.send(every_other)).status_code == 202
    one_more = await room.send([frame(2 * RANGES_MAX + 2, mtz_count=0)])
    assert (one_more.status_code, one_more.json()["code"]) == (409, "telemetry.too-many-gaps")
    assert (await room.send([frame(1, mtz_count=0)])).status_code == 202


def test_the_frame_of_other_tests_is_whole() -> None:
    """The frame that tests send has every field of the wire form."""
    assert len(msgspec.to_builtins(frame(0))) == len(frame(0).__struct_fields__)
