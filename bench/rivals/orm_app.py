"""The usual handler: FastAPI, pydantic, an async SQLAlchemy ORM session per request, an outbox row in the same transaction.

It has no token, no tenant, no idempotency, no sealed name, and keeps no history: less is asked of it than of ours.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import FastAPI, HTTPException, Request, Response
from sqlalchemy import ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from bench.rivals.bodies import PatientBody, ProcedureBody


class Base(DeclarativeBase):
    """All tables."""


class Patient(Base):
    """A patient as a row."""

    __tablename__ = "orm_patients"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    clinic_id: Mapped[UUID]
    name: Mapped[str]
    birth_date: Mapped[date]
    contact: Mapped[str | None]
    procedures: Mapped[list["Procedure"]] = relationship(lazy="selectin")
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  # as SQLAlchemy wants it


class Procedure(Base):
    """A fact as a row."""

    __tablename__ = "orm_procedures"
    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("orm_patients.id"), index=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Outbox(Base):
    """What others are to hear."""

    __tablename__ = "orm_outbox"
    id: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


engine = create_async_engine(
    os.environ["RIVAL_URL"].replace("postgresql:", "postgresql+asyncpg:"), pool_size=8, max_overflow=0, pool_timeout=60
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Tables first."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/patients", status_code=201)
async def register(body: PatientBody, response: Response) -> dict[str, Any]:
    """A new patient."""
    async with sessions() as session:
        values = body.model_dump()
        patient = Patient(id=values.pop("patient_id"), **values)
        session.add(patient)
        session.add(Outbox(data=body.model_dump(mode="json")))
        await session.commit()
    response.headers["ETag"] = f'"{patient.version}"'
    return {**body.model_dump(), "version": patient.version}


@app.post("/v1/patients/{patient_id}/procedures", status_code=201)
async def report(patient_id: UUID, body: ProcedureBody, request: Request, response: Response) -> dict[str, Any]:
    """A fact, on the version last seen."""
    async with sessions() as session:
        patient = await session.get(Patient, patient_id)
        if patient is None:
            raise HTTPException(404)
        if request.headers.get("if-match") != f'"{patient.version}"':
            raise HTTPException(412)
        patient.procedures.append(Procedure(data=body.model_dump(mode="json")))
        patient.clinic_id = body.clinic_id
        session.add(Outbox(data=body.model_dump(mode="json")))
        await session.commit()
    response.headers["ETag"] = f'"{patient.version}"'
    return {**body.model_dump(), "patient_id": patient_id, "version": patient.version}
