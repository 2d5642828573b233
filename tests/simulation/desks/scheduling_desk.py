"""What is asked of scheduling."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from erbium_kernel.clinical_dates import local_date
from erbium_kernel.errors import Rejected
from erbium_kernel.http.call import Call
from scheduling.clinic.commands import AddRoom, RegisterClinic
from scheduling.deciders import CLINIC, ITINERARY, PRACTITIONER
from scheduling.http.places import SlotBody, place_of
from scheduling.itinerary import commands as c
from scheduling.itinerary.slot import Wanted
from scheduling.practitioner.commands import LicensePractitioner
from scheduling.rules import VISIT_KINDS
from tests.simulation.checkers.deferrals import check_earliest
from tests.simulation.clients import Ask
from tests.simulation.people import CLINICS, EVERY_DAY, PATIENTS, PRACTITIONERS, Clinic

if TYPE_CHECKING:
    from tests.simulation.world import World

SITE: Final = "scheduling"
FACE_LASER: Final = Wanted(kind="laser", modality="nafl_1550", zones=("face",))
WISHES: Final = (FACE_LASER, FACE_LASER, Wanted(kind="biorevitalisation", zones=("face",)), Wanted(kind="consultation"))
DAYS_AHEAD: Final = (0, 1, 1, 2, 3, 5, 9, 15, 16, 29)
SAME_DAY: Final = 0.7  # in a crowded run
HOURS: Final = (9, 10, 11, 14)


def _nothing(*_: Any) -> None:
    return None


def open_clinic(clinic: Clinic) -> list[Ask]:
    """The requests that make a clinic bookable."""

    async def register(call: Call) -> None:
        command = RegisterClinic(clinic_id=clinic.id, name=clinic.name, time_zone=clinic.time_zone, hours=EVERY_DAY, at=call.now())
        await call.execute(CLINIC, clinic.id, command, render=_nothing)

    def room(room_id: UUID) -> Ask:
        async def add(call: Call) -> None:
            command = AddRoom(clinic_id=clinic.id, room_id=room_id, label="room", laser_ready=True, at=call.now())
            await call.execute(CLINIC, clinic.id, command, render=_nothing)

        return Ask(site=SITE, name="add-room", handle=add)

    return [Ask(site=SITE, name="register-clinic", handle=register), *(room(room_id) for room_id in clinic.rooms)]


def license_practitioner(practitioner_id: UUID, clinic: Clinic) -> Ask:
    """Somebody may work at a clinic."""

    async def handle(call: Call) -> None:
        command = LicensePractitioner(
            practitioner_id=practitioner_id, clinic_id=clinic.id, visit_kinds=VISIT_KINDS, modalities=("nafl_1550",), licensed_until=None,
            hours=EVERY_DAY, at=call.now(),
        )  # fmt: skip
        await call.execute(PRACTITIONER, practitioner_id, command, render=_nothing)

    return Ask(site=SITE, name="license", handle=handle)


def _slot(world: "World", chance: random.Random, wanted: Wanted, days: tuple[int, ...] = DAYS_AHEAD, first: date | None = None) -> SlotBody:
    clinic, now = chance.choice(CLINICS[:1] if world.crowded else CLINICS), world.watch.seen[SITE].site.clock.now()
    today, zone = local_date(now, clinic.time_zone), ZoneInfo(clinic.time_zone)
    hours = [time(hour, minute) for hour in HOURS for minute in (0, 30)]
    later = [hour for hour in hours if datetime.combine(today, hour, zone) > now]
    ahead = 1 if world.crowded and chance.random() < SAME_DAY else chance.choice(days)
    on = max(today + timedelta(days=ahead or (not later)), first or today)
    starts_at = datetime.combine(on, chance.choice(later if on == today else hours), zone).astimezone(UTC)
    return SlotBody(
        clinic_id=clinic.id, practitioner_id=chance.choice(PRACTITIONERS), room_id=chance.choice(clinic.rooms),
        device_id=clinic.laser if wanted.kind == "laser" else None, starts_at=starts_at,
    )  # fmt: skip


def hold(
    world: "World",
    chance: random.Random,
    who: int,
    wanted: Wanted | None = None,
    days: tuple[int, ...] = DAYS_AHEAD,
    first: date | None = None,
) -> Ask:
    """Keep a slot."""
    patient_id, wish = PATIENTS[who], wanted or chance.choice(WISHES)
    body = _slot(world, chance, wish, days, first)

    async def handle(call: Call) -> None:
        place = await place_of(call, body)
        command = c.HoldSlot(hold_id=call.new_id(), patient_id=patient_id, wanted=wish, asked=body.asked(), place=place, at=call.now())
        with _a_day_that_is_one(world, patient_id, wish, body, command.at, command.hold_id):
            await call.execute(ITINERARY, patient_id, command, render=_nothing)

    return Ask(site=SITE, name="hold", handle=handle)


@contextmanager
def _a_day_that_is_one(world: "World", patient_id: UUID, wanted: Wanted, body: SlotBody, at: datetime, visit_id: UUID) -> Iterator[None]:
    """The earliest day that a refusal names is looked at, while the itinerary stands as it stood when it was decided."""
    seen = world.watch.seen[SITE]
    zone = next(clinic.time_zone for clinic in CLINICS if clinic.id == body.clinic_id)
    version = seen.version("itinerary", patient_id)
    try:
        yield
    except Rejected as refusal:
        if seen.version("itinerary", patient_id) == version and not refusal.replayed:
            assert body.starts_at is not None
            state, asked_on = seen.state("itinerary", patient_id), local_date(body.starts_at, zone)
            check_earliest(refusal, state, wanted, asked_on, local_date(at, zone), visit_id)
        raise


def book(world: "World", chance: random.Random, who: int) -> Ask | None:
    """Turn a hold into a visit."""
    itinerary = world.watch.seen[SITE].state("itinerary", PATIENTS[who])
    if not itinerary.holds:
        return None
    patient_id, hold_id = PATIENTS[who], chance.choice(list(itinerary.holds))

    async def handle(call: Call) -> None:
        place = await place_of(call, itinerary.holds[hold_id].slot)
        await call.execute(ITINERARY, patient_id, c.BookVisit(hold_id=hold_id, place=place, at=call.now()), render=_nothing)

    return Ask(site=SITE, name="book", handle=handle)


def give_back(world: "World", chance: random.Random, who: int) -> Ask | None:
    """The slot is not wanted after all."""
    itinerary = world.watch.seen[SITE].state("itinerary", PATIENTS[who])
    if not itinerary.holds:
        return None
    patient_id, hold_id = PATIENTS[who], chance.choice(list(itinerary.holds))

    async def handle(call: Call) -> None:
        await call.execute(ITINERARY, patient_id, c.GiveBackHold(hold_id=hold_id, at=call.now()), render=_nothing)

    return Ask(site=SITE, name="give-back", handle=handle)


def some_visit(world: "World", chance: random.Random, who: int) -> Any:
    """One that is not over, or None."""
    visits = list(world.watch.seen[SITE].state("itinerary", PATIENTS[who]).visits.values())
    return chance.choice(visits) if visits else None


def move(world: "World", chance: random.Random, who: int) -> Ask | None:
    """Another slot."""
    visit = some_visit(world, chance, who)
    if visit is None:
        return None
    patient_id, body = PATIENTS[who], _slot(world, chance, visit.wanted)

    async def handle(call: Call) -> None:
        command = c.MoveVisit(visit_id=visit.visit_id, asked=body.asked(), place=await place_of(call, body), at=call.now())
        with _a_day_that_is_one(world, patient_id, visit.wanted, body, command.at, visit.visit_id):
            await call.execute(ITINERARY, patient_id, command, render=_nothing)

    return Ask(site=SITE, name="move", handle=handle)


def of_visit(world: "World", who: int, visit_id: UUID, name: str, make: Any) -> Ask:
    """A command about one visit; `make(visit_id, at)`."""
    patient_id = PATIENTS[who]

    async def handle(call: Call) -> None:
        await call.execute(ITINERARY, patient_id, make(visit_id, call.now()), render=_nothing)

    return Ask(site=SITE, name=name, handle=handle)


def cancel(world: "World", chance: random.Random, who: int) -> Ask | None:
    """It will not take place."""
    visit = some_visit(world, chance, who)
    cause: Any = chance.choice(("patient", "clinic", "no-show"))
    if visit is None:
        return None
    return of_visit(world, who, visit.visit_id, "cancel", lambda id_, at: c.CancelVisit(visit_id=id_, cause=cause, at=at))


def check_in(world: "World", who: int, visit_id: UUID) -> Ask:
    """The patient is there."""
    return of_visit(world, who, visit_id, "check-in", lambda id_, at: c.CheckIn(visit_id=id_, at=at))


def attest(world: "World", chance: random.Random, who: int, visit_id: UUID) -> Ask:
    """The question of the day; now and then something has changed."""
    changes = chance.random() < 0.15
    return of_visit(
        world, who, visit_id, "attest", lambda id_, at: c.AttestDay(visit_id=id_, changes=changes, attested_by="nurse-1", at=at)
    )


def approve_same_day(world: "World", who: int, visit_id: UUID) -> Ask:
    """Examination and treatment on one day."""
    return of_visit(world, who, visit_id, "approve-same-day", lambda id_, at: c.ApproveSameDay(visit_id=id_, approved_by="doctor-1", at=at))


def some_day(world: "World") -> date:
    """Today, somewhere."""
    return local_date(world.watch.seen[SITE].site.clock.now(), CLINICS[0].time_zone)


def today(world: "World", visit: Any) -> date:
    """The local day of the visit's clinic."""
    return local_date(world.watch.seen[SITE].site.clock.now(), visit.slot.time_zone)
