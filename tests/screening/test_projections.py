"""Read tables: events in, rows out, each applied twice; a rebuild gives the same; and the schema is the sum of the migrations."""

from typing import Any

from tests import stored_events
from tests.screening.reception import Reception
from tests.screening.recorded import CLEARANCE, PATIENT, RECORDED, SEALED, envelope
from tests.screening.test_over_http import ask, prepare, register

STANDING = [
    ("clearance-granted", "valid", "CLEARED"),
    ("clearance-suspended", "suspended", "DEFERRED"),
    ("clearance-reinstated", "valid", "CLEARED"),
    ("clearance-revoked", "revoked", "CLEARED"),
]


async def rows(reception: Reception, table: str, *names: str) -> list[dict[str, Any]]:
    """The rows after these events, each applied twice."""
    events = [(envelope(name, version), RECORDED[name]) for version, name in enumerate(names, start=1)]
    return await stored_events.rows_after(reception, table, *events)


async def test_patient_row(reception: Reception) -> None:
    """One row, sealed values verbatim, at the newest version; gone with the erasure."""
    (row,) = await rows(reception, "patients", "patient-registered", "procedure-reported", "clearance-granted")
    assert (row["patient_id"], row["version"]) == (PATIENT, 3)
    sealed = {"v": 1, "subject_id": str(PATIENT), "nonce": SEALED.nonce, "ciphertext": SEALED.ciphertext}
    assert row["name"] == row["birth_date"] == row["contact"] == sealed
    assert await rows(reception, "patients", "patient-erased") == []


async def test_clearance_row_follows_its_events(reception: Reception) -> None:
    """Granted, suspended, reinstated, revoked: one row that says how it stands; gone with the erasure."""
    for number, (_, standing, outcome) in enumerate(STANDING):
        (row,) = await rows(reception, "clearances", *[name for name, _, _ in STANDING[: number + 1]])
        assert (row["clearance_id"], row["standing"], row["outcome"]) == (CLEARANCE, standing, outcome)
        assert row["trace"]
    assert await rows(reception, "clearances", "patient-erased") == []


async def test_deferred_and_refused_rows(reception: Reception) -> None:
    """They keep their reasons and what is missing."""
    (row,) = await rows(reception, "clearances", "clearance-deferred")
    assert (row["standing"], row["outcome"], row["earliest"].isoformat()) == ("deferred", "DEFERRED", "2026-03-26")
    assert row["reasons"][0]["rule_id"] == "FILLER"
    (row,) = await rows(reception, "clearances", "clearance-refused")
    assert (row["standing"], row["outcome"], row["missing"][0]["fact"]) == ("refused", "INCOMPLETE", "answer:pregnancy")


async def test_rebuilt_from_the_log(reception: Reception) -> None:
    """Emptied and followed again, the tables say the same."""
    patient = await register(reception)
    await prepare(reception, patient)
    await ask(reception, patient)
    await reception.follow()
    await stored_events.check_rebuilt_is_the_same(reception)


async def test_every_event_that_is_heard_is_applied(reception: Reception) -> None:
    """No projection hears an event that it cannot apply, or applies only the first time."""
    examples = [(envelope(name, version), event) for version, (name, event) in enumerate(RECORDED.items(), start=1)]
    await stored_events.check_applied_twice(reception, examples)


async def test_schema_is_the_sum_of_the_migrations(reception: Reception) -> None:
    """Upgraded from empty, the database has exactly the tables that the projections declare."""
    await stored_events.check_migrations_add_up(reception)
