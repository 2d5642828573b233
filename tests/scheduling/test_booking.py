"""Hold, give back, book: done, refused, repeated. (Raced: test_raced.py.)"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from erbium_kernel.decider import Claim
from erbium_kernel.errors import NotFound, PersonErased, Rejected
from scheduling.deciders import ITINERARY
from scheduling.hours import Hours, LocalTime
from scheduling.itinerary import commands as c
from scheduling.itinerary import events as e
from scheduling.itinerary import refusals
from scheduling.itinerary.state import INITIAL, Firm
from tests.scheduling.scenes import (
    BIOREVITALISATION,
    CONSULTATION,
    FACE_LASER,
    NEW_YORK,
    PATIENT,
    Desk,
    book,
    changed,
    clearance,
    day,
    hold,
    local,
    move,
    place,
    uid,
)

NOW = local("2026-03-02T09:00")
TEN = local("2026-03-10T10:00")
MORNING = tuple(Hours(weekday=d, opens_minute=8 * 60, closes_minute=12 * 60) for d in range(1, 6))


# --- hold


def test_a_hold_keeps_the_slot_with_everything_it_occupies() -> None:
    """A held laser slot takes practitioner, room, laser and patient, each with its own buffers, until its deadline."""
    desk = Desk()
    [held] = desk.do(clearance("2026-03-02"), hold(TEN, FACE_LASER, at=NOW))
    taken = {one.kind: (one.starts_at - TEN, one.ends_at - held.slot.ends_at) for one in held.slot.occupied}
    minutes = {kind: (before / timedelta(minutes=1), after / timedelta(minutes=1)) for kind, (before, after) in taken.items()}
    assert minutes == {"practitioner": (0, 5), "room": (-5, 15), "laser": (-10, 10), "patient": (0, 0)}
    assert held.expires_at == NOW + timedelta(minutes=10)
    assert {guard.resource for guard in ITINERARY.guards(held) if isinstance(guard, Claim)} == {
        one.resource_id for one in held.slot.occupied
    }


def test_a_hold_may_name_the_time_on_the_clinics_wall() -> None:
    """A start on the wall clock of the clinic is the same slot as the instant it means."""
    desk = Desk()
    [held] = desk.do(hold(LocalTime(on=day("2026-03-10"), minute=600), CONSULTATION, at=NOW))  # type: ignore[arg-type]
    assert held.slot.starts_at == TEN


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"starts": NOW - timedelta(minutes=1)}, refusals.SlotInThePast),
        ({"starts": NOW + timedelta(days=401)}, refusals.SlotTooFarAhead),
        ({"there": place(hours=MORNING), "starts": local("2026-03-10T11:30")}, refusals.ClinicClosed),
        ({"there": place(hours=MORNING), "starts": local("2026-03-14T10:00")}, refusals.ClinicClosed),
        ({"there": place(licence=None)}, refusals.PractitionerNotLicensed),
        ({"there": place(licence=replace(place().licence, modalities=("nafl_1927",)))}, refusals.PractitionerNotLicensed),  # type: ignore[type-var]
        ({"there": place(licence=replace(place().licence, visit_kinds=("consultation",)))}, refusals.PractitionerNotLicensed),  # type: ignore[type-var]
        ({"there": place(licence=replace(place().licence, licensed_until=day("2026-03-09")))}, refusals.PractitionerNotLicensed),  # type: ignore[type-var]
        ({"there": place(licence=replace(place().licence, hours=MORNING)), "starts": local("2026-03-10T11:30")}, refusals.PractitionerAway),  # type: ignore[type-var]
        ({"there": place(room=None)}, refusals.RoomUnsuitable),
        ({"there": place(room=c.Room(laser_ready=False))}, refusals.RoomUnsuitable),
        ({"there": place(laser=None)}, refusals.LaserUnsuitable),
        ({"there": place(laser=c.Laser(modalities=("afl_2940",)))}, refusals.LaserUnsuitable),
        ({"device_id": None}, refusals.VisitIncomplete),
        ({"wanted": replace(FACE_LASER, zones=())}, refusals.VisitIncomplete),
        ({"wanted": CONSULTATION, "device_id": uid("laser")}, refusals.VisitIncomplete),
    ],
)  # fmt: skip
def test_a_hold_is_refused_where_the_place_does_not_fit(changes: dict[str, Any], refusal: type[Rejected]) -> None:
    """Clinic, practitioner, room and laser must all fit: licence x room x laser x hours."""
    values = {"starts": TEN, "wanted": FACE_LASER, **changes}
    desk = Desk()
    desk.do(clearance("2026-03-02"))
    with pytest.raises(refusal):
        desk.do(hold(values.pop("starts"), values.pop("wanted"), at=NOW, **values))


def test_a_licence_counts_on_its_last_day() -> None:
    """`licensed_until` is inclusive."""
    licence = replace(place().licence, licensed_until=day("2026-03-10"))  # type: ignore[type-var]
    assert Desk().do(hold(TEN, CONSULTATION, at=NOW, there=place(licence=licence)))


def test_a_repeated_hold_changes_nothing() -> None:
    """The same hold again yields no event, also when it has become a visit; another slot under its id is refused."""
    desk = Desk()
    wish = hold(TEN, CONSULTATION, at=NOW, name="one")
    desk.do(wish)
    assert desk.do(wish) == []
    desk.do(book(wish, NOW))
    assert desk.do(wish) == []
    with pytest.raises(refusals.HoldExists):
        desk.do(hold(TEN + timedelta(hours=1), CONSULTATION, at=NOW, name="one"))


def test_a_patient_has_few_holds_at_one_time() -> None:
    """The fourth open hold is refused; an expired one no longer counts."""
    desk = Desk()
    for n in range(3):
        desk.do(hold(TEN + timedelta(hours=n), CONSULTATION, at=NOW))
    with pytest.raises(refusals.TooManyHolds):
        desk.do(hold(TEN + timedelta(hours=3), CONSULTATION, at=NOW))
    assert desk.do(hold(TEN + timedelta(hours=3), CONSULTATION, at=NOW + timedelta(minutes=10)))


def test_nothing_is_held_for_an_unknown_or_erased_patient() -> None:
    """A patient that screening has not registered is not found; after the erasure nothing can be booked."""
    with pytest.raises(NotFound):
        ITINERARY.decide(hold(TEN, CONSULTATION, at=NOW), INITIAL)
    desk = Desk()
    desk.do(c.CloseItinerary(patient_id=PATIENT))
    with pytest.raises(PersonErased):
        desk.do(hold(TEN, CONSULTATION, at=NOW))


def test_a_hold_given_back_is_free_again() -> None:
    """Done: the claims are released; repeated: nothing; a hold that was booked cannot be given back."""
    desk = Desk()
    wish = hold(TEN, CONSULTATION, at=NOW)
    desk.do(wish)
    [ended] = desk.do(c.GiveBackHold(hold_id=wish.hold_id, at=NOW))
    assert isinstance(ended, e.HoldEnded)
    assert desk.do(c.GiveBackHold(hold_id=wish.hold_id, at=NOW)) == []
    booked = desk.book(TEN, CONSULTATION, at=NOW)
    with pytest.raises(refusals.HoldGone):
        desk.do(c.GiveBackHold(hold_id=booked, at=NOW))


def test_a_hold_expires_by_its_timer() -> None:
    """The timer set by the hold ends it at its deadline, not before; a timer that comes after the booking changes nothing."""
    desk = Desk()
    [held] = desk.do(hold(TEN, CONSULTATION, at=NOW))
    [timer] = ITINERARY.timers(held)
    assert (timer.type, timer.due_at, timer.ref) == ("hold-expires", held.expires_at, held.hold_id)  # type: ignore[union-attr]
    assert desk.do(c.ExpireHold(hold_id=held.hold_id, at=held.expires_at - timedelta(seconds=1))) == []
    assert [type(event) for event in desk.do(c.ExpireHold(hold_id=held.hold_id, at=held.expires_at))] == [e.HoldEnded]
    booked = desk.book(TEN, CONSULTATION, at=NOW)
    assert desk.do(c.ExpireHold(hold_id=booked, at=held.expires_at)) == []


# --- book


def test_a_visit_is_booked_from_a_hold() -> None:
    """Done: a consultation needs no clearance and is firm; it keeps the hold's claims and stops its timer."""
    desk = Desk()
    wish = hold(TEN, CONSULTATION, at=NOW)
    desk.do(wish)
    [booked] = desk.do(book(wish, NOW))
    assert desk.visit(wish.hold_id).standing == Firm(clearance_id=None)
    assert list(ITINERARY.guards(booked)) == []
    assert f"hold-{wish.hold_id}" in {change.key for change in ITINERARY.timers(booked)}
    assert desk.do(book(wish, NOW)) == []


