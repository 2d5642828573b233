"""Loads what a search for free slots looks at, and searches the days that are legal for the patient one after the other."""

from collections.abc import Iterator, Sequence
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
from scheduling.slots import MARGIN, Day, FreeSlot, Resource, Search, free_slots

ALWAYS = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
Whose = tuple[UUID | None, Itinerary | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A free slot on a legal day; `standing` None where no patient was named."""

    on: date
    slot: FreeSlot
    standing: Literal["firm", "provisional"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalDay:
    """A day that no rule forbids, and what a booking on it would be."""

    on: date
    day: Day
    standing: Literal["firm", "provisional"] | None


async def search_days(call: Call, clinic: Registered, wanted: Wanted, days: tuple[date, date], whose: Whose, limit: int) -> list[Found]:
    """The first `limit` free slots on legal days, in the order of time. Units: `days` local dates, both included."""
    legal = list(_legal_days(clinic, wanted, days, whose[1], call.now()))
    if not legal:
        return []
    search = await _load(call, clinic, wanted, [one.day for one in legal], (legal[0].on, legal[-1].on), whose[0])
    found = []
    for slot in free_slots(search, limit):
        day = next(one for one in legal if slot.starts_at < one.day.window.ends_at)
        found.append(Found(on=day.on, slot=slot, standing=day.standing))
    return found


def _legal_days(
    clinic: Registered, wanted: Wanted, days: tuple[date, date], itinerary: Itinerary | None, now: datetime
) -> Iterator[LegalDay]:
    on = max(days[0], local_date(now, clinic.time_zone))
    while on <= days[1]:
        standing, not_before = _standing(clinic, wanted, on, itinerary, now)
        if standing != "refused":
            yield LegalDay(on=on, day=Day(window=whole_day(on, clinic.time_zone), not_before=not_before), standing=standing)
        on += timedelta(days=1)


def _standing(
    clinic: Registered, wanted: Wanted, on: date, itinerary: Itinerary | None, now: datetime
) -> tuple[Literal["firm", "provisional", "refused"] | None, datetime]:
    """What a booking on that day would be, and the first start at which it still would."""
    if itinerary is None:
        return None, now
    judgement = judge(RULES, itinerary, wanted, on, local_date(now, clinic.time_zone), clinic.clinic_id, look_ahead=False)
    if refusal_of(judgement) is not None:
        return "refused", now
    if isinstance(judgement.clearance, Possible):
        return "provisional", now + timedelta(hours=RULES.clocks.firm_notice_hours, seconds=1)
    return "firm", now


async def _load(
    call: Call, clinic: Registered, wanted: Wanted, days: list[Day], range_: tuple[date, date], patient_id: UUID | None
) -> Search:
    laser = wanted.kind == "laser"
    rooms = [room.room_id for room in clinic.rooms.values() if room.laser_ready or not laser]
    async with call.reading() as conn:
        licences = await practitioners.who_may(conn, clinic.clinic_id, wanted.kind, wanted.modality, range_[0])
        devices = await lasers.which_offer(conn, clinic.clinic_id, wanted.modality or "") if laser else []
        people = [row["practitioner_id"] for row in licences]
        everybody = [*people, *rooms, *devices, *([patient_id] if patient_id else [])]
        span = Window(days[0].window.starts_at - MARGIN, days[-1].window.ends_at + MARGIN)
        taken = await busy.busy_windows(conn, everybody, span.starts_at, span.ends_at)

    def opened(hours: Sequence[Hours], until: date | None = None) -> tuple[Window, ...]:
        """Until the day after the last: visits may go on through midnight; a licence ends with its last day."""
        last = range_[1] + timedelta(days=1)
        return openings(hours, range_[0], last if until is None else min(until, last), clinic.time_zone)

    def resource(resource_id: UUID, windows: tuple[Window, ...]) -> Resource:
        return Resource(id=resource_id, open=windows, busy=tuple(taken[resource_id]))

    return Search(
        rule=RULES.visits[wanted.kind],
        days=days,
        step_minutes=RULES.step_minutes,
        practitioners=[resource(row["practitioner_id"], opened(hours_of(row["hours"]), row["licensed_until"])) for row in licences],
        rooms=[resource(room_id, opened(clinic.hours)) for room_id in rooms],
        lasers=[resource(device_id, (ALWAYS,)) for device_id in devices] if laser else None,
        patient=tuple(taken[patient_id]) if patient_id else (),
    )
