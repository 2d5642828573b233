"""Every command raced through execute: whatever the interleaving, what is forbidden does not happen."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from scheduling.deciders import CLINIC, ITINERARY, LASER, PRACTITIONER
from scheduling.itinerary import commands as c
from scheduling.itinerary import events as e
from scheduling.itinerary.state import Firm, Frozen
from tests.house import race
from tests.scheduling.floor import Floor
from tests.scheduling.scenes import (
    BERLIN,
    BIOREVITALISATION,
    CHAIN,
    CONSULTATION,
    FACE_LASER,
    NEW_YORK,
    OTHER_PATIENT,
    PATIENT,
    asked,
    book,
    changed,
    clearance,
    hold,
    local,
    place,
    procedure,
    uid,
)
from tests.scheduling.setting_up import add_room, install, license_doctor, register

NOW = local("2026-03-02T09:00")
TEN = local("2026-03-10T10:00")
TWICE = range(2)


@pytest.fixture
async def floor() -> Floor:
    """Two patients, one of them cleared."""
    floor = Floor()
    await floor.opened(PATIENT, OTHER_PATIENT)
    await floor.do(PATIENT, clearance("2026-03-02"))
    return floor


async def booked(floor: Floor, patient: UUID, starts: Any, wanted: Any, **changes: Any) -> UUID:
    wish = hold(starts, wanted, at=NOW, patient=patient, **changes)
    await floor.do(patient, wish, book(wish, NOW))
    return wish.hold_id


@pytest.mark.parametrize("first", TWICE)
async def test_two_clinics_race_on_a_forbidden_pair(floor: Floor, first: int) -> None:
    """Berlin books the laser, New York the biorevitalisation four days later, of one patient, at once: exactly one wins."""
    here = hold(TEN, FACE_LASER, at=NOW)
    there = hold(local("2026-03-14T10:00", "America/New_York"), BIOREVITALISATION, at=NOW, clinic=NEW_YORK)
    await floor.do(PATIENT, here, there)
    runners = [(PATIENT, book(one, NOW)) for one in (here, there)]
    outcomes = await floor.race(*(runners if first == 0 else reversed(runners)))
    assert sorted(outcomes) == ["done", "scheduling.interval-too-short"]
    assert len((await floor.state(PATIENT)).visits) == 1


@pytest.mark.parametrize("first", TWICE)
@pytest.mark.parametrize("how", ["move and book", "move and move"])
async def test_two_clinics_race_into_a_forbidden_pair_by_moving(floor: Floor, how: str, first: int) -> None:
    """Laser and biorevitalisation far apart; both clinics bring them together at once: exactly one succeeds, the other stays or waits."""
    laser = await booked(floor, PATIENT, TEN, FACE_LASER)
    closer = local("2026-03-27T10:00", "America/New_York")
    there = asked(closer, BIOREVITALISATION, NEW_YORK)
    towards = c.MoveVisit(visit_id=laser, asked=asked(local("2026-03-20T10:00"), FACE_LASER), place=place(), at=NOW)
    if how == "move and book":
        wish = hold(closer, BIOREVITALISATION, at=NOW, clinic=NEW_YORK)
        await floor.do(PATIENT, wish)
        other: Any = book(wish)
    else:
        gel = await booked(floor, PATIENT, local("2026-04-20T10:00"), BIOREVITALISATION)
        other = c.MoveVisit(visit_id=gel, asked=there, place=place(NEW_YORK), at=NOW)
    runners = [(PATIENT, towards), (PATIENT, other)]
    outcomes = await floor.race(*(runners if first == 0 else reversed(runners)))
    assert sorted(outcomes) == ["done", "scheduling.interval-too-short"]
    days = sorted(visit.slot.on for visit in (await floor.state(PATIENT)).visits.values())
    assert all((later - earlier).days >= 14 for earlier, later in pairwise(days))


async def test_two_patients_race_on_one_room(floor: Floor) -> None:
    """The same room at overlapping times for two patients, everything else apart: exactly one holds it."""
    one = hold(TEN, CONSULTATION, at=NOW)
    other = hold(TEN + timedelta(minutes=15), CONSULTATION, at=NOW, patient=OTHER_PATIENT, practitioner_id=uid("another doctor"))
    assert sorted(await floor.race((PATIENT, one), (OTHER_PATIENT, other))) == ["done", "scheduling.slot-taken"]


@pytest.mark.parametrize("shared", ["practitioner_id", "device_id"])
async def test_two_patients_race_on_one_person_or_laser(floor: Floor, shared: str) -> None:
    """A practitioner or a laser is in one place at a time: exactly one wins."""
    await floor.do(OTHER_PATIENT, clearance("2026-03-02", name="other clearance"))
    apart: dict[str, Any] = {"practitioner_id": uid("another doctor"), "room_id": uid("another room"), "device_id": uid("another laser")}
    del apart[shared]
    one = hold(TEN, FACE_LASER, at=NOW)
    other = hold(TEN, FACE_LASER, at=NOW, patient=OTHER_PATIENT, **apart)
    assert sorted(await floor.race((PATIENT, one), (OTHER_PATIENT, other))) == ["done", "scheduling.slot-taken"]


async def test_a_patient_is_in_one_place_at_a_time(floor: Floor) -> None:
    """Two clinics hold the same hour for one patient: exactly one wins, although all else is free."""
    here, there = hold(TEN, CONSULTATION, at=NOW), hold(TEN, CONSULTATION, at=NOW, clinic=NEW_YORK, name="there")
    assert sorted(await floor.race((PATIENT, here), (PATIENT, there))) == ["done", "scheduling.slot-taken"]


async def test_buffers_are_claimed_too(floor: Floor) -> None:
    """A room needs 5 minutes after a consultation: the next visit in it may start then, not before."""
    await booked(floor, PATIENT, TEN, CONSULTATION)
    apart: dict[str, Any] = {"patient": OTHER_PATIENT, "practitioner_id": uid("another doctor")}
    early = hold(TEN + timedelta(minutes=34), CONSULTATION, at=NOW, **apart)
    fits = hold(TEN + timedelta(minutes=35), CONSULTATION, at=NOW, **apart)
    assert await floor.race((OTHER_PATIENT, early)) == ["scheduling.slot-taken"]
    assert await floor.race((OTHER_PATIENT, fits)) == ["done"]


async def test_booking_races_giving_back(floor: Floor) -> None:
    """A hold that is booked and given back at once is one of both."""
    wish = hold(TEN, CONSULTATION, at=NOW)
    await floor.do(PATIENT, wish)
    outcomes = await floor.race((PATIENT, book(wish, NOW)), (PATIENT, c.GiveBackHold(hold_id=wish.hold_id, at=NOW)))
    assert sorted(outcomes) == ["done", "scheduling.hold-gone"]
    taken = any(resource == uid(f"{uid('room')} Europe/Berlin") and held for (_, resource), held in floor.store.tables.claims.items())
    assert taken is bool((await floor.state(PATIENT)).visits)


async def test_booking_races_the_timer(floor: Floor) -> None:
    """The hold's timer fires while it is booked in time: whoever is first, slot and claims agree."""
    wish = hold(TEN, CONSULTATION, at=NOW)
    await floor.do(PATIENT, wish)
    late = NOW + timedelta(minutes=10)
    await floor.race((PATIENT, c.ExpireHold(hold_id=wish.hold_id, at=late)), (PATIENT, book(wish, NOW)))
    state = await floor.state(PATIENT)
    assert not state.holds
    assert bool(state.visits) is any(held for held in floor.store.tables.claims.values())


