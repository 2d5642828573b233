"""Read tables: events in, rows out, each applied twice; and the schema is the sum of the migrations."""

from dataclasses import replace
from typing import Any

import pytest

from erbium_kernel.event import Actor, Envelope
from erbium_kernel.personal import Sealed
from scheduling import heard
from scheduling.itinerary import events as e
from tests import stored_events
from tests.house import House
from tests.scheduling import stored

NAME = Sealed(v=1, subject_id=stored.PATIENT, nonce="AAAA", ciphertext="AAAA")
REGISTERED, ERASED = heard.PatientRegistered(patient_id=stored.PATIENT, name=NAME), heard.PatientErased(patient_id=stored.PATIENT)
EVENTS = {type(event): event for event in stored.EXAMPLES}
HELD, MOVED = EVENTS[e.SlotHeld], EVENTS[e.VisitMoved]


ENVELOPE = Envelope(  # a projection looks at its chain only
    chain_id=stored.HEARD, ordering_id=stored.PATIENT, event_id=stored.HEARD, type="", schema_version=1, origin=None, stream=None,
    version=None, clinic_id=None, subject_id=None, occurred_at=stored.at(8), recorded_at=stored.at(8), command_id=None,
    correlation_id=stored.HEARD, causation_id=None, actor=Actor(kind="staff", id="nurse-1"), traceparent=None,
)  # fmt: skip


async def rows(house: House, table: str, *records: Any) -> list[dict[str, Any]]:
    """The rows of a table after these records, each applied twice."""
    return await stored_events.rows_after(house, table, *((ENVELOPE, record) for record in records))


async def test_a_clinic_with_its_rooms(house: House) -> None:
    """One row a clinic, one a room, however often they are told."""
    clinic = EVENTS[type(stored.EXAMPLES[0])]
    [row] = await rows(house, "clinics", clinic)
    assert (row["clinic_id"], row["time_zone"], row["hours"]) == (
        stored.CLINIC, "Europe/Berlin", [{"weekday": 1, "opens_minute": 480, "closes_minute": 1200}],
    )  # fmt: skip
    assert len(await rows(house, "rooms", stored.EXAMPLES[1])) == 1


async def test_a_licence_and_a_laser_are_replaced(house: House) -> None:
    """The newest licence at a clinic and the newest place of a laser stand."""
    licence, laser = stored.EXAMPLES[2], stored.EXAMPLES[3]
    [row] = await rows(house, "licences", licence, replace(licence, licensed_until=None))
    assert (row["modalities"], row["licensed_until"]) == (["nafl_1550"], None)
    [row] = await rows(house, "lasers", laser, replace(laser, clinic_id=stored.OTHER_CLINIC))
    assert row["clinic_id"] == stored.OTHER_CLINIC


@pytest.mark.parametrize(
    ("after", "standing", "cause"),
    [
        ((), "firm", None),
        ((MOVED,), "provisional", None),
        ((EVENTS[e.VisitFrozen],), "frozen", "interval"),
        ((EVENTS[e.VisitFrozen], EVENTS[e.VisitMadeFirm]), "firm", None),
        ((EVENTS[e.VisitFrozen], EVENTS[e.VisitMadeProvisional]), "provisional", None),
        ((EVENTS[e.VisitCancelled],), "cancelled", "patient"),
        ((EVENTS[e.TreatmentHeard],), "treated", None),
    ],
)
async def test_a_visit_stands_as_its_last_event_says(house: House, after: tuple[Any, ...], standing: str, cause: str | None) -> None:
    """Booked, moved, frozen, thawed, cancelled, treated: one row, the newest standing."""
    [row] = await rows(house, "visits", stored.BOOKED, *after)
    assert (row["standing"], row["cause"]) == (standing, cause)
    assert row["starts_at"] == (stored.LATER if MOVED in after else stored.SLOT).starts_at


async def test_a_visit_remembers_the_day(house: House) -> None:
    """Check-in, attestation and approval are marks on the row."""
    day = (EVENTS[e.VisitCheckedIn], EVENTS[e.DayAttested], EVENTS[e.SameDayApproved])
    [row] = await rows(house, "visits", stored.BOOKED, *day)
    assert (row["checked_in"], row["changes"], row["same_day_approved"]) == (True, False, True)


async def test_busy_follows_the_slot(house: House) -> None:
    """A hold is busy, a moved visit is busy elsewhere only, a cancelled one nowhere."""
    assert {row["resource_id"] for row in await rows(house, "busy", HELD)} == {stored.DOCTOR, stored.PATIENT}
    moved = await rows(house, "busy", MOVED)
    assert len(moved) == 2
    assert await rows(house, "busy", EVENTS[e.VisitCancelled]) == []
    assert await rows(house, "busy", HELD, EVENTS[e.HoldEnded]) == []


async def test_a_name_goes_with_the_erasure(house: House) -> None:
    """The sealed name is kept verbatim, and the row is gone after PatientErased."""
    [row] = await rows(house, "patients", REGISTERED)
    assert row["name"] == {"v": 1, "subject_id": str(stored.PATIENT), "nonce": "AAAA", "ciphertext": "AAAA"}
    assert await rows(house, "patients", ERASED) == []


async def test_every_event_that_is_heard_is_applied(house: House) -> None:
    """No projection hears an event that it cannot apply, or applies only the first time."""
    await stored_events.check_applied_twice(house, [(ENVELOPE, event) for event in stored.EXAMPLES])


async def test_the_migrations_add_up_to_the_tables(house: House) -> None:
    """An upgrade from empty makes exactly the tables that the projections declare."""
    await stored_events.check_migrations_add_up(house)
