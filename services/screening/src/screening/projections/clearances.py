"""What was decided about each request for clearance, and how it stands now, with reasons and trace."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from msgspec import to_builtins as plain  # dates and ids as JSON columns have them
from sqlalchemy import Column, Date, Index, Text, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from erbium_kernel.event import Envelope
from erbium_kernel.read_table import Change, all_of, change, drop, one_of, page, put, read_table
from erbium_kernel.subscribing import Projection
from screening.patient.decision_events import (
    ClearanceDeferred,
    ClearanceExpired,
    ClearanceGranted,
    ClearanceRefused,
    ClearanceReinstated,
    ClearanceRevoked,
    ClearanceSuspended,
    PatientErased,
)
from screening.patient.events import Decision
from screening.projections import METADATA

CLEARANCES = read_table(
    "clearances",
    METADATA,
    Column("clearance_id", Uuid(), nullable=False),
    Column("patient_id", Uuid(), nullable=False),
    Column("clinic_id", Uuid(), nullable=False),
    Column("modality", Text(), nullable=False),
    Column("zones", JSONB(), nullable=False),
    Column("indication", Text(), nullable=True),
    Column("outcome", Text(), nullable=False),
    Column("standing", Text(), nullable=False),
    Column("valid_from", Date(), nullable=True),
    Column("valid_until", Date(), nullable=True),
    Column("earliest", Date(), nullable=True),
    Column("decided_on", Date(), nullable=False),
    Column("decided_by", Uuid(), nullable=False),
    Column("limits", JSONB(none_as_null=True), nullable=True),
    Column("reasons", JSONB(), nullable=False),
    Column("missing", JSONB(), nullable=False),
    Column("trace", JSONB(), nullable=False),
    Column("rulebook_version", Text(), nullable=False),
    Index("clearances_of_patient", "chain_id", "patient_id", "clearance_id"),
    key=("clearance_id",),
)
Heard = Decision | ClearanceSuspended | ClearanceReinstated | ClearanceRevoked | ClearanceExpired | PatientErased
HEARS = frozenset(
    {
        "clearance-granted", "clearance-deferred", "clearance-refused", "clearance-suspended", "clearance-reinstated",
        "clearance-revoked", "clearance-expired", "patient-erased",
    }
)  # fmt: skip


def changes(envelope: Envelope, event: Heard) -> Iterator[Change]:
    """One row per request; health data of an erased patient goes too."""
    match event:
        case ClearanceGranted() | ClearanceDeferred() | ClearanceRefused():
            yield put(CLEARANCES, patient_id=envelope.stream_id, **_decided(event))
        case ClearanceSuspended():
            yield change(
                CLEARANCES, {"clearance_id": event.clearance_id}, standing="suspended", outcome=event.outcome,
                earliest=event.earliest, reasons=plain(event.reasons), missing=plain(event.missing), trace=plain(event.trace),
                rulebook_version=event.rulebook_version,
            )  # fmt: skip
        case ClearanceReinstated():
            yield change(
                CLEARANCES, {"clearance_id": event.clearance_id}, standing="valid", outcome="CLEARED", earliest=None,
                reasons=[], missing=[], trace=plain(event.trace), rulebook_version=event.rulebook_version,
            )  # fmt: skip
        case ClearanceRevoked() | ClearanceExpired():
            standing = "revoked" if isinstance(event, ClearanceRevoked) else "expired"
            yield change(CLEARANCES, {"clearance_id": event.clearance_id}, standing=standing)
        case PatientErased():
            yield drop(CLEARANCES, patient_id=envelope.stream_id)


def _decided(event: Decision) -> dict[str, Any]:
    same = {
        "clearance_id": event.clearance_id, "clinic_id": event.clinic_id, "modality": event.modality, "zones": list(event.zones),
        "indication": event.indication, "trace": plain(event.trace), "rulebook_version": event.rulebook_version,
    }  # fmt: skip
    if isinstance(event, ClearanceGranted):
        return same | {
            "outcome": "CLEARED", "standing": "valid", "valid_from": event.valid_from, "valid_until": event.valid_until, "earliest": None,
            "decided_on": event.granted_on, "decided_by": event.granted_by, "limits": plain(event.limits), "reasons": [], "missing": [],
        }  # fmt: skip
    outcome = "DEFERRED" if isinstance(event, ClearanceDeferred) else event.outcome
    return same | {
        "outcome": outcome, "standing": "deferred" if outcome == "DEFERRED" else "refused", "valid_from": None, "valid_until": None,
        "earliest": event.until, "decided_on": event.decided_on, "decided_by": event.decided_by, "limits": None,
        "reasons": plain(event.reasons), "missing": plain(event.missing),
    }  # fmt: skip


PROJECTION = Projection(name="screening.clearances", hears=HEARS, tables=(CLEARANCES,), changes=changes)


async def one_clearance(conn: AsyncConnection, patient_id: UUID, clearance_id: UUID) -> dict[str, Any] | None:
    """The row of one request, if it is this patient's."""
    wanted = (CLEARANCES.c.patient_id == patient_id, CLEARANCES.c.clearance_id == clearance_id)
    return await one_of(conn, select(CLEARANCES).where(*wanted))


async def clearances(conn: AsyncConnection, patient_id: UUID, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """One page of a patient's requests, by id; the trace is in the single view."""
    columns = [column for column in CLEARANCES.c if column.name not in ("chain_id", "trace")]
    query = select(*columns).where(CLEARANCES.c.patient_id == patient_id)
    return await all_of(conn, page(query, [CLEARANCES.c.clearance_id], after, limit))
