"""Care plans with their check-ins and adverse events, as a nurse looks at them."""

from collections.abc import Sequence
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Column, Date, Integer, String, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from aftercare.care.events import (
    AdverseEventClosed,
    AdverseEventOpened,
    CarePlanCorrected,
    CarePlanIssued,
    CheckInAnswered,
    CheckInOpened,
    Event,
    Instruction,
)
from aftercare.projections import METADATA
from aftercare.rules import LEVELS
from erbium_kernel.event import Envelope
from erbium_kernel.read_table import change, page, put, read_table
from erbium_kernel.subscribing import Projection

CARE_PLANS = read_table(
    "care_plans",
    METADATA,
    Column("treatment_id", Uuid(), nullable=False),
    Column("patient_id", Uuid(), nullable=False),
    Column("clinic_id", Uuid(), nullable=False),
    Column("modality", String(), nullable=False),
    Column("treated_on", Date(), nullable=False),
    Column("basis", String(), nullable=False),
    Column("rules_version", Integer(), nullable=False),
    Column("instructions", JSONB(), nullable=False),
    Column("level", String(), nullable=False),
    Column("version", Integer(), nullable=False),
    key=("treatment_id",),
)
CHECK_INS = read_table(
    "check_ins",
    METADATA,
    Column("treatment_id", Uuid(), nullable=False),
    Column("day", Integer(), nullable=False),
    Column("patient_id", Uuid(), nullable=False),
    Column("clinic_id", Uuid(), nullable=False),
    Column("opened_on", Date(), nullable=True),
    Column("answered_on", Date(), nullable=True),
    Column("level", String(), nullable=True),
    Column("signs", JSONB(), nullable=True),
    key=("treatment_id", "day"),
)
ADVERSE_EVENTS = read_table(
    "adverse_events",
    METADATA,
    Column("adverse_event_id", Uuid(), nullable=False),
    Column("treatment_id", Uuid(), nullable=False),
    Column("patient_id", Uuid(), nullable=False),
    Column("clinic_id", Uuid(), nullable=False),
    Column("level", String(), nullable=False),
    Column("signs", JSONB(), nullable=False),
    Column("opened_on", Date(), nullable=False),
    Column("closed_on", Date(), nullable=True),
    key=("adverse_event_id",),
)


async def apply(conn: AsyncConnection, envelope: Envelope, event: Event) -> None:
    """One more event in the tables."""
    chain_id = envelope.chain_id
    match event:
        case CarePlanIssued() | CarePlanCorrected():
            await _plan(conn, envelope, event)
        case CheckInOpened():
            await _touch(conn, envelope, event.treatment_id)
            await put(
                conn, CHECK_INS, chain_id, treatment_id=event.treatment_id, day=event.day,
                patient_id=event.patient_id, clinic_id=event.clinic_id, opened_on=event.opened_on,
            )  # fmt: skip
        case CheckInAnswered():
            await _answered(conn, envelope, event)
        case AdverseEventOpened():
            await _touch(conn, envelope, event.treatment_id)
            await put(
                conn, ADVERSE_EVENTS, chain_id, adverse_event_id=event.adverse_event_id, treatment_id=event.treatment_id,
                patient_id=event.patient_id, clinic_id=event.clinic_id, level=event.level, signs=list(event.signs),
                opened_on=event.opened_on, closed_on=None,
            )  # fmt: skip
        case AdverseEventClosed():
            await _touch(conn, envelope, event.treatment_id)
            await change(conn, ADVERSE_EVENTS, chain_id, {"adverse_event_id": event.adverse_event_id}, closed_on=event.closed_on)
        case _:
            assert_never(event)


async def _plan(conn: AsyncConnection, envelope: Envelope, event: CarePlanIssued | CarePlanCorrected) -> None:
    treatment = event.treatment
    values: dict[str, Any] = {
        "treatment_id": treatment.treatment_id,
        "patient_id": treatment.patient_id,
        "clinic_id": treatment.clinic_id,
        "modality": treatment.modality,
        "treated_on": treatment.treated_on,
        "basis": treatment.basis,
        "rules_version": event.rules_version,
        "instructions": [_instruction(row) for row in event.instructions],
        "version": envelope.version,
    }
    if isinstance(event, CarePlanIssued):
        await put(conn, CARE_PLANS, envelope.chain_id, **values, level="GREEN")
    else:
        await change(conn, CARE_PLANS, envelope.chain_id, {"treatment_id": treatment.treatment_id}, **values)


