"""The store of frames: one suite for the one in memory and the one in PostgreSQL, and both tell the same story."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from device_telemetry.frames.absorbing import Arrival
from device_telemetry.frames.codec import Frame, Receipt
from device_telemetry.frames.consequences import Kept
from device_telemetry.frames.looking import Head
from device_telemetry.frames.memory_store import MemoryFrameStore
from device_telemetry.frames.ranges import Range
from device_telemetry.frames.store import FrameStore, Piece, Seen, Unsettled
from device_telemetry.projections.frame_store import PostgresFrameStore
from device_telemetry.projections.looking import PostgresLooks
from erbium.provision import ServiceUrls
from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.errors import LostLease, Unavailable
from erbium_kernel.topic_port import Received
from tests.device_telemetry.making import BINDING, BOOT, NOW, OTHER_BOOT, OTHER_TREATMENT, TREATMENT_ID, batch, frame

HOT = 71.0  # above the limit of 70 mJ


@dataclass
class Shelf:
    """A store with a chain and a topic of the test's own."""

    store: FrameStore
    sees: Any
    chain: UUID
    topic: str
    at: int = 0

    def arrival(self, frames: Sequence[Frame], minutes: float = 1, **header: Any) -> Arrival:
        at = NOW + timedelta(minutes=minutes)
        return Arrival(Receipt(v=1, chain_id=self.chain, received_at=at, stored_at=at), batch(frames, **header), BINDING, {})

    def piece(self, *arrivals: Arrival, **changed: Any) -> Piece:
        usual = {"topic": self.topic, "partition": 0, "expected": self.at, "next": self.at + 1, "arrivals": arrivals}
        return Piece(**{**usual, **changed})

    async def keep(self, *arrivals: Arrival) -> int:
        """How many frames were new."""
        found = await self.store.keep(self.piece(*arrivals))
        self.at += 1
        return sum(one.count for one in found)

    async def kept(self, treatment_id: UUID = TREATMENT_ID) -> Kept:
        return await self.store.kept(self.chain, treatment_id, ())

    async def seen(self, **header: Any) -> Seen:
        found: Seen = await self.sees(self.chain, batch([frame(0)], **header).header)
        return found

    async def untold(self) -> list[Unsettled]:
        return [one for one in await self.store.unsettled(None, 1_000) if one.chain_id == self.chain]


def in_memory() -> Shelf:
    store = MemoryFrameStore()
    return Shelf(store, store.seen, uuid4(), "frames")


@pytest.fixture
async def in_postgres(telemetry_urls: ServiceUrls) -> AsyncIterator[Shelf]:
    assert telemetry_urls.frames is not None
    frames, api = create_async_engine(sqlalchemy_url(telemetry_urls.frames)), create_async_engine(sqlalchemy_url(telemetry_urls.api))

    async def sees(chain_id: UUID, header: Any) -> Seen:
        return (await PostgresLooks(api).look(chain_id, header, [])).seen

    yield Shelf(PostgresFrameStore(frames), sees, uuid4(), f"frames.{secrets.token_hex(6)}")
    await frames.dispose()
    await api.dispose()


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.servers)])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    found: Shelf = in_memory() if request.param == "memory" else request.getfixturevalue("in_postgres")
    return found


async def test_each_frame_counts_once(shelf: Shelf) -> None:
    """What comes again is a duplicate, in one transaction and over two; sums, ranges and the newest time are those of the first coming."""
    await shelf.store.prepare()
    assert await shelf.store.position(shelf.topic, 0) == 0
    assert await shelf.keep(shelf.arrival([frame(0), frame(1)]), shelf.arrival([frame(1), frame(2)], minutes=2)) == 3
    assert await shelf.keep(shelf.arrival([frame(2), frame(0)], minutes=9)) == 0
    assert await shelf.store.position(shelf.topic, 0) == 2
    kept = await shelf.kept()
    [recording] = kept.recordings
    assert (kept.zones["face"].frames, kept.zones["face"].mtz_count) == (3, 51)
    assert (recording.received, recording.duplicates, recording.highest_seq) == ((Range(0, 2),), 3, 2)
    assert recording.last_received_at == NOW + timedelta(minutes=2)
    seen = await shelf.seen()
    assert (seen.boot.received, seen.boot.newest_ms, seen.zones["face"].mtz_count) == ((Range(0, 2),), 1_200, 51)
    assert (await shelf.seen(boot_id=OTHER_BOOT)).boot == ((), None)


