"""What PostgreSQL adds to the suite: it can go away, and then nothing is half there and nothing is lost that was acknowledged."""

import asyncio
import time
from uuid import UUID

import pytest

from erbium_kernel.errors import Unavailable
from erbium_kernel.log.postgres import PostgresStore
from tests.kernel.log.grounds import SERVICE, PostgresGround
from tests.kernel.log.making import HandClock, a_command, a_slice, a_stream
from tests.kernel.log.reading import eventually

NOBODY_LISTENS = "postgresql://nobody:nothing@127.0.0.1:1/nothing"
ANSWER_SECONDS_MAX = 2.0
COMMANDS = 60
CUTS = 5
CUT_ALL = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def test_a_database_that_is_not_there_is_unavailable(chain_id: UUID, topic: str) -> None:
    """Opening asks nobody; every use says Unavailable, within its deadline."""
    store = await PostgresStore.open(service=SERVICE, api_url=NOBODY_LISTENS, work_url=NOBODY_LISTENS, clock=HandClock())
    async with store:
        for call in (
            store.load(chain_id, a_stream()),
            store.append(a_command(chain_id, a_stream())),
            store.take_in(a_slice(topic)),
            store.end(),
            store.keys(chain_id, [chain_id]),
            store.parked(),
        ):
            with pytest.raises(Unavailable):
                await call
        with pytest.raises(Unavailable):
            async with store.lease("suite.away"):
                pytest.fail("a lease was given by nobody")


@pytest.mark.slow
async def test_a_database_that_says_nothing_is_unavailable_within_two_seconds(chain_id: UUID) -> None:
    """Whatever a client's request asks of a database that takes connections and never answers, it is told so in time for its 503."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"postgresql://nobody:nothing@127.0.0.1:{server.sockets[0].getsockname()[1]}/nothing"
    store = await PostgresStore.open(service=SERVICE, api_url=url, work_url=None, clock=HandClock())
    async with server, store:
        for call in (
            store.load(chain_id, a_stream()),
            store.append(a_command(chain_id, a_stream())),
            store.keys(chain_id, [chain_id]),
            store.checkpoints(),
            store.place_of(chain_id, chain_id),
        ):
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await call
            assert time.monotonic() - began < ANSWER_SECONDS_MAX


async def test_cut_connections_tear_nothing_and_lose_nothing(postgres_ground: PostgresGround, chain_id: UUID) -> None:
    """All connections are cut while commands of two events are under way: who is told yes stands whole, who is not, whole or not at all."""
    for _ in range(CUTS):
        commands = [a_command(chain_id, a_stream(), events=2) for _ in range(COMMANDS)]
        under_way = [asyncio.create_task(postgres_ground.store.append(work)) for work in commands]
        await asyncio.sleep(0.002)
        await postgres_ground.admin.execute(CUT_ALL)
        outcomes = await asyncio.gather(*under_way, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {int, Unavailable}
        for work, outcome in zip(commands, outcomes, strict=True):
            stored = await length_of(postgres_ground, chain_id, work.stream)
            assert stored == 2 if outcome == 2 else stored in (0, 2)


async def length_of(ground: PostgresGround, chain_id: UUID, stream: str) -> int:
    """A stream's length, as soon as there is a connection again."""

    async def ask() -> int:
        try:
            return len((await ground.store.load(chain_id, stream)).rows)
        except Unavailable:
            return -1

    return await eventually(ask, lambda length: length >= 0)
