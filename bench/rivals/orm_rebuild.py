"""The usual way: events streamed as ORM objects, `merge` for each into the read table, a commit every 500."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import uvloop
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.asked import answering, now

EVENTS = 20_000
EVENTS_OF_A_PATIENT = 10
PAGE = 500
DATA = {"kind": "botulinum_toxin", "note": "x" * 240}


class Base(DeclarativeBase):
    """All tables."""


class Fact(Base):
    """An event as a row."""

    __tablename__ = "orm_facts"
    position: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID]
    version: Mapped[int]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


class PatientSeen(Base):
    """The read table."""

    __tablename__ = "orm_patients_seen"
    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


def begin(url: str, **_: Any) -> Any:
    """Fills the table before the clock starts."""
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def fill() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with sessions() as session:
            if await session.scalar(select(func.count()).select_from(Fact)):
                return
            for _n in range(EVENTS // EVENTS_OF_A_PATIENT):
                id_ = uuid4()
                session.add_all([Fact(patient_id=id_, version=v, data=DATA) for v in range(1, EVENTS_OF_A_PATIENT + 1)])
            await session.commit()

    async def rebuild(seconds: float) -> dict[str, Any]:
        async with engine.begin() as connection:
            await connection.execute(text("TRUNCATE orm_patients_seen"))
        count, at = 0, 0
        (begun, cpu_s), end = now(), time.perf_counter() + seconds
        while time.perf_counter() < end:
            async with sessions() as session:
                facts = (await session.scalars(select(Fact).where(Fact.position > at).order_by(Fact.position).limit(PAGE))).all()
                for fact in facts:
                    await session.merge(PatientSeen(patient_id=fact.patient_id, version=fact.version, data=fact.data))
                    at, count = fact.position, count + 1
                await session.commit()
            if len(facts) < PAGE:
                break
        done, used_s = now()
        return {"per_second": count / (done - begun), "cpu_us": 1e6 * (used_s - cpu_s) / count}

    runner.run(fill())
    return lambda seconds: runner.run(rebuild(seconds))


if __name__ == "__main__":
    answering(begin)