async def test_nothing_is_stored_by_a_reader_who_is_late(shelf: Shelf) -> None:
    """A position that has moved refuses the piece whole, whoever moved it."""
    piece = shelf.piece(shelf.arrival([frame(0)]))
    await shelf.store.keep(piece)
    for late in (piece, replace(piece, arrivals=[shelf.arrival([frame(1)])])):
        with pytest.raises(LostLease):
            await shelf.store.keep(late)
    assert (await shelf.kept()).zones["face"].frames == 1


async def test_what_remains_to_be_told(shelf: Shelf) -> None:
    """A treatment is to be told once its frames have changed, with its findings, until it has been; what comes meanwhile stays."""
    await shelf.keep(shelf.arrival([frame(0, energy_mj=HOT)]))
    [first] = await shelf.untold()
    assert [finding.cause for finding in first.findings] == ["energy_over_limit"]
    await shelf.keep(shelf.arrival([frame(1, energy_mj=HOT)]))
    await shelf.store.settled(first)
    [second] = await shelf.untold()
    assert [(finding.breach.seq_first, finding.breach.seq_last) for finding in second.findings] == [(1, 1)]
    await shelf.keep(shelf.arrival([frame(0)], treatment_id=OTHER_TREATMENT, boot_id=OTHER_BOOT))
    await shelf.store.settled(second)
    [other] = await shelf.untold()
    assert other.treatment_id == OTHER_TREATMENT
    await shelf.store.settled(other)
    await shelf.store.settled(other)
    assert await shelf.untold() == []


async def test_round_and_round(shelf: Shelf) -> None:
    """Treatments are told in one order, from after the one last told, a bounded number at a time."""
    for n in range(3):
        await shelf.keep(shelf.arrival([frame(0)], treatment_id=UUID(int=n + 1), boot_id=UUID(int=n + 1)))
    ids = [one.treatment_id.int for one in await shelf.untold()]
    assert ids == [1, 2, 3]
    after = await shelf.store.unsettled((shelf.chain, UUID(int=1)), 1)
    assert [(one.chain_id, one.treatment_id.int) for one in after] == [(shelf.chain, 2)]


async def test_caught_up_when_every_partition_is(shelf: Shelf) -> None:
    """The time is that of the slowest partition; none while one was never seen to its end."""
    assert await shelf.store.caught_up_since(shelf.topic) is None
    for partition in (0, 1):
        await shelf.store.position(shelf.topic, partition)
    await shelf.store.caught_up(shelf.topic, [0], NOW)
    assert await shelf.store.caught_up_since(shelf.topic) is None
    await shelf.store.caught_up(shelf.topic, [1], NOW + timedelta(seconds=5))
    assert await shelf.store.caught_up_since(shelf.topic) == NOW
    await shelf.store.caught_up(shelf.topic, [0], NOW + timedelta(seconds=9))
    assert await shelf.store.caught_up_since(shelf.topic) == NOW + timedelta(seconds=5)


async def test_a_number_used_again_is_found(shelf: Shelf) -> None:
    """A counter that begins again in the same boot: its frames pass for duplicates, are in no total, and so stop the laser."""
    await shelf.keep(shelf.arrival([frame(seq) for seq in range(10)]))
    await shelf.keep(shelf.arrival([frame(3)]), shelf.arrival([frame(4, device_ms=90_000)]))
    [untold] = await shelf.untold()
    [finding] = untold.findings
    assert (finding.cause, finding.breach.seq_first, finding.breach.measured, finding.breach.limit) == ("numbers_reused", 4, 90_000, 1_900)
    assert (await shelf.kept()).zones["face"].frames == 10