async def test_two_visits_race_into_one_slot(floor: Floor) -> None:
    """Two visits are moved into the same hour of one room: exactly one moves, the other stays where it was."""
    one = await booked(floor, PATIENT, TEN, CONSULTATION)
    other = await booked(floor, OTHER_PATIENT, TEN + timedelta(hours=1), CONSULTATION)
    noon = asked(TEN + timedelta(hours=2), CONSULTATION)
    outcomes = await floor.race(
        (PATIENT, c.MoveVisit(visit_id=one, asked=noon, place=place(), at=NOW)),
        (OTHER_PATIENT, c.MoveVisit(visit_id=other, asked=noon, place=place(), at=NOW)),
    )
    assert sorted(outcomes) == ["done", "scheduling.slot-taken"]
    starts = {(await floor.state(PATIENT)).visits[one].slot.starts_at, (await floor.state(OTHER_PATIENT)).visits[other].slot.starts_at}
    assert TEN + timedelta(hours=2) in starts
    assert len(starts) == 2


async def test_a_visit_moves_by_less_than_its_length(floor: Floor) -> None:
    """The old claims are given back before the new ones are made: a visit does not stand in its own way."""
    visit = await booked(floor, PATIENT, TEN, CONSULTATION)
    later = asked(TEN + timedelta(minutes=10), CONSULTATION)
    assert await floor.race((PATIENT, c.MoveVisit(visit_id=visit, asked=later, place=place(), at=NOW))) == ["done"]


