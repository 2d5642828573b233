"""Every command of scheduling: done, refused, repeated, raced, by one table that no command is missing from."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from erbium_kernel.errors import NotFound, PersonErased
from scheduling.clinic.commands import ClinicCommand
from scheduling.clinic.decide import ClinicExists, RoomExists
from scheduling.deciders import CLINIC, ITINERARY, LASER, PRACTITIONER
from scheduling.itinerary import commands as c
from scheduling.itinerary import refusals as r
from scheduling.laser.commands import LaserCommand
from scheduling.practitioner.commands import PractitionerCommand
from scheduling.practitioner.decide import LaserLicenceNeedsModality
from scheduling.wiring import SERVICE
from tests.four_claims import Claims, Ground, check_done_and_repeated, check_every_command, check_raced, check_refused
from tests.scheduling.scenes import (
    BERLIN,
    BIOREVITALISATION,
    FACE_LASER,
    PATIENT,
    book,
    changed,
    clearance,
    hold,
    local,
    move,
    place,
    procedure,
    treatment,
    uid,
    verdict,
)
from tests.scheduling.setting_up import add_room, install, license_doctor, register

NOW = local("2026-03-02T09:00")
TEN = local("2026-03-10T10:00")
OPEN, CLOSE = c.OpenItinerary(patient_id=PATIENT), c.CloseItinerary(patient_id=PATIENT)
CLEARED = [OPEN, clearance("2026-03-02")]
HOLD = hold(TEN, FACE_LASER, at=NOW)
BOOK = book(HOLD)
BOOKED = [*CLEARED, HOLD, BOOK]
VISIT = HOLD.hold_id
LATER = hold(local("2026-04-10T10:00"), FACE_LASER, at=NOW, name="later")  # no clearance reaches it: provisional
WAITING = [*CLEARED, LATER, book(LATER)]
GEL = hold(TEN + timedelta(days=13), BIOREVITALISATION, at=NOW)
MOVE = move(VISIT, TEN + timedelta(days=1), FACE_LASER, at=NOW)
SUSPENDED = changed("suspended", at=NOW)
ARRIVED = c.CheckIn(visit_id=VISIT, at=TEN)
ATTEST = c.AttestDay(visit_id=VISIT, changes=True, attested_by="nurse-1", at=TEN)
APPROVE = c.ApproveSameDay(visit_id=VISIT, approved_by="doctor-1", at=TEN)
EXAMINED_TODAY = [OPEN, clearance("2026-03-10", at=NOW), HOLD, BOOK]
TREATED = treatment("2026-03-10", at=TEN, visit=VISIT)
LATE = "a timer that comes late, twice or too early changes nothing"
HEARD = "a fact is a fact; of an erased person there is nothing to record"
ERASED = [OPEN, CLOSE]

ITINERARIES = [
    Claims(command=HOLD, before=CLEARED, event="slot-held", refused={
        NotFound: ([], HOLD), PersonErased: (ERASED, HOLD), r.NotCleared: ([OPEN], HOLD),
        r.IntervalTooShort: ([*CLEARED, GEL, book(GEL)], HOLD), r.ClinicClosed: (CLEARED, replace(HOLD, place=place(hours=()))),
        r.SlotInThePast: (CLEARED, replace(HOLD, at=TEN + timedelta(minutes=1))),
        r.HoldExists: ([*CLEARED, HOLD], replace(HOLD, wanted=BIOREVITALISATION))}),
    Claims(command=c.GiveBackHold(hold_id=VISIT, at=NOW), before=[*CLEARED, HOLD], event="hold-ended", refused={
        r.HoldGone: (BOOKED, c.GiveBackHold(hold_id=VISIT, at=NOW))}),
    Claims(command=BOOK, before=[*CLEARED, HOLD], event="visit-booked", refused={
        r.HoldGone: (CLEARED, BOOK), r.NotCleared: ([*CLEARED, HOLD, SUSPENDED], BOOK),
        r.IntervalTooShort: ([*CLEARED, HOLD, GEL, book(GEL)], BOOK),
        r.PractitionerNotLicensed: ([*CLEARED, HOLD], replace(BOOK, place=place(licence=None)))}),
    Claims(command=MOVE, before=BOOKED, event="visit-moved", refused={
        NotFound: (CLEARED, MOVE), r.AlreadyArrived: ([*BOOKED, ARRIVED], MOVE), r.VisitOver: ([*BOOKED, TREATED], MOVE)}),
    Claims(command=c.CancelVisit(visit_id=VISIT, cause="patient", at=NOW), before=BOOKED, event="visit-cancelled", refused={
        NotFound: (CLEARED, c.CancelVisit(visit_id=VISIT, cause="patient", at=NOW)),
        r.VisitOver: ([*BOOKED, TREATED], c.CancelVisit(visit_id=VISIT, cause="patient", at=NOW))}),
    Claims(command=ARRIVED, before=BOOKED, event="visit-checked-in", refused={
        r.VisitNotToday: (BOOKED, replace(ARRIVED, at=NOW)), r.VisitNotFirm: ([*BOOKED, SUSPENDED], ARRIVED),
        r.SameDayNotApproved: (EXAMINED_TODAY, ARRIVED)}),
    Claims(command=ATTEST, before=[*BOOKED, ARRIVED], event="day-attested", refused={
        r.NotArrived: (BOOKED, ATTEST), r.ChangesStand: ([*BOOKED, ARRIVED, ATTEST], replace(ATTEST, changes=False))}),
    Claims(command=APPROVE, before=EXAMINED_TODAY, event="same-day-approved", refused={
        r.NotTheSameDay: (BOOKED, APPROVE), r.VisitNotToday: (EXAMINED_TODAY, replace(APPROVE, at=NOW))}),
    Claims(command=c.ExpireHold(hold_id=VISIT, at=TEN), before=[*CLEARED, HOLD], event="hold-ended", never=LATE,
           quiet=[[], CLEARED, BOOKED]),
    Claims(command=c.ReleaseProvisional(visit_id=LATER.hold_id, at=local("2026-04-08T10:00")), before=WAITING, event="visit-cancelled",
           never=LATE, quiet=[[], CLEARED, [*WAITING, clearance("2026-03-20", name="second")]]),
    Claims(command=c.EndFreeze(visit_id=VISIT, at=TEN), before=[*BOOKED, SUSPENDED], event="visit-cancelled", never=LATE,
           quiet=[[], BOOKED, [*BOOKED, SUSPENDED, changed("reinstated", at=NOW)]]),
    Claims(command=OPEN, event="itinerary-opened", never=HEARD, quiet=[ERASED]),
    Claims(command=CLOSE, before=BOOKED, event="itinerary-closed", never=HEARD, quiet=[ERASED]),
    Claims(command=clearance("2026-03-02"), before=[OPEN], event="clearance-heard", never=HEARD, quiet=[ERASED]),
    Claims(command=SUSPENDED, before=BOOKED, event="visit-frozen", never=HEARD, quiet=[ERASED]),
    Claims(command=verdict("DEFERRED", at=NOW), before=BOOKED, event="verdict-heard", never=HEARD, quiet=[ERASED]),
    Claims(command=procedure("filler_ha", "2026-03-01", at=NOW), before=BOOKED, event="procedure-heard", never=HEARD, quiet=[ERASED]),
    Claims(command=TREATED, before=BOOKED, event="treatment-heard", never=HEARD, quiet=[ERASED]),
]  # fmt: skip
CLINICS = [
    Claims(command=register(), event="clinic-registered", refused={ClinicExists: ([register()], register(time_zone="Europe/Paris"))}),
    Claims(command=add_room("one"), before=[register()], event="room-added", refused={
        NotFound: ([], add_room("one")), RoomExists: ([register(), add_room("one")], add_room("one", laser_ready=False))}),
]  # fmt: skip
PRACTITIONERS = [
    Claims(command=license_doctor(), event="practitioner-licensed", refused={
        LaserLicenceNeedsModality: ([], license_doctor(modalities=()))}),
]  # fmt: skip
LASERS = [Claims(command=install(), event="laser-installed", never="telemetry has decided it already", quiet=[[install()]])]
ALL: list[Any] = [
    *((claims, ITINERARY, PATIENT) for claims in ITINERARIES),
    *((claims, CLINIC, BERLIN) for claims in CLINICS),
    *((claims, PRACTITIONER, uid("doctor")) for claims in PRACTITIONERS),
    *((claims, LASER, uid("laser")) for claims in LASERS),
]


@pytest.mark.parametrize(("claims", "decider", "stream_id"), ALL, ids=lambda value: str(value) if isinstance(value, Claims) else "")
class TestEveryCommand:
    """The four claims, one row a command."""

    async def test_done_and_repeated(self, claims: Claims, decider: Any, stream_id: Any) -> None:
        """Done once; the same again changes nothing."""
        await check_done_and_repeated(Ground(SERVICE, decider, stream_id), claims)

    async def test_raced(self, claims: Claims, decider: Any, stream_id: Any) -> None:
        """Twice at once is once. What forbids it at the same moment: test_raced.py."""
        await check_raced(Ground(SERVICE, decider, stream_id), claims)

    async def test_refused(self, claims: Claims, decider: Any, stream_id: Any) -> None:
        """Refused by its name, or never, for the reason that the row gives."""
        await check_refused(lambda: Ground(SERVICE, decider, stream_id), claims)


def test_no_command_is_missing() -> None:
    """The table has every command of the four aggregates, and each of them may be refused or says why it never is."""
    check_every_command(ITINERARIES, c.ItineraryCommand)
    check_every_command(CLINICS, ClinicCommand)
    check_every_command(PRACTITIONERS, PractitionerCommand)
    check_every_command(LASERS, LaserCommand)
