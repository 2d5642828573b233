"""A crash of the server takes only what can be made again: places, what was heard, read tables; no own event, no half of anything."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from erbium import servers
from erbium.servers import postgres as local_postgres
from erbium_kernel.log_records import TakenIn
from tests.kernel.follow.board import Hall, make_read_tables
from tests.kernel.follow.kitchen import CHAIN, take_bed
from tests.kernel.log.conftest import make_database
from tests.kernel.log.grounds import Database
from tests.kernel.log.making import START, a_message, a_persons_key, a_slice
from tests.kernel.log.reading import ids, readable

pytestmark = pytest.mark.servers
READER, TOPIC, KEYS = "suite.crash", "erbium.crash.v1", "erbium.crash.keys.v1"


class Cluster:
    """A server of this file's own, that writes its log to the disk only when somebody waits for it."""

    def __init__(self, state: Path) -> None:
        """Started."""
        self._state = state
        self.url = servers.start_postgres(state, die_with_parent=True, progress=lambda _: None)

    def crash(self) -> None:
        """The server ends with all it has not written, and comes up again from its log, at whatever address."""
        pid = json.loads(local_postgres.Files(state=self._state).pid.read_text())["pid"]
        os.kill(pid, signal.SIGQUIT)
        local_postgres.stop(self._state)
        self.url = servers.start_postgres(self._state, die_with_parent=True, progress=lambda _: None)

    def at(self, url: str) -> str:
        """The same database and role at the address of now."""
        was, now = urlsplit(url), urlsplit(self.url)
        return urlunsplit(was._replace(netloc=f"{was.username}:{was.password}@{now.hostname}:{now.port}"))

    @asynccontextmanager
    async def hall(self, database: Database) -> AsyncIterator[Hall]:
        """The service as a new process finds it."""
        here = replace(database, api=self.at(database.api), work=self.at(database.work))
        async with Hall.on(here) as hall:
            yield hall


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder that the account PostgreSQL runs as may enter."""
    state = Path(tempfile.mkdtemp(prefix="erbium-crash-"))
    state.chmod(0o711)
    yield state
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture
async def cluster(state: Path) -> AsyncIterator[Cluster]:
    """Nothing is flushed by itself while a test lasts."""
    try:
        cluster = Cluster(state)
        admin = await asyncpg.connect(cluster.url)
        for setting in ("wal_writer_delay = '10s'", "autovacuum = off"):
            await admin.execute(f"ALTER SYSTEM SET {setting}")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()
        yield cluster
    finally:
        local_postgres.stop(state)


async def test_what_a_crash_takes_is_made_again(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Own events and what stood before them survive; what was only heard or followed since is gone whole, and comes again, once."""
    database = await make_database(cluster.url, tmp_path_factory, "crash")
    await make_read_tables(database.owner)
    anna, bert = uuid4(), uuid4()
    before, since, with_key = (tuple(a_message(CHAIN) for _ in range(3)) for _ in range(3))
    key = a_persons_key(CHAIN)

    async with cluster.hall(database) as hall:
        first = await take_bed(hall.runtime, anna)
        await hall.follow()
        await hall.store.take_in(a_slice(TOPIC, before))
        async with hall.store.lease(READER) as lease:
            assert lease is not None
            reached = (await readable(lease, CHAIN))[-1].cursor
            await lease.move(START, reached)
            second = await take_bed(hall.runtime, bert)  # an own event: it is flushed, and everything before it
            await hall.follow()
            await hall.store.take_in(a_slice(TOPIC, since, start=3))
            await lease.move(reached, (await readable(lease, CHAIN))[-1].cursor)
        assert await hall.rows(CHAIN) == {(first, anna), (second, bert)}
        cluster.crash()

    async with cluster.hall(database) as hall:
        assert dict(await hall.store.positions(TOPIC)) == {3: 3}
        assert [await hall.store.place_of(CHAIN, message.event_id) for message in since] == [None] * 3
        assert await hall.rows(CHAIN) == {(first, anna)}
        async with hall.store.lease(READER) as lease:
            assert lease is not None
            assert await lease.checkpoint() == reached
            survived = [first, *(message.event_id for message in before), second]
            assert ids(await readable(lease, CHAIN)) == survived
            await hall.follow()
            assert await hall.rows(CHAIN) == {(first, anna), (second, bert)}
            assert await hall.store.take_in(a_slice(TOPIC, since, start=3)) == TakenIn(new=3, repeated=0)
            assert ids(await readable(lease, CHAIN, reached)) == [second, *(message.event_id for message in since)]
        await hall.store.take_in(a_slice(TOPIC, with_key, start=6))
        await hall.store.take_in(a_slice(KEYS, keys=(key,)))  # flushed: the topic of keys keeps only the newest
        cluster.crash()

    async with cluster.hall(database) as hall:
        assert (await hall.store.keys(CHAIN, [key.subject_id]))[key.subject_id].wrapped == key.wrapped
        assert (dict(await hall.store.positions(TOPIC)), dict(await hall.store.positions(KEYS))) == ({3: 9}, {3: 1})
