"""Treatments as people list them: whose, where, in which phase. Doses come from the stored frames."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Date, DateTime, Index, Text, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from device_telemetry.projections.frame_tables import METADATA
from device_telemetry.treatment.events import (
    TreatmentAborted,
    TreatmentCompleted,
    TreatmentEnded,
    TreatmentOpened,
    TreatmentPartiallyCompleted,
    TreatmentStarted,
)
from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, all_of, change, page, put, read_table
from erbium_kernel.subscribing import Projection

treatments = read_table(
    "treatments",
    METADATA,
    Column("treatment_id", Uuid(), nullable=False),
    Column("patient_id", Uuid(), nullable=False),
    Column("visit_id", Uuid(), nullable=False),
    Column("clearance_id", Uuid(), nullable=False),
    Column("clinic_id", Uuid(), nullable=False),
    Column("device_id", Uuid(), nullable=False),
    Column("modality", Text(), nullable=False),
    Column("zones", JSONB(), nullable=False),
    Column("on", Date(), nullable=False),
    Column("phase", Text(), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Index("treatments_of_patient", "chain_id", "patient_id"),
    key=("treatment_id",),
)

PHASES: Final[dict[type, str]] = {
    TreatmentStarted: "running",
    TreatmentEnded: "ended",
    TreatmentCompleted: "completed",
    TreatmentPartiallyCompleted: "partially_completed",
}


def changes(envelope: Envelope, record: Any) -> Iterator[Change]:
    """Each event sets what it says; repeating it changes nothing."""
    if isinstance(record, TreatmentOpened):
        yield _opened(record)
        return
    values: dict[str, Any] = {"phase": PHASES.get(type(record), "")}
    if isinstance(record, TreatmentAborted):
        if record.delivered:
            return  # its end comes with it
        values = {"phase": "given_up"}
    elif isinstance(record, TreatmentStarted):
        values |= {"started_at": record.started_at, "on": record.on}
    elif isinstance(record, TreatmentEnded):
        values |= {"ended_at": record.ended_at}
    yield change(treatments, {"treatment_id": record.ids.treatment_id}, **values)


def _opened(record: TreatmentOpened) -> Change:
    ids = record.ids
    return put(
        treatments, treatment_id=ids.treatment_id, patient_id=ids.patient_id, visit_id=ids.visit_id,
        clearance_id=ids.clearance_id, clinic_id=ids.clinic_id, device_id=ids.device_id, modality=ids.modality, zones=list(ids.zones),
        on=record.binding.on, phase="opened", opened_at=record.binding.bound_at,
    )  # fmt: skip


TREATMENTS = Projection(
    name="device-telemetry.treatments",
    hears=frozenset(
        {
            "treatment-opened",
            "treatment-started",
            "treatment-ended",
            "treatment-completed",
            "treatment-partially-completed",
            "treatment-aborted",
        }
    ),
    tables=(treatments,),
    changes=changes,
)


async def list_treatments(
    conn: AsyncConnection, patient_id: UUID | None, clinic_id: UUID | None, after: tuple[Any, ...] | None, limit: int
) -> list[dict[str, Any]]:
    """In the order of their ids, which follows their opening when the ids are made here."""
    query = select(treatments)
    if patient_id is not None:
        query = query.where(treatments.c.patient_id == patient_id)
    if clinic_id is not None:
        query = query.where(treatments.c.clinic_id == clinic_id)
    return await all_of(conn, page(query, [treatments.c.treatment_id], after, limit))
