"""Read tables: events in, rows out, each applied twice; a rebuild gives the same; and the schema is the sum of the migrations."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import create_async_engine

from erbium.provision import ServiceUrls
from erbium_kernel.migrating import sqlalchemy_url
from erbium_kernel.projecting import set_chain
from erbium_kernel.rebuild import rebuild
from screening.projections import METADATA, clearances, patients
from tests.screening.reception import Reception
from tests.screening.recorded import CLEARANCE, PATIENT, RECORDED, SEALED, envelope
from tests.screening.test_over_http import ask, prepare, register

STANDING = [
    ("clearance-granted", "valid", "CLEARED"),
    ("clearance-suspended", "suspended", "DEFERRED"),
    ("clearance-reinstated", "valid", "CLEARED"),
    ("clearance-revoked", "revoked", "CLEARED"),
]


async def rows(reception: Reception, projection: Any, *names: str) -> list[dict[str, Any]]:
    """The rows after these events, each applied twice."""
    (table,) = projection.tables
    async with reception.engine.begin() as conn:
        await set_chain(conn, reception.chain)
        for version, name in enumerate(names, start=1):
            for _ in range(2):
                at = envelope(name, version)
                at = type(at)(**{field: getattr(at, field) for field in at.__dataclass_fields__} | {"chain_id": reception.chain})
                await projection.apply(conn, at, RECORDED[name])
        return [dict(row) for row in (await conn.execute(select(table))).mappings()]


async def test_patient_row(reception: Reception) -> None:
    """One row, sealed values verbatim, at the newest version; gone with the erasure."""
    (row,) = await rows(reception, patients.PROJECTION, "patient-registered", "procedure-reported", "clearance-granted")
    assert (row["patient_id"], row["version"]) == (PATIENT, 3)
    sealed = {"v": 1, "subject_id": str(PATIENT), "nonce": SEALED.nonce, "ciphertext": SEALED.ciphertext}
    assert row["name"] == row["birth_date"] == row["contact"] == sealed
    assert await rows(reception, patients.PROJECTION, "patient-erased") == []


async def test_clearance_row_follows_its_events(reception: Reception) -> None:
    """Granted, suspended, reinstated, revoked: one row that says how it stands; gone with the erasure."""
    for number, (_, standing, outcome) in enumerate(STANDING):
        (row,) = await rows(reception, clearances.PROJECTION, *[name for name, _, _ in STANDING[: number + 1]])
        assert (row["clearance_id"], row["standing"], row["outcome"]) == (CLEARANCE, standing, outcome)
        assert row["trace"]
    assert await rows(reception, clearances.PROJECTION, "patient-erased") == []


async def test_deferred_and_refused_rows(reception: Reception) -> None:
    """They keep their reasons and what is missing."""
    (row,) = await rows(reception, clearances.PROJECTION, "clearance-deferred")
    assert (row["standing"], row["outcome"], row["earliest"].isoformat()) == ("deferred", "DEFERRED", "2026-03-26")
    assert row["reasons"][0]["rule_id"] == "FILLER"
    (row,) = await rows(reception, clearances.PROJECTION, "clearance-refused")
    assert (row["standing"], row["outcome"], row["missing"][0]["fact"]) == ("refused", "INCOMPLETE", "answer:pregnancy")


async def test_rebuilt_from_the_log(reception: Reception) -> None:
    """Emptied and followed again, the tables say the same."""
    patient = await register(reception)
    await prepare(reception, patient)
    await ask(reception, patient)
    await reception.follow()
    before = (await reception.get(f"/patients/{patient}")).json(), (await reception.get(f"/patients/{patient}/clearances")).json()
    await reception.settled()
    for projection in (patients.PROJECTION, clearances.PROJECTION):
        await rebuild(reception.store, reception.runtime.codec, reception.clock, projection, reception.engine, lambda _: None)
    after = (await reception.get(f"/patients/{patient}")).json(), (await reception.get(f"/patients/{patient}/clearances")).json()
    assert after == before


async def test_schema_is_the_sum_of_the_migrations(screening_urls: ServiceUrls) -> None:
    """Upgraded from empty, the database has exactly the tables that the projections declare."""

    def difference(connection: Connection) -> list[Any]:
        ours = {"include_name": lambda name, kind, _: kind != "table" or name in METADATA.tables, "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=ours), METADATA))

    engine = create_async_engine(sqlalchemy_url(screening_urls.owner))
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(difference) == []
    finally:
        await engine.dispose()