def test_a_booking_must_present_a_living_hold() -> None:
    """Refused: without a hold, with an expired one (even before its timer has fired), with one whose visit was cancelled."""
    desk = Desk()
    with pytest.raises(refusals.HoldGone):
        desk.do(c.BookVisit(hold_id=uid("no hold"), place=place(), at=NOW))
    wish = hold(TEN, CONSULTATION, at=NOW)
    desk.do(wish)
    with pytest.raises(refusals.HoldGone):
        desk.do(book(wish, NOW + timedelta(minutes=10)))
    desk.do(book(wish, NOW), c.CancelVisit(visit_id=wish.hold_id, cause="patient", at=NOW))
    with pytest.raises(refusals.HoldGone):
        desk.do(book(wish, NOW))


def test_the_booking_decides_again_what_the_hold_decided() -> None:
    """A suspension or a neighbour that came between hold and booking refuses the booking."""
    desk = Desk()
    wish = hold(TEN, FACE_LASER, at=NOW)
    desk.do(clearance("2026-03-02"), wish, changed("suspended", earliest="2026-04-01", at=NOW))
    with pytest.raises(refusals.NotCleared) as refused:
        desk.do(book(wish, NOW))
    assert refused.value.facts["earliest"] == "2026-04-01"


@pytest.mark.parametrize(
    ("meanwhile", "refusal"),
    [
        ({"licence": None}, refusals.PractitionerNotLicensed),
        ({"licence": replace(place().licence, licensed_until=day("2026-03-09"))}, refusals.PractitionerNotLicensed),  # type: ignore[type-var]
        ({"licence": replace(place().licence, hours=())}, refusals.PractitionerAway),  # type: ignore[type-var]
        ({"hours": ()}, refusals.ClinicClosed),
        ({"room": None}, refusals.RoomUnsuitable),
        ({"laser": None}, refusals.LaserUnsuitable),
    ],
)
def test_the_booking_looks_at_the_place_again(meanwhile: dict[str, Any], refusal: type[Rejected]) -> None:
    """A licence withdrawn, hours changed, a laser moved between hold and booking: refused, and the hold may still be given back."""
    desk = Desk()
    wish = hold(TEN, FACE_LASER, at=NOW)
    desk.do(clearance("2026-03-02"), wish)
    with pytest.raises(refusal):
        desk.do(replace(book(wish), place=place(**meanwhile)))
    assert desk.do(c.GiveBackHold(hold_id=wish.hold_id, at=NOW))