async def test_a_cancelled_slot_can_be_booked_again(floor: Floor) -> None:
    """Cancel twice at once: one cancellation, and the slot is free for another patient."""
    visit = await booked(floor, PATIENT, TEN, CONSULTATION)
    cancel = c.CancelVisit(visit_id=visit, cause="patient", at=NOW)
    assert await floor.race((PATIENT, cancel), (PATIENT, cancel)) == ["done", "done"]
    events = await floor.events(ITINERARY, PATIENT)
    assert sum(isinstance(event, e.VisitCancelled) for event in events) == 1
    await booked(floor, OTHER_PATIENT, TEN, CONSULTATION)


@pytest.mark.parametrize("act", ["check in", "attest", "approve", "book"])
async def test_a_suspension_and_what_it_forbids_cannot_both_win(floor: Floor, act: str) -> None:
    """A suspension is heard while the visit is booked, checked in, attested or approved: nothing of it follows the suspension."""
    suspended = changed("suspended", at=TEN)
    wish = hold(TEN, FACE_LASER, at=NOW)
    await floor.do(PATIENT, wish)
    command: Any = book(wish, NOW)
    if act != "book":
        await floor.do(PATIENT, command)
        command = c.CheckIn(visit_id=wish.hold_id, at=TEN)
    if act == "attest":
        await floor.do(PATIENT, command)
        command = c.AttestDay(visit_id=wish.hold_id, changes=True, attested_by="nurse-1", at=TEN)
    if act == "approve":
        command = c.ApproveSameDay(visit_id=wish.hold_id, approved_by="doctor-1", at=TEN)
    await floor.race((PATIENT, suspended), (PATIENT, command))
    standing = [visit.standing for visit in (await floor.state(PATIENT)).visits.values()]
    assert all(isinstance(one, Frozen) for one in standing)
    assert not firm_after_suspension(await floor.events(ITINERARY, PATIENT))


def firm_after_suspension(events: list[Any]) -> list[Any]:
    """The checker: everything that made a visit firm or let somebody in under a clearance that was suspended at that moment."""
    suspended: set[UUID] = set()
    wrong = []
    for event in events:
        match event:
            case e.ClearanceChangeHeard(change="suspended"):
                suspended.add(event.clearance_id)
            case e.ClearanceChangeHeard(change="reinstated"):
                suspended.discard(event.clearance_id)
            case e.VisitBooked() | e.VisitMoved() | e.VisitMadeFirm() | e.VisitCheckedIn() | e.SameDayApproved():
                if event.clearance_id in suspended:
                    wrong.append(event)
            case _:
                pass
    return wrong


async def test_mutant_a_booking_that_reads_a_read_table_is_caught() -> None:
    """A booking that trusts a copy of the clearances, as a read table would be, books under a suspended clearance; ours does not."""
    for itinerary, caught in ((ITINERARY, False), (reading_a_read_table(), True)):
        floor = Floor(itinerary)
        await floor.opened(PATIENT)
        wish = hold(TEN, FACE_LASER, at=NOW)
        await floor.do(PATIENT, clearance("2026-03-02"), wish)
        await floor.race((PATIENT, changed("suspended", at=NOW)), (PATIENT, book(wish, NOW)))
        assert bool(firm_after_suspension(await floor.events(itinerary, PATIENT))) is caught


