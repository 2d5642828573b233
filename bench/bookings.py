"""Patients who are cleared for a laser and have a visit in a few days: what a new fact is to freeze."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from bench.ground import Ground, connect
from bench.history import TIME_ZONE
from bench.patience import until
from bench.service_here import do
from erbium_kernel.personal import Personal
from erbium_kernel.running import Running
from scheduling.deciders import ITINERARY
from scheduling.hours import Hours
from scheduling.itinerary import commands as book
from scheduling.itinerary.slot import Wanted
from screening.deciders import PATIENT
from screening.patient import commands as screen

AT_ONCE: Final = 16
HEARD_SECONDS_MAX: Final = 60.0
DAYS_AHEAD: Final = 5
MODALITY: Final = "nafl_1550"
NO_TO_EVERYTHING: Final = {
    "pregnancy": "no", "cold_sore_now": "no", "cold_sore_history": "no", "isotretinoin": "never", "sun_exposure": "none",
    "keloid_tendency": "no", "peeling": "no", "botulinum_toxin": "no", "filler": "no", "biorevitalisation": "no", "waxing": "no",
}  # fmt: skip
ALWAYS: Final = tuple(Hours(weekday=day, opens_minute=0, closes_minute=1440) for day in range(1, 8))
WANTED: Final = Wanted(kind="laser", modality=MODALITY, zones=("face",))
HEARD: Final = "SELECT count(*) FROM log WHERE chain_id = $1 AND stream = ANY($2) AND type = 'clearance-heard'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A patient with a firm visit. `version` is that of the screening record."""

    patient_id: UUID
    visit_id: UUID
    version: int


async def booked(ground: Ground, screening: Running, scheduling: Running, count: int) -> list[Booked]:
    """So many, cleared in screening, heard by scheduling's running process, each with a practitioner, a room and a laser of their own."""
    patients = [uuid4() for _ in range(count)]
    versions = await _in_turn([_cleared(ground, screening, patient_id) for patient_id in patients])
    await _heard(ground, patients)
    visits = await _in_turn([_visit(ground, scheduling, patient_id) for patient_id in patients])
    return [Booked(patient_id=p, visit_id=v, version=n) for p, v, n in zip(patients, visits, versions, strict=True)]


async def _in_turn(work: Sequence[Any]) -> list[Any]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(task: Any) -> Any:
        async with turns:
            return await task

    return await asyncio.gather(*(one(task) for task in work))


async def _cleared(ground: Ground, screening: Running, patient_id: UUID) -> int:
    act = screen.Act(
        clinic_id=ground.clinics[0], time_zone=TIME_ZONE, at=datetime.now(UTC), by=ground.clinics[0], roles=frozenset({"doctor"})
    )
    replies = tuple(screen.Reply(question=question, value=value) for question, value in NO_TO_EVERYTHING.items())
    version = 0
    for command in (
        screen.RegisterPatient(
            act=act,
            patient_id=patient_id,
            name=Personal(patient_id, "Ada Sample"),
            birth_date=Personal(patient_id, "1986-05-05"),
            contact=None,
        ),
        screen.AnswerQuestionnaire(act=act, answers_id=uuid4(), replies=replies),
        screen.HoldConsultation(act=act, consultation_id=uuid4(), skin_type="II", findings=(), note=None),
        screen.RequestClearance(act=act, clearance_id=uuid4(), modality=MODALITY, zones=("face",), indication="PHOTO_FACE"),
    ):
        version = (await do(screening, ground.chain, PATIENT, patient_id, command)).version
    return version


async def _heard(ground: Ground, patients: Sequence[UUID]) -> None:
    connection = await connect(ground.superuser("scheduling"))
    streams = [f"itinerary-{patient}" for patient in patients]

    async def heard() -> bool:
        return bool(await connection.fetchval(HEARD, ground.chain, streams) >= len(patients))

    try:
        await until(heard, seconds_max=HEARD_SECONDS_MAX)
    finally:
        await connection.close()


async def _visit(ground: Ground, scheduling: Running, patient_id: UUID) -> UUID:
    now, visit_id = datetime.now(UTC), uuid4()
    at_ten = (now + timedelta(days=DAYS_AHEAD)).replace(hour=10, minute=0, second=0, microsecond=0)
    licence = book.Licence(visit_kinds=("laser",), modalities=(MODALITY,), licensed_until=None, hours=ALWAYS)
    place = book.Place(
        clinic_id=ground.clinics[0], time_zone=TIME_ZONE, hours=ALWAYS, room=book.Room(laser_ready=True), licence=licence,
        laser=book.Laser(modalities=(MODALITY,)),
    )  # fmt: skip
    asked = book.Asked(starts=at_ten, practitioner_id=uuid4(), room_id=uuid4(), device_id=uuid4())
    hold = book.HoldSlot(hold_id=visit_id, patient_id=patient_id, wanted=WANTED, asked=asked, place=place, at=now)
    await do(scheduling, ground.chain, ITINERARY, patient_id, hold)
    await do(scheduling, ground.chain, ITINERARY, patient_id, book.BookVisit(hold_id=visit_id, place=place, at=now))
    return visit_id
