"""Who was erased while this database was away: read from the authority's topic, before anybody is answered.

Source: docs/decisions/0041. The database knows its own place; a restored one finds itself in another, and is behind until it has read on.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from erbium_kernel.errors import Unavailable
from erbium_kernel.log_records import Heard
from erbium_kernel.message import heard, topic_of
from erbium_kernel.progress import IDLE, Progress
from erbium_kernel.projecting import transaction
from erbium_kernel.running import Running
from erbium_kernel.service import Service
from erbium_kernel.topic.kafka_past import past_of
from erbium_kernel.topic_port import Received
from erbium_kernel.whereabouts import reason_of

AGAIN_SECONDS: Final = 600.0  # between two readings while all is well: what a restored database then has to read is this much
KEPT_SECONDS: Final = 5.0  # of reading are lost at most when it is cut off
ASK_SECONDS: Final = 1.0  # while it is behind
BEHIND: Final = "this database was restored: nobody is answered until it has been told who was erased meanwhile"

_HERE = text("SELECT erasures_place IS NOT DISTINCT FROM erbium_place() FROM installation")
_READ = text("SELECT erasures_read FROM installation")
_NOW_READ = text("UPDATE installation SET erasures_place = erbium_place(), erasures_read = CAST(:read AS jsonb)")
_SO_FAR = text("UPDATE installation SET erasures_read = CAST(:read AS jsonb)")
_TO_BE_READ = text("UPDATE installation SET erasures_place = NULL")

log = structlog.get_logger(__name__)


async def is_behind(engine: AsyncEngine) -> bool:
    """Was this database restored, and has not been told yet who was erased meanwhile? Raises: Unavailable."""
    async with transaction(engine) as connection:
        return not (await connection.execute(_HERE)).scalar_one()


async def is_behind_or_away(engine: AsyncEngine | None) -> bool:
    """As `is_behind`; a database that does not answer counts as behind, since nobody knows."""
    assert engine is not None, "a process has at least one role"
    try:
        return await is_behind(engine)
    except Unavailable:
        return True


async def declare_behind(engine: AsyncEngine) -> None:
    """For a copy of files put back in place, which looks like the original. As the role `work`. Raises: Unavailable."""
    async with transaction(engine) as connection:
        await connection.execute(_TO_BE_READ)


async def read_erasures(running: Running) -> int:
    """Reads the topic from where it was read last to where it ends now; every erasure in it holds here too. Returns how many there were.

    Raises: Unavailable: the place stays as it was.
    """
    engine, settings = running.work_engine, running.settings
    assert engine is not None, "erasures are read by the role `work`"
    topic, facts = _told_by(running.service)
    async with transaction(engine) as connection:
        start = {int(n): offset for n, offset in (await connection.execute(_READ)).scalar_one().items()}
    at, kept_at, count = dict(start), _now(), 0
    async with past_of(settings.kafka, topic, start=start, security=settings.kafka_security) as past:
        async for records in past.records():
            for erased in _erasures(records, facts):
                await running.runtime.store.erase_key(erased.chain_id, erased.ordering_id)
                running.runtime.forget(erased.chain_id, erased.ordering_id)
                count += 1
            at.update({record.partition: record.offset + 1 for record in records})
            if _now() - kept_at > KEPT_SECONDS:
                kept_at = await _keep(engine, _SO_FAR, at)
    await _keep(engine, _NOW_READ, past.ends)
    return count


async def _keep(engine: AsyncEngine, how: TextClause, read: Mapping[int, int]) -> float:
    async with transaction(engine) as connection:
        await connection.execute(how, {"read": json.dumps(read)})
    return _now()


async def caught_up(running: Running) -> bool:
    """Returns when this database is no longer behind. Why without end: to answer earlier would show whom it promised to forget."""
    while await is_behind_or_away(running.work_engine or running.api_engine):
        if running.work_engine is not None:
            try:
                log.warning("a restored database has been told who was erased", count=await read_erasures(running))
                continue
            except Unavailable as error:
                log.warning("waiting to be told who was erased", reason=reason_of(error))
        await asyncio.sleep(ASK_SECONDS)
    return True


def reading_on(running: Running) -> Callable[[], Awaitable[Progress]]:
    """The step of a role: so that a database that is restored one day has little to read. Raises: Unavailable."""

    async def step() -> Progress:
        await read_erasures(running)
        return IDLE

    return step


def _now() -> float:
    return asyncio.get_running_loop().time()


def _told_by(service: Service) -> tuple[str, frozenset[bytes]]:
    """The authority's topic, and how the types of its erasures begin."""
    facts = [name if name.startswith("erbium.") else f"erbium.{service.name}.{name}" for name in service.erased_by]
    assert len({fact.split(".")[1] for fact in facts}) == 1, "one service decides about erasures"
    return topic_of(facts[0].split(".")[1]), frozenset(f"{fact}.v".encode() for fact in facts)


def _erasures(records: Sequence[Received], facts: frozenset[bytes]) -> Sequence[Heard]:
    """Why by the head of the type and the key: what cannot be decoded must still be obeyed."""
    found = [heard(record) for record in records if _type(record).startswith(tuple(facts))]
    return [each for each in found if isinstance(each, Heard)]


def _type(record: Received) -> bytes:
    return next((value for name, value in record.headers if name == "ce_type"), b"")
