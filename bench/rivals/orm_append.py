"""The usual way: a SQLAlchemy ORM session per event, add, commit, on asyncpg."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import uvloop
from sqlalchemy import UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.asked import answering, now, reading

DATA = {"kind": "botulinum_toxin", "zones": ["forehead"], "on": "2026-01-15", "note": "x" * 222}
CONNECTIONS = 8


class Base(DeclarativeBase):
    """All tables."""


class StoredFact(Base):
    """An event as a row."""

    __tablename__ = "orm_append"
    __table_args__ = (UniqueConstraint("stream", "version"),)
    position: Mapped[int] = mapped_column(primary_key=True)
    stream: Mapped[UUID]
    version: Mapped[int]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


def begin(url: str, **_: Any) -> Any:
    """One loop for the whole life of the program."""
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"), pool_size=CONNECTIONS, max_overflow=0)
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def make() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)

    async def once() -> None:
        async with sessions() as session:
            session.add(StoredFact(stream=uuid4(), version=1, data=DATA))
            await session.commit()

    async def keep(callers: int, seconds: float) -> list[float]:
        latencies: list[float] = []
        end = time.perf_counter() + seconds

        async def caller() -> None:
            while (started := time.perf_counter()) < end:
                await once()
                latencies.append(time.perf_counter() - started)

        await asyncio.gather(*(caller() for _ in range(callers)))
        return latencies

    runner.run(make())

    def append(seconds: float, in_flight: int) -> dict[str, Any]:
        begun, cpu_s = now()
        latencies = runner.run(keep(in_flight, seconds))
        done, used_s = now()
        return reading(done - begun, latencies, used_s - cpu_s)

    return append


if __name__ == "__main__":
    answering(begin)
