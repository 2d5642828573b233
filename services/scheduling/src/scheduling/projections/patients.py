"""Patients as the front desk's lists show them: the sealed name, verbatim; gone with the erasure."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, all_of, drop, put, read_table, sealed
from erbium_kernel.subscribing import Projection
from scheduling.heard import ERASED, PatientErased, PatientRegistered
from scheduling.projections import METADATA

PATIENTS = read_table(
    "patients", METADATA, Column("patient_id", Uuid(), nullable=False), Column("name", JSONB(), nullable=False), key=["patient_id"]
)


def changes(envelope: Envelope, record: PatientRegistered | PatientErased) -> Iterator[Change]:
    """One row a patient."""
    if isinstance(record, PatientErased):
        yield drop(PATIENTS, patient_id=record.patient_id)
    elif (name := sealed(record.name)) is not None:
        yield put(PATIENTS, patient_id=record.patient_id, name=name)


PROJECTION = Projection(
    name="scheduling.patients", hears=frozenset({"erbium.screening.patient-registered", ERASED}), tables=(PATIENTS,), changes=changes
)


async def sealed_names(conn: AsyncConnection, patient_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """The sealed names of these patients, as far as they are known here."""
    rows = await all_of(conn, select(PATIENTS).where(PATIENTS.c.patient_id.in_(patient_ids)))
    return {row["patient_id"]: row["name"] for row in rows}