async def test_what_cannot_be_read_is_kept(shelf: Shelf) -> None:
    """A record that is set aside moves the position like any other."""
    record = Received(topic=shelf.topic, partition=0, offset=0, key=b"k", value=None, headers=())
    await shelf.store.keep(shelf.piece(aside=[record], reason="junk"))
    assert await shelf.store.position(shelf.topic, 0) == 1
    assert await shelf.untold() == []


async def told_by(shelf: Shelf, seed: int) -> list[Any]:
    """Everything that a store tells of a random story: the same seed, the same story."""
    chance = random.Random(seed)
    told: list[Any] = []
    for _ in range(12):
        arrivals = []
        for _ in range(chance.randint(1, 3)):
            boot = chance.choice([BOOT, OTHER_BOOT])
            numbers = chance.sample(range(40), k=chance.randint(1, 15))
            frames = [
                frame(seq, zone=chance.choice(["face", "nose"]), mtz_count=chance.randint(0, 30), energy_mj=chance.choice([20.0, HOT]))
                for seq in numbers
            ]
            header = {
                "boot_id": boot, "first_seq": chance.choice([0, 0, 5]), "sent_device_ms": chance.choice([None, 9_000]),
                "last_seq": chance.choice([None, None, 39, 41]),
            }  # fmt: skip
            arrivals.append(shelf.arrival(frames, minutes=chance.randint(1, 90), **header))
        told.append(await shelf.keep(*arrivals))
        kept, seen = await shelf.kept(), [await shelf.seen(boot_id=boot) for boot in (BOOT, OTHER_BOOT)]
        told.append((kept.recordings, dict(kept.zones), dict(kept.fullest_cells), seen))
        untold = await shelf.untold()
        told.append([(one.treatment_id, one.touched, one.findings) for one in untold])
        if chance.random() < 0.4:
            await shelf.store.settled(untold[0])
    return told


@pytest.mark.parametrize("seed", range(5))
async def test_both_tell_the_same(in_postgres: Shelf, seed: int) -> None:
    """Duplicates, reordering, two boots, limits passed: memory and PostgreSQL say the same after every transaction."""
    assert await told_by(in_memory(), seed) == await told_by(in_postgres, seed)


async def test_one_boot_in_two_partitions(in_postgres: Shelf) -> None:
    """A topic that was given more partitions: two consumers store one laser's frames at once, and each still counts once."""
    shelf = in_postgres
    parts = [[frame(seq) for seq in range(start, start + 60)] for start in range(0, 300, 30)]  # each frame in two of them
    for partition in (0, 1):
        await shelf.store.position(shelf.topic, partition)

    async def store(partition: int) -> int:
        fresh = 0
        for at, frames in enumerate(parts[partition::2]):
            found = await shelf.store.keep(shelf.piece(shelf.arrival(frames), partition=partition, expected=at, next=at + 1))
            fresh += sum(one.count for one in found)
        return fresh

    assert sum(await asyncio.gather(store(0), store(1))) == 330
    kept = await shelf.kept()
    assert (kept.recordings[0].received, kept.zones["face"].frames) == ((Range(0, 329),), 330)


@pytest.mark.servers
async def test_a_connection_that_died_is_not_looked_through_again(telemetry_urls: ServiceUrls) -> None:
    """A connection of the pool dies: one look is told so, and the next one is answered."""
    engine = create_async_engine(sqlalchemy_url(telemetry_urls.api), pool_size=1, max_overflow=0)
    looks, this = PostgresLooks(engine), batch([frame(0)]).header
    for _ in range(2):
        assert (await looks.look(uuid4(), this, ["treatment-none"])).heads == [Head(0, None)]
        async with engine.connect() as conn:
            (await conn.get_raw_connection()).driver_connection.terminate()  # type: ignore[union-attr]
        with pytest.raises(Unavailable):
            await looks.look(uuid4(), this, [])
    assert (await looks.look(uuid4(), this, [])).heads == []
    await engine.dispose()
