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
from erbium_kernel.personal import PersonalData, Sealed
from erbium_kernel.read_table import Change, drop, put, read_table
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
    yield put(PATIENTS, patient_id=heard.patient_id, name=_sealed(heard.name), contact=_sealed(heard.contact))


def _sealed(value: PersonalData | None) -> dict[str, Any] | None:
    if not isinstance(value, Sealed):
        return None
    return {"v": value.v, "subject_id": str(value.subject_id), "nonce": value.nonce, "ciphertext": value.ciphertext}


async def patient(conn: AsyncConnection, patient_id: UUID) -> dict[str, Any] | None:
    """The sealed values of one patient."""
    row = (await conn.execute(select(PATIENTS).where(PATIENTS.c.patient_id == patient_id))).mappings().first()
    return dict(row) if row else None


PROJECTION = Projection(name="aftercare.patients", hears=frozenset({REGISTERED, ERASED}), tables=(PATIENTS,), changes=changes)
