"""The patients of a chain: sealed name, birth date and contact verbatim; the row goes with the erasure."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Date, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, all_of, change, drop, one_of, page, put, read_table, sealed
from erbium_kernel.subscribing import Projection
from screening.patient.decision_events import PatientErased
from screening.patient.events import EVENTS, Event
from screening.patient.fact_events import PatientRegistered
from screening.projections import METADATA

PATIENTS = read_table(
    "patients",
    METADATA,
    Column("patient_id", Uuid(), nullable=False),
    Column("clinic_id", Uuid(), nullable=False),
    Column("name", JSONB(), nullable=False),
    Column("birth_date", JSONB(), nullable=False),
    Column("contact", JSONB(none_as_null=True), nullable=True),
    Column("registered_on", Date(), nullable=False),
    Column("version", BigInteger(), nullable=False),
    key=("patient_id",),
)


def changes(envelope: Envelope, event: Event) -> Iterator[Change]:
    """A row per patient, at the version of the newest event; repeating an older one does not take it back."""
    patient_id = envelope.stream_id
    if isinstance(event, PatientErased):
        yield drop(PATIENTS, patient_id=patient_id)
    elif isinstance(event, PatientRegistered):
        yield put(
            PATIENTS, patient_id=patient_id, clinic_id=event.clinic_id, name=sealed(event.name),
            birth_date=sealed(event.birth_date), contact=sealed(event.contact), registered_on=event.registered_on, version=envelope.version,
        )  # fmt: skip
    else:
        yield change(PATIENTS, {"patient_id": patient_id}, version=envelope.version)


PROJECTION = Projection(name="screening.patients", hears=frozenset(EVENTS), tables=(PATIENTS,), changes=changes)


async def one_patient(conn: AsyncConnection, patient_id: UUID) -> dict[str, Any] | None:
    """The row of one patient."""
    return await one_of(conn, select(PATIENTS).where(PATIENTS.c.patient_id == patient_id))


async def patients(conn: AsyncConnection, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """One page of patients, by id. Why by id: names are sealed, and sort keys appear in addresses."""
    return await all_of(conn, page(select(PATIENTS), [PATIENTS.c.patient_id], after, limit))
