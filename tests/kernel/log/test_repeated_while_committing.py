"""A command repeated at the very moment at which its first try commits: it is told its answer, or nothing yet, never "stale"."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest

from erbium_kernel.log_records import Loaded
from tests.kernel.log.functions import database_function
from tests.kernel.log.grounds import Database, PostgresGround
from tests.kernel.log.making import a_key, a_stream
from tests.kernel.log.reading import eventually

pytestmark = pytest.mark.servers

EVENT = (
    "INSERT INTO log (epoch, chain_id, stream, version, ordering_id, event_id, type, schema_version, occurred_at, recorded_at,"
    " correlation_id, actor_kind, actor_id, data)"
    " SELECT epoch, $1, $2, 1, $3, $3, 'mole-noted', 1, now(), now(), $3, 'staff', 'nurse-17', '{}' FROM installation"
)
ANSWER = (
    "INSERT INTO idempotency (chain_id, client, route, key, fingerprint, status, stream, version, event_id, facts)"
    " VALUES ($1, $2, $3, $4, $5, 201, $6, 1, $7, '{}')"
)
WAITING = "SELECT count(*) FROM pg_locks WHERE relation = 'log'::regclass AND NOT granted"


async def loaded_in_between(ground: PostgresGround, chain_id: UUID) -> Loaded:
    """What a repetition loads that begins before its first try has committed, and reads the stream after it."""
    stream, key, event_id = a_stream(), a_key(chain_id), uuid4()
    first = await asyncpg.connect(ground.admin_url)
    try:
        async with first.transaction():
            await first.execute("LOCK TABLE log IN ACCESS EXCLUSIVE MODE")
            repeated = asyncio.create_task(ground.store.load(chain_id, stream, key))
            assert await eventually(lambda: ground.admin.fetchval(WAITING), lambda count: count > 0), "the repetition does not wait"
            await first.execute(EVENT, chain_id, stream, event_id)
            await first.execute(ANSWER, *key, b"\x00body", stream, event_id)
        return await repeated
    finally:
        await first.close()


@asynccontextmanager
async def answer_first(database: Database) -> AsyncIterator[None]:
    """The mutant: a load that looks for the answer before it reads the stream."""
    own = database_function("erbium_load_group")
    parts = re.fullmatch(r"(.*^BEGIN\n)(.*;\n)(    IF .*END IF;\n)END \$\$;", own, re.DOTALL | re.MULTILINE)
    assert parts, "erbium_load_group no longer reads the stream and then the answer"
    head, stream, answer = parts.groups()
    owner = await asyncpg.connect(database.owner)
    try:
        await owner.execute(f"{head}{answer}{stream}END $$;")
        yield
    finally:
        await owner.execute(own)
        await owner.close()


async def test_the_answer_is_seen_with_what_it_did(postgres_ground: PostgresGround, chain_id: UUID) -> None:
    """Who sees the event sees its answer too."""
    loaded = await loaded_in_between(postgres_ground, chain_id)
    assert len(loaded.rows) == 1
    assert loaded.answer is not None


async def test_an_answer_looked_for_first_is_missed(postgres_ground: PostgresGround, database: Database, chain_id: UUID) -> None:
    """Mutant: the event without its answer, which a repetition under If-Match takes for somebody else's change."""
    async with answer_first(database):
        loaded = await loaded_in_between(postgres_ground, chain_id)
    assert len(loaded.rows) == 1
    assert loaded.answer is None
