"""The usual way: an outbox table written with the row, polled every 100 ms, sent to Kafka one record each, upserted through the ORM."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.asked import answering, reading
from bench.patience import until

TOPIC = "bench.rival.facts"
POLL_SECONDS = 0.1
PAGE = 100
CONNECTIONS = 8
WAIT_SECONDS_MAX = 30.0
DATA = {"note": "x" * 280}


class Base(DeclarativeBase):
    """All tables."""


class Registered(Base):
    """The fact."""

    __tablename__ = "orm_registered"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Waiting(Base):
    """The outbox."""

    __tablename__ = "orm_waiting"
    position: Mapped[int] = mapped_column(primary_key=True)
    fact_id: Mapped[UUID]


class Seen(Base):
    """The read table of the other service."""

    __tablename__ = "orm_seen"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


DELAYS = text(
    "SELECT extract(epoch FROM pg_xact_commit_timestamp(seen.xmin) - pg_xact_commit_timestamp(sent.xmin))::float8 "
    "FROM orm_registered sent JOIN orm_seen seen USING (id) WHERE id = ANY(:ids)"
)


class Usual:
    """Writer, poller and consumer in one process."""

    def __init__(self, url: str, kafka: str) -> None:
        """Nothing is opened."""
        engine = create_async_engine(
            url.replace("postgresql:", "postgresql+asyncpg:"), pool_size=CONNECTIONS, max_overflow=4, pool_timeout=60
        )
        self._engine, self._kafka, self._sessions = engine, kafka, async_sessionmaker(engine, expire_on_commit=False)
        self._seen: set[UUID] = set()

    async def open(self) -> None:
        """Tables, producer, consumer, and the two loops."""
        async with self._engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        self._producer = AIOKafkaProducer(bootstrap_servers=self._kafka, acks="all")
        self._consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=self._kafka, auto_offset_reset="latest")
        await self._producer.start()
        await self._consumer.start()
        await self._consumer.seek_to_end()
        self._loops = [asyncio.create_task(self._poll()), asyncio.create_task(self._consume())]

    async def measure(self, seconds: float, per_second: float) -> dict[str, Any]:
        """Evenly spaced; delays from commit to commit."""
        sent, tasks = list[UUID](), set[asyncio.Task[None]]()
        begun, cpu_s = time.perf_counter(), time.process_time()
        for n in range(int(seconds * per_second)):
            await asyncio.sleep(max(0.0, begun + n / per_second - time.perf_counter()))
            sent.append(uuid4())
            tasks.add(asyncio.create_task(self._write(sent[-1])))
        await asyncio.gather(*tasks)
        took = time.perf_counter() - begun

        async def all_seen() -> bool:
            return self._seen.issuperset(sent)

        await until(all_seen, seconds_max=WAIT_SECONDS_MAX)
        async with self._sessions() as session:
            delays_s = list((await session.scalars(DELAYS, {"ids": sent})).all())
        return reading(took, delays_s, time.process_time() - cpu_s)

    async def _write(self, id_: UUID) -> None:
        async with self._sessions() as session:
            session.add_all([Registered(id=id_, data=DATA), Waiting(fact_id=id_)])
            await session.commit()

    async def _poll(self) -> None:
        while True:
            async with self._sessions() as session:
                rows = (await session.scalars(select(Waiting).order_by(Waiting.position).limit(PAGE))).all()
                for row in rows:
                    await self._producer.send_and_wait(TOPIC, row.fact_id.bytes)
                await session.execute(delete(Waiting).where(Waiting.position.in_([row.position for row in rows])))
                await session.commit()
                left = await session.scalar(select(func.count()).select_from(Waiting))
            if not left:
                await asyncio.sleep(POLL_SECONDS)

    async def _consume(self) -> None:
        async for one in self._consumer:
            async with self._sessions() as session:
                await session.merge(Seen(id=UUID(bytes=one.value), data=DATA))
                await session.commit()
            self._seen.add(UUID(bytes=one.value))


def begin(url: str, kafka: str, **_: Any) -> Any:
    """One loop for the whole life of the program."""
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    usual = Usual(url, kafka)
    runner.run(usual.open())
    return lambda seconds, per_second: runner.run(usual.measure(seconds, per_second))


if __name__ == "__main__":
    answering(begin)
