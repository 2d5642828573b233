"""What the database itself allows: one chain at a time, frames put in without being read, read through the parent only."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from device_telemetry.frames.consumer import FramesConsumer
from device_telemetry.projections.frame_store import PostgresFrameStore
from device_telemetry.projections.frame_tables import METADATA
from device_telemetry.projections.stored_frames import open_gaps
from device_telemetry.wiring import SERVICE
from erbium_kernel.topic_port import Outgoing
from tests import stored_events
from tests.device_telemetry.making import frame
from tests.device_telemetry.room import Room

OTHER_CHAIN = "00000000-0000-7000-8000-00000000beef"


async def asked(engine: AsyncEngine, query: str, chain: Any = None) -> Any:
    """The first value of a query, with this chain set or none."""
    async with engine.begin() as conn:
        if chain is not None:
            await conn.execute(text("SELECT set_config('app.chain', :chain, true)"), {"chain": str(chain)})
        return await conn.scalar(text(query))


async def filled(room: Room) -> None:
    await room.opened()
    await room.send([frame(0), frame(1)])
    await room.consume()


@pytest.mark.parametrize("table", ["frames", "frame_ranges", "recordings", "zone_sums", "cell_sums"])
async def test_one_chain_at_a_time(room: Room, table: str) -> None:
    """`api` sees its chain's rows and no others, and none at all without a chain."""
    await filled(room)
    count = f"SELECT count(*) FROM {table}"
    assert await asked(room.engines["api"], count, room.chain) > 0
    assert await asked(room.engines["api"], count, OTHER_CHAIN) == 0
    assert await asked(room.engines["api"], count) == 0


async def test_open_gaps_are_counted_over_all_chains(room: Room) -> None:
    """A hole in a laser's sequence is one open gap for operations, and none once it is back-filled; the chains are not needed for it."""
    await room.opened()

    async def counted() -> int:
        async with room.engines["work"].connect() as conn:
            return await open_gaps(conn)

    before = await counted()
    await room.send([frame(0), frame(5)])
    await room.consume()
    assert await counted() == before + 1
    await room.send([frame(n) for n in range(1, 5)])
    await room.consume()
    assert await counted() == before


async def test_frames_are_put_in_without_being_read(room: Room) -> None:
    """`frames` may neither read the frames nor their partitions; `api` reads no partition past the parent."""
    await filled(room)
    partitions = "SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'frames'::regclass"
    partition = await asked(room.engines["owner"], partitions)
    for role, table in (("frames", "frames"), ("frames", partition), ("api", partition), ("work", partition)):
        with pytest.raises(DBAPIError, match="permission denied"):
            await asked(room.engines[role], f"SELECT count(*) FROM {table}", room.chain)
    for statement in (f"DELETE FROM {partition}", f"UPDATE {partition} SET mtz_count = 0", "DELETE FROM zone_sums"):
        with pytest.raises(DBAPIError, match="permission denied"):
            await asked(room.engines["frames"], statement, room.chain)


async def test_no_process_that_serves_alters_tables(room: Room) -> None:
    """The daily partitions are made by the owner's function, which is all that `frames` may call; repeating it makes none."""
    assert await asked(room.engines["frames"], "SELECT ensure_frame_partitions()") == 0
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        days = "FOR VALUES FROM ('1999-01-01') TO ('1999-01-02')"
        await asked(room.engines["frames"], f"CREATE TABLE frames_p19990101 PARTITION OF frames {days}")
    with pytest.raises(DBAPIError, match="permission denied"):
        await asked(room.engines["api"], "SELECT ensure_frame_partitions()")


async def test_a_day_without_a_partition(room: Room) -> None:
    """Frames of a day that has no partition go into the default one: nothing is lost, and they are read as all others."""
    await room.opened()  # the room's day is long past, and no partition was made for it
    await room.send([frame(0), frame(1)])
    await room.consume()
    assert await asked(room.engines["owner"], "SELECT count(*) > 0 FROM frames_default")
    assert await asked(room.engines["api"], f"SELECT count(*) FROM frames WHERE treatment_id = '{room.treatment}'", room.chain) == 2


async def test_todays_partition(room: Room) -> None:
    """Frames of today go into today's partition."""
    today = await asked(room.engines["owner"], "SELECT 'frames_p' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')")
    room.clock.at = (await asked(room.engines["owner"], "SELECT now()")).replace(hour=12)
    before = await asked(room.engines["owner"], f"SELECT pg_relation_size('{today}')")
    day = room.clock.at.date()
    await room.equipped()
    await room.cleared(valid_from=day, valid_until=day)
    await room.arrived(day)
    await room.follow()
    await room.beat()
    await room.follow()
    assert (await room.open()).status_code == 201
    await room.follow()
    await room.send([frame(0)])
    await room.consume()
    assert await asked(room.engines["owner"], f"SELECT pg_relation_size('{today}')") > before


async def test_schema_is_the_sum_of_the_migrations(room: Room) -> None:
    """The tables in code are the tables that the migrations make."""
    assert SERVICE.metadata is METADATA
    await stored_events.check_migrations_add_up(room)


async def test_rebuilt_tables_are_the_same(room: Room) -> None:
    """Read tables emptied and followed again from the log's beginning hold the same rows."""
    await filled(room)
    await room.follow()
    await stored_events.check_rebuilt_is_the_same(room)


async def test_what_cannot_be_read_is_kept_aside(room: Room) -> None:
    """A record that is no batch, or of a treatment nobody opened, is kept as it came, and what follows it is stored."""
    await room.opened()
    key = f"{room.chain}/{room.laser}".encode()
    await room.broker.outlet().publish(room.topic, [Outgoing(key=key, value=value) for value in (b"junk", None)])
    await room.send([frame(0)])
    await room.consume()
    aside = f"SELECT count(*) FROM unreadable WHERE topic = '{room.topic}'"
    assert await asked(room.engines["owner"], aside) == 2
    assert (await room.treatment_now())["totals"][0]["mtz_count"] == 17


async def test_a_crash_between_storing_and_telling(room: Room) -> None:
    """A consumer that dies after its transaction, or reads records again, counts nothing twice and forgets to tell nothing."""
    await room.opened()
    await room.send([frame(0), frame(1)])
    while (await room.consumer.step()).kind == "worked":
        pass
    assert (await room.treatment_now())["phase"] == "opened"  # stored, not told
    store, inlet = PostgresFrameStore(room.engines["frames"]), room.broker.inlet("other", [room.topic])
    again = FramesConsumer(room.runtime, store, inlet, lambda: None, topic=room.topic, wait_seconds=0)
    for _ in range(3):
        await again.step()
    await room.settling.step()
    shown = await room.treatment_now()
    assert (shown["phase"], shown["totals"][0]["mtz_count"]) == ("running", 34)


async def test_another_cluster_is_not_read(room: Room) -> None:
    """Positions belong to one Kafka cluster: with another one at the address nothing is stored until an operator decides."""
    await filled(room)
    room.broker.wipe("another-cluster")
    progress = await room.consumer.step()
    assert (progress.kind, progress.operator) == ("blocked", True)