def reading_a_read_table() -> Any:
    """The mutant: clearances come from a table that its projection has not brought up to date yet, everything else from the stream."""
    table: dict[UUID, Any] = {}

    def decide(command: Any, state: Any) -> Any:
        if not isinstance(command, c.BookVisit):
            table.update({one: clearance for one, clearance in state.clearances.items() if one not in table})
            return ITINERARY.decide(command, state)
        return ITINERARY.decide(command, replace(state, clearances=dict(table)))

    return replace(ITINERARY, decide=decide)


async def test_facts_heard_at_once_are_all_there(floor: Floor) -> None:
    """Two reactions append to one itinerary at once: neither fact is lost."""
    facts = (procedure("filler_ha", "2026-01-01", at=NOW), clearance("2026-03-02", name="second"))
    assert await floor.race(*((PATIENT, fact) for fact in facts)) == ["done", "done"]
    state = await floor.state(PATIENT)
    assert (len(state.procedures), len(state.clearances)) == (1, 2)


async def test_erasure_races_a_booking(floor: Floor) -> None:
    """Whoever is first: after the erasure nothing of the patient holds a slot."""
    wish = hold(TEN, CONSULTATION, at=NOW)
    await floor.do(PATIENT, wish)
    await floor.race((PATIENT, c.CloseItinerary(patient_id=PATIENT)), (PATIENT, book(wish, NOW)))
    assert not (await floor.state(PATIENT)).visits
    assert not any(held for held in floor.store.tables.claims.values())


async def test_release_and_thaw_race(floor: Floor) -> None:
    """A freeze's timer and the reinstatement arrive at once: the visit is firm again, or cancelled, never both."""
    visit = await booked(floor, PATIENT, TEN, FACE_LASER)
    await floor.do(PATIENT, changed("suspended", at=NOW))
    until = TEN - timedelta(hours=24)
    await floor.race((PATIENT, c.EndFreeze(visit_id=visit, at=until)), (PATIENT, changed("reinstated", at=until)))
    state = await floor.state(PATIENT)
    assert (visit in state.over) is (visit not in state.visits)
    assert visit in state.over or isinstance(state.visits[visit].standing, Firm)


async def test_setting_up_a_clinic_raced() -> None:
    """Two rooms added at once are both there; the same clinic, licence or laser recorded twice at once is recorded once."""

    floor = Floor()
    assert await race([floor.at(CLINIC, BERLIN, register()) for _ in TWICE]) == ["done", "done"]
    assert await race([floor.at(CLINIC, BERLIN, add_room(name)) for name in ("one", "two")]) == ["done", "done"]
    assert await race([floor.at(PRACTITIONER, uid("doctor"), license_doctor()) for _ in TWICE]) == ["done", "done"]
    assert await race([floor.at(LASER, uid("laser"), install()) for _ in TWICE]) == ["done", "done"]
    assert len(await floor.events(CLINIC, BERLIN)) == 3
    assert len(await floor.events(PRACTITIONER, uid("doctor"))) == 1
    assert len(await floor.events(LASER, uid("laser"))) == 1


async def test_an_act_at_a_clinic_says_so_in_the_log(floor: Floor) -> None:
    """Hold, booking, move and cancellation carry the clinic in their envelope; what was heard carries none."""
    visit = await booked(floor, PATIENT, TEN, CONSULTATION)
    there = asked(TEN, CONSULTATION, NEW_YORK)
    await floor.do(PATIENT, c.MoveVisit(visit_id=visit, asked=there, place=place(NEW_YORK), at=NOW))
    loaded = await floor.store.load(CHAIN, ITINERARY.stream(PATIENT))
    where = [(row.envelope.type, row.envelope.clinic_id) for row in loaded.rows]
    assert where == [
        ("itinerary-opened", None),
        ("clearance-heard", None),
        ("slot-held", BERLIN),
        ("visit-booked", BERLIN),
        ("visit-moved", NEW_YORK),
    ]
