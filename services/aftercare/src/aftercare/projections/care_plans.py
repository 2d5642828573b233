"""Care plans with their check-ins and adverse events, as a nurse looks at them."""

from collections.abc import Iterator, Mapping, Sequence
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
from erbium_kernel.read_table import Change, all_of, change, one_of, page, put, read_table, revise
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


def changes(envelope: Envelope, event: Event) -> Iterator[Change]:
    """What one more event changes."""
    match event:
        case CarePlanIssued() | CarePlanCorrected():
            yield _plan(envelope, event)
        case CheckInOpened():
            yield _touch(envelope, event.treatment_id)
            yield put(
                CHECK_INS, treatment_id=event.treatment_id, day=event.day,
                patient_id=event.patient_id, clinic_id=event.clinic_id, opened_on=event.opened_on,
            )  # fmt: skip
        case CheckInAnswered():
            yield from _answered(envelope, event)
        case AdverseEventOpened():
            yield _touch(envelope, event.treatment_id)
            yield put(
                ADVERSE_EVENTS, adverse_event_id=event.adverse_event_id, treatment_id=event.treatment_id,
                patient_id=event.patient_id, clinic_id=event.clinic_id, level=event.level, signs=list(event.signs),
                opened_on=event.opened_on, closed_on=None,
            )  # fmt: skip
        case AdverseEventClosed():
            yield _touch(envelope, event.treatment_id)
            yield change(ADVERSE_EVENTS, {"adverse_event_id": event.adverse_event_id}, closed_on=event.closed_on)
        case _:
            assert_never(event)


def _plan(envelope: Envelope, event: CarePlanIssued | CarePlanCorrected) -> Change:
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
        return put(CARE_PLANS, **values, level="GREEN")
    return change(CARE_PLANS, {"treatment_id": treatment.treatment_id}, **values)


def _answered(envelope: Envelope, event: CheckInAnswered) -> Iterator[Change]:
    """An answer stands under its own day; the check-ins that it closes are answered too, with the worst of what they heard."""

    def check_in(before: Mapping[str, Any] | None) -> Mapping[str, Any]:
        return {
            "patient_id": event.patient_id, "clinic_id": event.clinic_id, "answered_on": event.answered_on,
            "level": _worse(event.level, before), "signs": sorted({*event.signs, *((before or {}).get("signs") or [])}),
        }  # fmt: skip

    def plan(before: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return before and {"level": _worse(event.level, before), "version": envelope.version}

    for day in sorted({event.day, *event.closes_days}):
        yield revise(CHECK_INS, {"treatment_id": event.treatment_id, "day": day}, check_in)
    yield revise(CARE_PLANS, {"treatment_id": event.treatment_id}, plan)


def _worse(level: str, before: Mapping[str, Any] | None) -> str:
    return max((level, (before or {}).get("level") or "GREEN"), key=LEVELS.index)


def _touch(envelope: Envelope, treatment_id: UUID) -> Change:
    return change(CARE_PLANS, {"treatment_id": treatment_id}, version=envelope.version)


def _instruction(row: Instruction) -> dict[str, str]:
    return {"id": row.id, "text": row.text, "starts_on": row.starts_on.isoformat(), "ends_on": row.ends_on.isoformat()}


async def care_plan(conn: AsyncConnection, treatment_id: UUID) -> dict[str, Any] | None:
    """The plan of one treatment."""
    return await one_of(conn, select(CARE_PLANS).where(CARE_PLANS.c.treatment_id == treatment_id))


async def care_plans(conn: AsyncConnection, patient_id: UUID | None, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """Plans, of one patient if named, in the order of treatment day and id."""
    query = select(CARE_PLANS) if patient_id is None else select(CARE_PLANS).where(CARE_PLANS.c.patient_id == patient_id)
    return await all_of(conn, page(query, [CARE_PLANS.c.treated_on, CARE_PLANS.c.treatment_id], after, limit))


async def check_ins(conn: AsyncConnection, treatment_id: UUID, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """The check-ins and answers of one treatment, by day."""
    query = select(CHECK_INS).where(CHECK_INS.c.treatment_id == treatment_id)
    return await all_of(conn, page(query, [CHECK_INS.c.day], after, limit))


async def adverse_events(conn: AsyncConnection, open_only: bool, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:  # noqa: FBT001
    """Adverse events of the chain by the day they were opened."""
    query = select(ADVERSE_EVENTS).where(ADVERSE_EVENTS.c.closed_on.is_(None)) if open_only else select(ADVERSE_EVENTS)
    return await all_of(conn, page(query, [ADVERSE_EVENTS.c.opened_on, ADVERSE_EVENTS.c.adverse_event_id], after, limit))


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
    changes=changes,
)
