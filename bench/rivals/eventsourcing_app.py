"""`eventsourcing` 9.5 behind FastAPI: an aggregate, its PostgreSQL recorder with database functions, handlers in the thread pool.

It has no token, no tenant, no idempotency, no sealed name: less is asked of it than of ours.
"""

import os
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from fastapi import FastAPI, HTTPException, Request, Response

from bench.rivals.bodies import PatientBody, ProcedureBody


class Patient(Aggregate):  # type: ignore[misc]  # the library is not installed where types are checked
    """The same decisions as ours: registered once, facts only on the version last seen."""

    def __init__(self, patient_id: UUID, clinic_id: UUID, name: str, birth_date: str, contact: str | None) -> None:
        self.clinic_id, self.name, self.birth_date, self.contact = clinic_id, name, birth_date, contact
        self.procedures: list[dict[str, Any]] = []

    @staticmethod
    def create_id(patient_id: UUID) -> UUID:
        """Chosen by the caller."""
        return patient_id

    @event("ProcedureReported")  # type: ignore[untyped-decorator]
    def report_procedure(self, procedure: dict[str, Any]) -> None:
        """One fact more."""
        self.procedures.append(procedure)


class Screening(Application[UUID]):  # type: ignore[misc]
    """The application service."""


_parts = urlsplit(os.environ["RIVAL_URL"])
screening = Screening(
    env={
        "PERSISTENCE_MODULE": "eventsourcing.postgres", "POSTGRES_DBNAME": _parts.path.lstrip("/"), "POSTGRES_HOST": _parts.hostname or "",
        "POSTGRES_PORT": str(_parts.port), "POSTGRES_USER": unquote(_parts.username or ""),
        "POSTGRES_PASSWORD": unquote(_parts.password or ""), "POSTGRES_POOL_SIZE": "8", "POSTGRES_MAX_OVERFLOW": "0",
        "POSTGRES_ENABLE_DB_FUNCTIONS": "y",
    }
)  # fmt: skip
app = FastAPI()


@app.post("/v1/patients", status_code=201)
def register(body: PatientBody, response: Response) -> dict[str, Any]:
    """A new patient."""
    patient = Patient(body.patient_id, body.clinic_id, body.name, body.birth_date.isoformat(), body.contact)
    screening.save(patient)
    response.headers["ETag"] = f'"{patient.version}"'
    return {**body.model_dump(), "version": patient.version}


@app.post("/v1/patients/{patient_id}/procedures", status_code=201)
def report(patient_id: UUID, body: ProcedureBody, request: Request, response: Response) -> dict[str, Any]:
    """A fact, on the version last seen."""
    patient: Patient = screening.repository.get(patient_id)
    if request.headers.get("if-match") != f'"{patient.version}"':
        raise HTTPException(412)
    patient.report_procedure(body.model_dump(mode="json"))
    screening.save(patient)
    response.headers["ETag"] = f'"{patient.version}"'
    return {**body.model_dump(), "patient_id": patient_id, "version": patient.version}