async def _answered(conn: AsyncConnection, envelope: Envelope, event: CheckInAnswered) -> None:
    """An answer stands under its own day; the check-ins that it closes are answered too, with the worst of what they heard."""
    for day in sorted({event.day, *event.closes_days}):
        before = await _check_in(conn, event.treatment_id, day)
        level = max((event.level, (before or {}).get("level") or "GREEN"), key=LEVELS.index)
        signs = sorted({*event.signs, *((before or {}).get("signs") or [])})
        await put(
            conn, CHECK_INS, envelope.chain_id, treatment_id=event.treatment_id, day=day, patient_id=event.patient_id,
            clinic_id=event.clinic_id, answered_on=event.answered_on, level=level, signs=signs,
        )  # fmt: skip
    plan = await care_plan(conn, event.treatment_id)
    worst = max((event.level, plan["level"] if plan else "GREEN"), key=LEVELS.index)
    await change(conn, CARE_PLANS, envelope.chain_id, {"treatment_id": event.treatment_id}, level=worst, version=envelope.version)


async def _touch(conn: AsyncConnection, envelope: Envelope, treatment_id: UUID) -> None:
    await change(conn, CARE_PLANS, envelope.chain_id, {"treatment_id": treatment_id}, version=envelope.version)


def _instruction(row: Instruction) -> dict[str, str]:
    return {"id": row.id, "text": row.text, "starts_on": row.starts_on.isoformat(), "ends_on": row.ends_on.isoformat()}


async def _check_in(conn: AsyncConnection, treatment_id: UUID, day: int) -> dict[str, Any] | None:
    row = (await conn.execute(select(CHECK_INS).where(CHECK_INS.c.treatment_id == treatment_id, CHECK_INS.c.day == day))).mappings().first()
    return dict(row) if row else None


async def care_plan(conn: AsyncConnection, treatment_id: UUID) -> dict[str, Any] | None:
    """The plan of one treatment."""
    row = (await conn.execute(select(CARE_PLANS).where(CARE_PLANS.c.treatment_id == treatment_id))).mappings().first()
    return dict(row) if row else None


async def care_plans(conn: AsyncConnection, patient_id: UUID | None, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """Plans, of one patient if named, in the order of treatment day and id."""
    query = select(CARE_PLANS) if patient_id is None else select(CARE_PLANS).where(CARE_PLANS.c.patient_id == patient_id)
    rows = await conn.execute(page(query, [CARE_PLANS.c.treated_on, CARE_PLANS.c.treatment_id], after, limit))
    return [dict(row) for row in rows.mappings()]


async def check_ins(conn: AsyncConnection, treatment_id: UUID, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """The check-ins and answers of one treatment, by day."""
    rows = await conn.execute(page(select(CHECK_INS).where(CHECK_INS.c.treatment_id == treatment_id), [CHECK_INS.c.day], after, limit))
    return [dict(row) for row in rows.mappings()]


async def adverse_events(conn: AsyncConnection, open_only: bool, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:  # noqa: FBT001
    """Adverse events of the chain by the day they were opened."""
    query = select(ADVERSE_EVENTS).where(ADVERSE_EVENTS.c.closed_on.is_(None)) if open_only else select(ADVERSE_EVENTS)
    rows = await conn.execute(page(query, [ADVERSE_EVENTS.c.opened_on, ADVERSE_EVENTS.c.adverse_event_id], after, limit))
    return [dict(row) for row in rows.mappings()]


PROJECTION = Projection(
    name="aftercare.care-plans",
    hears=frozenset(
        {
            "care-plan-issued",
            "care-plan-corrected",
            "check-in-opened",
            "check-in-answered",
            "adverse-event-opened",
            "adverse-event-closed",
        }
    ),
    tables=(CARE_PLANS, CHECK_INS, ADVERSE_EVENTS),
    apply=apply,
)
