"""The usual way of readings into rows: one Kafka record and one SQLAlchemy ORM object each, offsets committed to Kafka after the rows."""

import asyncio
import json
import time
from typing import Any
from uuid import UUID, uuid4

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.asked import answering, now
from bench.rivals.bodies import FrameBody

TOPIC = "bench.rival.stored"
READINGS_PER_SECOND_SOUGHT = 3_000
BATCH = 500


class Base(DeclarativeBase):
    """All tables."""


class Frame(Base):
    """One frame as a row, under the same key as ours."""

    __tablename__ = "orm_frames"
    device_id: Mapped[UUID] = mapped_column(primary_key=True)
    boot_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    treatment_id: Mapped[UUID] = mapped_column(index=True)
    device_ms: Mapped[int]
    zone: Mapped[str]
    pass_no: Mapped[int]
    energy_set_mj: Mapped[float]
    energy_mj: Mapped[float]
    mtz_count: Mapped[int]
    grid_row: Mapped[int]
    grid_col: Mapped[int]
    emission: Mapped[bool]
    temp_tip_c: Mapped[float | None]
    fault_bits: Mapped[int]


def begin(url: str, kafka: str, **_: Any) -> Any:
    """Fills the topic before the clock starts."""
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def make() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)

    async def fill(count: int) -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=5) as producer:
            ids = {"treatment_id": str(uuid4()), "device_id": str(uuid4()), "boot_id": str(uuid4())}
            rest = {
                "device_ms": 1, "zone": "face", "pass_no": 1, "energy_set_mj": 40.0, "energy_mj": 39.5, "mtz_count": 1, "grid_row": 1,
                "grid_col": 1, "emission": True, "temp_tip_c": 31.5, "fault_bits": 0,
            }  # fmt: skip
            waiting = [await producer.send(TOPIC, json.dumps({**ids, "seq": seq, **rest}).encode()) for seq in range(count)]
            await asyncio.gather(*waiting)

    async def store(seconds: float) -> dict[str, Any]:
        count = int(seconds * READINGS_PER_SECOND_SOUGHT)
        await fill(count)
        consumer = AIOKafkaConsumer(
            TOPIC, bootstrap_servers=kafka, group_id="bench.rival", enable_auto_commit=False, auto_offset_reset="earliest"
        )
        async with consumer:
            stored, begun, cpu_s = 0, 0.0, 0.0
            while stored < count:
                found = await consumer.getmany(timeout_ms=500, max_records=BATCH)
                if not found:
                    continue
                if not stored:
                    begun, cpu_s = now()
                frames = [FrameBody.model_validate_json(one.value) for part in found.values() for one in part]
                async with sessions() as session:
                    session.add_all([Frame(**frame.model_dump()) for frame in frames])
                    await session.commit()
                await consumer.commit()
                stored += len(frames)
            took, used_s = time.perf_counter() - begun, time.process_time() - cpu_s
        return {"per_second": stored / took, "cpu_us": 1e6 * used_s / stored}

    runner.run(make())
    return lambda seconds: runner.run(store(seconds))


if __name__ == "__main__":
    answering(begin)
