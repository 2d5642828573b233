"""A database that says nothing: the laser is told in time, and its repetitions do not fill the topic."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from device_telemetry.frames import taking
from device_telemetry.frames.codec import Header, read_batch
from device_telemetry.frames.looking import Look
from device_telemetry.frames.memory_store import MemoryLooks
from device_telemetry.frames.sending import FramesTopic
from device_telemetry.frames.taking import Taken, Taking
from erbium_kernel.deadline import within
from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Actor
from erbium_kernel.execute import Cause
from tests.device_telemetry.making import CHAIN, LASER, body, frame
from tests.device_telemetry.ward_of_frames import TOPIC, WardOfFrames

SECONDS_MAX = 0.05


class Frozen(MemoryLooks):
    """Looks that may never end."""

    silent = False

    async def look(self, chain_id: UUID, header: Header, streams: Sequence[str]) -> Look:
        if self.silent:
            await asyncio.Event().wait()
        return await super().look(chain_id, header, streams)


async def test_told_in_time_and_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first batch nothing is sent; after a batch that was sent its repetitions wait; then the same batch is a duplicate."""
    monkeypatch.setattr(taking, "DATABASE_SECONDS_MAX", SECONDS_MAX)
    ward = await WardOfFrames().opened()
    door, looks = Taking(FramesTopic(ward.broker.outlet(), topic=TOPIC), within), Frozen(ward.store, ward.log)

    async def send(seq: int) -> Taken:
        raw = body([frame(seq)])
        cause = Cause(actor=Actor(kind="device", id=str(LASER)), command_id=uuid4(), correlation_id=uuid4())
        return await door.take(ward.runtime, CHAIN, read_batch(raw), raw, looks, cause)

    def on_the_topic() -> int:
        records: Sequence[Any] = ward.broker.records(TOPIC)
        return len(records)

    looks.silent = True
    with pytest.raises(Unavailable):
        await send(0)
    assert on_the_topic() == 0
    looks.silent = False
    assert (await send(0)).accepted == 1
    looks.silent = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await send(1)
    assert on_the_topic() == 2
    looks.silent = False
    again = await send(1)
    assert (again.accepted, again.duplicates, again.next_seq) == (0, 1, 2)