def test_a_booked_visit_is_not_booked_anew_when_its_place_has_changed() -> None:
    """The booking repeated after the licence was withdrawn is still the one that was done; so are hold and move."""
    desk = Desk()
    wish = hold(TEN, CONSULTATION, at=NOW)
    desk.do(wish, book(wish))
    gone = place(licence=None)
    assert desk.do(replace(book(wish), place=gone)) == []
    assert desk.do(replace(wish, place=gone)) == []
    moved = move(wish.hold_id, TEN + timedelta(hours=1), CONSULTATION, at=NOW)
    desk.do(moved)
    assert desk.do(replace(moved, place=gone)) == []
    assert desk.do(replace(moved, at=TEN + timedelta(days=1))) == []


def test_both_halves_of_a_forbidden_pair_may_be_held_but_only_one_is_booked() -> None:
    """Laser and biorevitalisation four days apart at two clinics: the second booking is refused."""
    desk = Desk()
    here = hold(TEN, FACE_LASER, at=NOW)
    there = hold(local("2026-03-14T10:00", "America/New_York"), BIOREVITALISATION, at=NOW, clinic=NEW_YORK)
    desk.do(clearance("2026-03-02"), here, there, book(there, NOW))
    with pytest.raises(refusals.IntervalTooShort) as refused:
        desk.do(book(here, NOW))
    assert refused.value.facts["reasons"] == ["NAFL_1550_TO_BIOREVITALISATION v1"] or refused.value.facts["reasons"] == [
        "BIOREVITALISATION_TO_NAFL_1550 v1"
    ]
