"""Loads what a search for free slots looks at, and searches the days that are legal for the patient one after the other."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from uuid import UUID

from erbium_kernel.clinical_dates import local_date
from erbium_kernel.http import Call
from scheduling.clinic.state import Registered
from scheduling.deciders import RULES
from scheduling.hours import Hours, Window, openings, whole_day
from scheduling.itinerary.slot import Wanted
from scheduling.itinerary.standing import Possible, judge, refusal_of
from scheduling.itinerary.state import Itinerary
from scheduling.projections import busy, lasers, practitioners
from scheduling.projections.clinics import hours_of
from scheduling.slots import MARGIN, FreeSlot, Resource, Search, free_slots

ALWAYS = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
Whose = tuple[UUID | None, Itinerary | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A free slot on a legal day; `standing` None where no patient was named."""

    on: date
    slot: FreeSlot
    standing: Literal["firm", "provisional"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All that a clinic offers for a visit in a range of days, and when each is taken."""

    practitioners: tuple[Resource, ...]
    licensed_until: dict[UUID, date | None]
    rooms: tuple[Resource, ...]
    lasers: tuple[Resource, ...] | None
    patient: tuple[Window, ...]


async def search_days(call: Call, clinic: Registered, wanted: Wanted, days: tuple[date, date], whose: Whose, limit: int) -> list[Found]:
    """The first `limit` free slots on legal days, in the order of time. Units: `days` local dates, both included."""
    resources = await _load(call, clinic, wanted, days, whose[0])
    found: list[Found] = []
    on = max(days[0], local_date(call.now(), clinic.time_zone))
    while on <= days[1] and len(found) < limit:
        found.extend(_on(clinic, wanted, on, resources, whose[1], call.now(), limit - len(found)))
        on += timedelta(days=1)
    return found


def _on(
    clinic: Registered, wanted: Wanted, on: date, resources: Resources, itinerary: Itinerary | None, now: datetime, limit: int
) -> list[Found]:
    standing, not_before = _standing(clinic, wanted, on, itinerary, now)
    if standing == "refused":
        return []
    may = [one for one in resources.practitioners if (until := resources.licensed_until[one.id]) is None or on <= until]
    search = Search(
        rule=RULES.visits[wanted.kind],
        span=whole_day(on, clinic.time_zone),
        not_before=not_before,
        step_minutes=RULES.step_minutes,
        practitioners=may,
        rooms=resources.rooms,
        lasers=resources.lasers,
        patient=resources.patient,
    )
    return [Found(on=on, slot=slot, standing=standing) for slot in free_slots(search, limit)]


def _standing(
    clinic: Registered, wanted: Wanted, on: date, itinerary: Itinerary | None, now: datetime
) -> tuple[Literal["firm", "provisional", "refused"] | None, datetime]:
    """What a booking on that day would be, and the first start at which it still would."""
    if itinerary is None:
        return None, now
    judgement = judge(RULES, itinerary, wanted, on, local_date(now, clinic.time_zone), clinic.clinic_id)
    if refusal_of(judgement) is not None:
        return "refused", now
    if isinstance(judgement.clearance, Possible):
        return "provisional", now + timedelta(hours=RULES.clocks.firm_notice_hours) + timedelta(seconds=1)
    return "firm", now


async def _load(call: Call, clinic: Registered, wanted: Wanted, days: tuple[date, date], patient_id: UUID | None) -> Resources:
    laser = wanted.kind == "laser"
    rooms = [room.room_id for room in clinic.rooms.values() if room.laser_ready or not laser]
    async with call.reading() as conn:
        licences = await practitioners.who_may(conn, clinic.clinic_id, wanted.kind, wanted.modality, days[0])
        devices = await lasers.which_offer(conn, clinic.clinic_id, wanted.modality or "") if laser else []
        people = [row["practitioner_id"] for row in licences]
        everybody = [*people, *rooms, *devices, *([patient_id] if patient_id else [])]
        first, last = whole_day(days[0], clinic.time_zone), whole_day(days[1], clinic.time_zone)
        taken = await busy.busy_windows(conn, everybody, first.starts_at - MARGIN, last.ends_at + MARGIN)

    def resource(resource_id: UUID, hours: tuple[Hours, ...] | None) -> Resource:
        opened = (ALWAYS,) if hours is None else openings(hours, days[0], days[1] + timedelta(days=1), clinic.time_zone)
        return Resource(id=resource_id, open=opened, busy=tuple(taken[resource_id]))

    return Resources(
        practitioners=tuple(resource(row["practitioner_id"], hours_of(row["hours"])) for row in licences),
        licensed_until={row["practitioner_id"]: row["licensed_until"] for row in licences},
        rooms=tuple(resource(room_id, clinic.hours) for room_id in rooms),
        lasers=tuple(resource(device_id, None) for device_id in devices) if laser else None,
        patient=tuple(taken.get(patient_id, ())) if patient_id else (),
    )
