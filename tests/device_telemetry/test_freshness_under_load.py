"""The copy of screening is as old as the last sign of life that was reached: however steadily rows come in, it never looks stale."""

from datetime import timedelta
from uuid import UUID, uuid4

from device_telemetry.freshness import GUARDING, SCREENING_TOPIC, age_seconds
from erbium_kernel.event import Actor, Cursor
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log_records import Heard, Slice
from tests.kernel.ward import WardClock

CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")
BEAT = timedelta(seconds=10)


def a_message(clock: WardClock) -> Heard:
    """Anything that scheduling says."""
    return Heard(
        chain_id=CHAIN, ordering_id=uuid4(), event_id=uuid4(), type="erbium.scheduling.visit-moved", schema_version=1, origin="scheduling",
        clinic_id=None, subject_id=None, occurred_at=clock.now(), correlation_id=uuid4(), causation_id=None,
        actor=Actor(kind="staff", id="desk-1"), traceparent=None, raw=b"{}", headers=(),
    )  # fmt: skip


async def test_a_new_heartbeat_makes_no_copy_stale() -> None:
    """Rows come without end and the guarding reaction is always some behind, so no heartbeat counts when it comes; the one before does."""
    clock = WardClock()
    store, place = MemoryStore(clock=clock), Cursor()
    async with store.lease(GUARDING) as lease:
        assert lease is not None
        for n in range(12):
            for late in range(5):
                offset = 5 * n + late
                heard = (a_message(clock),)
                await store.take_in(Slice(topic="erbium.scheduling.v1", partition=0, expected=offset, next=offset + 1, heard=heard))
            await store.take_in(Slice(topic=SCREENING_TOPIC, partition=0, expected=n, next=n + 1, heartbeat_at=clock.machine()))
            rows = await lease.read(place, 100)
            if len(rows) > 3:  # the last three are still on their way through the reaction
                await lease.move(place, rows[-4].cursor)
                place = rows[-4].cursor
            beats, read = await store.heartbeats(SCREENING_TOPIC), await store.positions(SCREENING_TOPIC)
            age = age_seconds(beats, read, (await store.checkpoints()).get(GUARDING), clock.machine())
            assert age == (None if n == 0 else BEAT.total_seconds()), f"after {n + 1} heartbeats"
            clock.at += BEAT
