"""What operations reads off the metrics: lags on the machine's clock, connections of every pool."""

import secrets
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import create_async_engine

from erbium import provision
from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.log.doors import Door
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.measuring import MachineTime, Measures
from erbium_kernel.relay import SUBSCRIBER
from erbium_kernel.running import running
from erbium_kernel.settings import Settings
from tests.kernel.follow.kitchen import take_bed, ward_with_kitchen
from tests.kernel.follow.ward_process import write_secrets
from tests.kernel.follow.ward_service import ward_service
from tests.kernel.log.conftest import make_database
from tests.kernel.log.grounds import SERVICE, Database
from tests.kernel.log.making import START
from tests.kernel.log.reading import eventually
from tests.kernel.ward import WardClock

MONTH = timedelta(days=30)
MINUTE = timedelta(minutes=1)


class Shifted(WardClock):
    """Domain time at an offset from the machine's."""

    offset = timedelta()

    def now(self) -> datetime:
        """Domain time."""
        return self.at + self.offset


def test_without_a_shift() -> None:
    """The age of a row is the time since it was recorded, and never negative."""
    clock = Shifted()
    recorded = MachineTime(clock)
    at = clock.now()
    clock.at += MINUTE
    assert recorded.age_seconds(at) == 60
    assert recorded.age_seconds(at + 5 * MINUTE) == 0


@pytest.mark.parametrize("shift", [MONTH, -MONTH])
def test_a_shift_is_no_lag(shift: timedelta) -> None:
    """Rows recorded before and after a shift of development's clock are as old as the machine says, whichever way it went."""
    clock = Shifted()
    recorded = MachineTime(clock)
    before = clock.now()
    clock.at += MINUTE
    recorded.look()
    clock.offset += shift
    unnoticed = clock.now()
    clock.at += timedelta(seconds=2)
    recorded.look()
    after = clock.now()
    clock.at += MINUTE
    recorded.look()
    assert (recorded.age_seconds(before), recorded.age_seconds(unnoticed), recorded.age_seconds(after)) == (122, 62, 60)


def test_shifts_from_before_we_ran() -> None:
    """A process that starts under an offset measures what is recorded from then on."""
    clock = Shifted()
    clock.offset = MONTH
    recorded = MachineTime(clock)
    at = clock.now()
    clock.at += MINUTE
    assert recorded.age_seconds(at) == 60


@pytest.fixture(scope="module")
async def database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """One database for this file."""
    suffix = f"measured{secrets.token_hex(4)}"
    try:
        yield await make_database(postgres_url, tmp_path_factory, suffix)
    finally:
        await provision.drop(postgres_url, suffix=suffix)


def shown(name: str, **labels: str) -> float | None:
    """What /metrics would say now."""
    return REGISTRY.get_sample_value(name, labels)


@pytest.mark.servers
async def test_lags(database: Database) -> None:
    """What nobody has followed or published is as old as the machine says, before and after a shift; once passed there is no lag."""
    clock = Shifted()
    engine = create_async_engine(sqlalchemy_url(database.work))
    opened = await PostgresStore.open(service=SERVICE, api_url=database.api, work_url=database.work, clock=clock)
    async with opened as store:
        runtime = ward_with_kitchen(store, clock, seed=secrets.randbits(64))
        measures = Measures(engine, clock, ["ward.board"])
        await take_bed(runtime, uuid4())
        clock.at += MINUTE
        await measures.step()
        assert (shown("follow_lag_seconds", subscriber="ward.board"), shown("relay_lag_seconds")) == (60, 60)
        clock.offset += MONTH
        await take_bed(runtime, uuid4())
        clock.at += MINUTE
        await measures.step()
        assert (shown("follow_lag_seconds", subscriber="ward.board"), shown("relay_lag_seconds")) == (120, 120)
        assert shown("relay_lag_events") == 2
        async with store.lease(SUBSCRIBER) as lease:
            assert lease is not None
            first, second = await eventually(lambda: lease.read(START, 10), lambda rows: len(rows) == 2)
            await lease.move(await lease.checkpoint(), first.cursor)
            await measures.step()
            assert (shown("relay_lag_events"), shown("relay_lag_seconds")) == (1, 60)
            await lease.move(first.cursor, second.cursor)
        await measures.step()
        assert (shown("relay_lag_events"), shown("relay_lag_seconds")) == (0, 0)
    await engine.dispose()


@pytest.mark.servers
async def test_connections_in_use(database: Database, tmp_path: Path) -> None:
    """Each pool of a process, the log's and the read tables', tells how many connections are lent out at the moment it is asked."""
    folder = write_secrets(tmp_path / "secrets")
    settings = Settings(database_api_url=database.api, database_work_url=database.work, secrets_dir=folder)
    async with running(ward_service("ward-measured"), settings, api=True, work=True) as opened:
        assert opened.api_engine is not None
        assert [shown("db_pool_in_use", pool=f"{of}_{role}") for of in ("log", "read_tables") for role in ("api", "work")] == [0, 0, 0, 0]
        async with opened.api_engine.connect(), opened.api_engine.connect():
            assert shown("db_pool_in_use", pool="read_tables_api") == 2
        await opened.runtime.store.end()
        assert shown("db_pool_in_use", pool="log_work") == 0, "given back"
    door = await Door.open(database.api, 5.0)
    async with door.connection(), door.connection():
        assert door.in_use() == 2
    assert door.in_use() == 0
    await door.close()
