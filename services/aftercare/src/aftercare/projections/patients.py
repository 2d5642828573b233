"""Whom to call: the sealed name and contact of each patient, as screening published them."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from aftercare.heard import ERASED, REGISTERED, PatientErased, PatientRegistered
from aftercare.projections import METADATA
from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, drop, one_of, put, read_table, sealed
from erbium_kernel.subscribing import Projection

PATIENTS = read_table(
    "patients",
    METADATA,
    Column("patient_id", Uuid(), nullable=False),
    Column("name", JSONB(), nullable=True),
    Column("contact", JSONB(), nullable=True),
    key=("patient_id",),
)


def changes(envelope: Envelope, heard: PatientRegistered | PatientErased) -> Iterator[Change]:
    """A row appears with the registration and goes with the erasure."""
    if isinstance(heard, PatientErased):
        yield drop(PATIENTS, patient_id=heard.patient_id)
        return
    yield put(PATIENTS, patient_id=heard.patient_id, name=sealed(heard.name), contact=sealed(heard.contact))


async def patient(conn: AsyncConnection, patient_id: UUID) -> dict[str, Any] | None:
    """The sealed values of one patient."""
    return await one_of(conn, select(PATIENTS).where(PATIENTS.c.patient_id == patient_id))


PROJECTION = Projection(name="aftercare.patients", hears=frozenset({REGISTERED, ERASED}), tables=(PATIENTS,), changes=changes)
