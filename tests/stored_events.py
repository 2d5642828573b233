"""What every service promises for ever: how its events are stored, what it says to others, and what stands in its read tables."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from jsonschema import Draft202012Validator, FormatChecker
from msgspec.structs import replace as changed
from sqlalchemy import Connection, Table, select

from erbium_kernel.codec import Codec, personal_values
from erbium_kernel.event import Envelope, Message, Stored
from erbium_kernel.migrating import VERSION_TABLE
from erbium_kernel.personal import Personal, Sealed
from erbium_kernel.projecting import apply, set_chain
from erbium_kernel.rebuild import rebuild
from erbium_kernel.service import Service
from tests.house import House

CONTRACTS = Path(__file__).parents[1] / "contracts"


def codec_of(service: Service) -> Codec:
    """Reads and writes all that the service stores."""
    return Codec([decider.events for decider in service.deciders], service.heard)


def own_events(service: Service) -> dict[str, Stored]:
    """Stored name -> its table line, of the service's own events."""
    return {name: stored for decider in service.deciders for name, stored in decider.events.items()}


# --- stored events


def seal(value: Personal) -> Sealed:
    """A repeatable seal: golden files cannot hold a random nonce."""
    return Sealed(1, value.subject_id, "bm9uY2Utbm9uY2U=", "c2VhbGVk")


def check_written_as_ever(service: Service, golden: Path, event: Any) -> None:
    """An event is written as its golden file says, and each version ever written is read back as the same event, sealed.

    A missing file is written by hand once, never by a test.
    """
    codec = codec_of(service)
    name, newest, data, _ = codec.encode(event, seal)
    files = {version: (golden / f"{name}.v{version}.json").read_bytes() for version in range(1, newest + 1)}
    assert json.loads(data) == json.loads(files[newest])
    given = {field.name: getattr(event, field.name) for field in fields(event)}
    sealed = replace(event, **{field: seal(value) for field, value in given.items() if isinstance(value, Personal)})
    for version, file in files.items():
        assert codec.decode_data(name, version, file) == sealed


def check_every_version_is_read(service: Service, golden: Path, examples: Iterable[Any]) -> None:
    """No event and no version is without example and golden file, no file without an event, and all become the records of now."""
    codec, own = codec_of(service), own_events(service)
    assert {type(event) for event in examples} == {stored.record for stored in own.values()}
    wanted = {f"{name}.v{version}.json" for name, stored in own.items() for version in range(1, stored.version + 1)}
    assert wanted == {path.name for path in golden.glob("*.json")}
    for path in golden.glob("*.json"):
        name, _, version = path.stem.rpartition(".v")
        assert type(codec.decode_data(name, int(version), path.read_bytes())) is own[name].record, path.name


def check_nothing_personal(event: Any) -> None:
    """An erasure leaves nothing readable of this event, because nothing readable ever was: it holds no personal value."""
    assert not list(personal_values(event))


# --- what others hear


def contracts_of(service: Service) -> list[Path]:
    """The contracts of what the service says."""
    return sorted((CONTRACTS / service.name).glob("*.json"))


def by_fact(messages: Iterable[Message]) -> dict[str, Message]:
    """Fact -> the first message that says it."""
    return {message.fact: message for message in reversed(list(messages))}


def check_contract(service: Service, path: Path, said: dict[str, Message]) -> None:
    """The message is the contract's golden example, word by word; it fits the schema, formats checked, and lacks no field of it."""
    contract = json.loads(path.read_text())
    message, schema = said[contract["fact"]], contract["schema"]
    body = json.loads(codec_of(service).to_json(message.data))
    assert (message.version, body) == (contract["version"], contract["example"])
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(body)
    assert set(schema["required"]) == set(schema["properties"]) == set(body)
    assert contract["owner"] == service.name


def check_every_fact_has_a_contract(service: Service, said: dict[str, Message]) -> None:
    """Nothing is published without a contract, and no contract is without a fact."""
    assert {f"{message.fact}.v{message.version}.json" for message in said.values()} == {path.name for path in contracts_of(service)}


def check_promise_is_read(service: Service, name: str) -> None:
    """A fact that the service hears is decoded from its owner's golden example."""
    _, owner, fact = name.split(".")
    contract = json.loads((CONTRACTS / owner / f"{fact}.v1.json").read_text())
    assert type(codec_of(service).decode_data(name, 1, json.dumps(contract["example"]).encode())) is service.heard[name].record


# --- read tables


async def check_migrations_add_up(house: House) -> None:
    """Upgraded from empty, the database has exactly the tables that the projections declare."""
    metadata = house.service.metadata

    def differences(connection: Connection) -> list[Any]:
        ours = {"include_name": lambda name, kind, _: kind != "table" or name in metadata.tables, "compare_type": True}
        context = MigrationContext.configure(connection, opts={**ours, "version_table": VERSION_TABLE})
        return list(compare_metadata(context, metadata))

    async with house.engines["owner"].connect() as connection:
        assert await connection.run_sync(differences) == []


async def rows_after(house: House, table: str, *events: tuple[Envelope, Any], times: int = 2) -> list[dict[str, Any]]:
    """The house's rows of a read table after these events more, each applied `times` times."""
    [(projection, target)] = [(each, one) for each in house.service.projections for one in each.tables if one.name == table]
    async with house.engines["work"].begin() as connection:
        await set_chain(connection, house.chain)
        for envelope, record in events:
            for _ in range(times):
                await apply(connection, projection, changed(envelope, chain_id=house.chain), record)
        found = (await connection.execute(select(target).order_by(*target.primary_key))).mappings().all()
    return [{name: value for name, value in row.items() if name != "chain_id"} for row in found]


async def check_applied_twice(house: House, examples: Sequence[tuple[Envelope, Any]]) -> None:
    """No projection hears an event that it cannot apply, or that leaves other rows the second time."""
    names = {stored.record: name for name, stored in own_events(house.service).items()}
    for projection in house.service.projections:
        mine = [(envelope, event) for envelope, event in examples if names[type(event)] in projection.hears]
        for table in projection.tables:
            assert await rows_after(house, table.name, *mine, times=1) == await rows_after(house, table.name, *mine), table.name


async def check_rebuilt_is_the_same(house: House) -> None:
    """Read tables emptied and followed again from the log's beginning hold the same rows; the test has filled each."""
    projections = house.service.projections
    tables: list[Table] = [table for projection in projections for table in projection.tables]
    before = {table.name: await rows_after(house, table.name) for table in tables}
    assert all(before.values()), before
    await house.settled()
    for projection in projections:
        await rebuild(house.store, house.runtime.codec, house.clock, projection, house.engines["work"], lambda _: None)
    assert {table.name: await rows_after(house, table.name) for table in tables} == before
