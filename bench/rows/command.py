"""A whole command over HTTP: token, rights, row-level security, idempotency, decision, sealed names, audit fields, durable answer."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Final

from bench import pgbench
from bench.ground import Ground, Running, connect
from bench.history import grow, know_clinics
from bench.http_load import closed_loop
from bench.measuring import Aim, Claim, Measure, Reading
from bench.patients import lives
from bench.rivals.apps import rival_app

CONNECTIONS: Final = 64
RAW_CONNECTIONS: Final = 8
STREAMS: Final = 2_000
EVENTS_OF_A_STREAM: Final = 5  # as many as a command finds in ours, at the mean

RAW_TABLES: Final = f"""
DROP TABLE IF EXISTS raw_streams, raw_outbox;
CREATE TABLE raw_streams (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream bigint NOT NULL, version integer NOT NULL, data jsonb NOT NULL);
CREATE INDEX ON raw_streams (stream, version);
CREATE TABLE raw_outbox (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data jsonb NOT NULL);
INSERT INTO raw_streams (stream, version, data) SELECT s, v, '{{"note":"{"x" * 280}"}}'
    FROM generate_series(1, {STREAMS}) s, generate_series(1, {EVENTS_OF_A_STREAM}) v;
ANALYZE raw_streams;
"""
# The select looks at the seeded versions only, so that it costs the same however many are inserted.
RAW_COMMAND: Final = f"""
\\set stream random(1, {STREAMS})
SELECT data FROM raw_streams WHERE stream = :stream AND version <= {EVENTS_OF_A_STREAM} ORDER BY version;
WITH e AS (INSERT INTO raw_streams (stream, version, data) VALUES (:stream, 1000, '{{"note":"{"x" * 280}"}}') RETURNING data)
    INSERT INTO raw_outbox (data) SELECT data FROM e;
"""


@asynccontextmanager
async def claims(ground: Ground) -> AsyncIterator[list[Claim]]:
    """One service process (`api`), 64 connections of clinics' software."""
    connection = await connect(ground.raw_url)
    await connection.execute(RAW_TABLES)
    await connection.close()
    await know_clinics(ground)
    with ground.services(("screening", "api")) as [screening]:
        async with AsyncExitStack() as stack:
            eventsourcing = await stack.enter_async_context(rival_app("eventsourcing_app", ground))
            orm = await stack.enter_async_context(rival_app("orm_app", ground))
            yield [
                Claim(
                    name="command over HTTP", unit="commands/s", ours=commanding(ground, screening), raw=selecting_inserting(ground),
                    against=f"pgbench, {RAW_CONNECTIONS} connections, select a stream, insert event and outbox row",
                    aims=(Aim(of="ratio", at_least=0.5),), seconds=3.0,
                    rivals={"eventsourcing": commanding(ground, eventsourcing), "orm": commanding(ground, orm)},
                )
            ]  # fmt: skip


@asynccontextmanager
async def profiled(ground: Ground) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """One command; callers share a few patients' lives, so that none of them is busy twice."""
    from bench.profile import InProcess, app_of  # it imports us

    await grow(ground, 1)
    await know_clinics(ground)
    async with app_of(ground, "screening") as app:
        talk = lives(ground, token=ground.token("front_desk"))
        free = [talk(n, InProcess(app)) for n in range(CONNECTIONS)]

        async def once() -> None:
            life = free.pop()
            await life()
            free.append(life)

        yield once


def selecting_inserting(ground: Ground) -> Measure:
    """The raw limit: two round trips, the second durable."""

    async def measure(seconds: float) -> Reading:
        return await pgbench.run(ground.raw_url, RAW_COMMAND, clients=RAW_CONNECTIONS, seconds=seconds)

    return measure


def commanding(ground: Ground, served: Running | None) -> Measure:
    """The same load for everybody; `cpu_us` is the server process's."""
    token = ground.token("front_desk")

    async def measure(seconds: float) -> Reading:
        assert served is not None
        cpu_s = served.cpu_s()
        found = await closed_loop(served.url, CONNECTIONS, seconds, lives(ground, token=token))
        return replace(found, cpu_us=1e6 * (served.cpu_s() - cpu_s) / (found.per_second * seconds))

    return measure
