"""The ways in which other logs have lost or swapped events, kept as mutants: each promise holds on the kernel, and breaks on its mutant."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from erbium_kernel.log import lease as lease_module
from erbium_kernel.log import taking_in as taking_in_module
from tests.kernel.log import checkers
from tests.kernel.log.checkers import Turn
from tests.kernel.log.functions import database_function
from tests.kernel.log.grounds import Database, PostgresGround
from tests.kernel.log.making import a_command, a_stream

Worker = Callable[[Turn], Awaitable[None]]

LAW_1 = """    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'an append must be the first write of its transaction' USING ERRCODE = 'EB001';
    END IF;
"""
LOCKS_FIRST = """    IF p_guards IS NOT NULL THEN
        PERFORM erbium_lock_guards(p_chain, p_guards);
    END IF;
"""
GUARDS = "        PERFORM erbium_guard(p_chain, p_guards);\n"
HEADS_CHECKED = """        WHERE c.head = c.expected
        ORDER BY c.place, e.nth
"""
NOT_THE_FIRST_WRITE = "EB001"


def mutant(text: str, *changes: tuple[str, str]) -> str:
    """The text with each change made, each exactly where it belongs."""
    for old, new in changes:
        assert text.count(old) == 1, f"the kernel's text no longer holds exactly one of: {old}"
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def append_function(database: Database, *changes: tuple[str, str]) -> AsyncIterator[None]:
    """The database's `erbium_append_group` is the mutant inside the block, and the kernel's own again behind it."""
    own = database_function("erbium_append_group")
    owner = await asyncpg.connect(database.owner)
    try:
        await owner.execute(mutant(own, *changes))
        yield
    finally:
        await owner.execute(own)
        await owner.close()


# --- a reader that remembers the last position


async def test_late_commits_are_read(postgres_ground: PostgresGround) -> None:
    """The kernel's reader stops below the oldest open transaction."""
    await checkers.late_commits_are_read(postgres_ground)


async def test_a_reader_by_position_loses_late_commits(postgres_ground: PostgresGround, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: `position > last`. The event whose transaction committed late is never read."""
    by_triple = f"(epoch, tx, position) > ($1, $2::text::xid8, $3) AND {lease_module.READABLE}"
    by_position = "position > $3 AND $1::int IS NOT NULL AND $2::text IS NOT NULL"
    changes = ((by_triple, by_position), ("ORDER BY epoch, log.tx, position", "ORDER BY position"))
    monkeypatch.setattr(lease_module, "READ_AFTER", mutant(lease_module.READ_AFTER, *changes))
    with pytest.raises(AssertionError, match="lost"):
        await checkers.late_commits_are_read(postgres_ground)


async def test_a_reader_without_a_horizon_loses_late_commits(postgres_ground: PostgresGround, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: the right order, but read up to the very end. The late event is behind the reader already."""
    monkeypatch.setattr(lease_module, "READ_AFTER", mutant(lease_module.READ_AFTER, (f" AND {lease_module.READABLE}", "")))
    with pytest.raises(AssertionError, match="lost"):
        await checkers.late_commits_are_read(postgres_ground)


# --- a worker whose transaction has an id before its append


async def claims_by_advisory_lock(turn: Turn) -> None:
    """The kernel's way: no transaction id."""
    assert await turn.connection.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 2))", str(turn.chain_id))
    await turn.meanwhile()


async def locks_a_row(turn: Turn) -> None:
    """Mutant: the worker claims its work by a row lock, as queues on PostgreSQL do."""
    row = await turn.connection.fetchrow("SELECT key FROM timers WHERE chain_id = $1 FOR UPDATE SKIP LOCKED LIMIT 1", turn.chain_id)
    assert row is not None
    await turn.meanwhile()


async def has_appended_before(turn: Turn) -> None:
    """Mutant: a second append in one transaction."""
    await checkers.append_on(turn.connection, a_command(turn.chain_id, a_stream()))
    await turn.meanwhile()


async def writes_its_answer_first(turn: Turn) -> None:
    """Mutant: the idempotency row is written first, so that a repeated request waits for it; then the stream is read."""
    await turn.connection.execute(
        "INSERT INTO idempotency (chain_id, client, route, key, fingerprint, status, stream, version, facts) "
        "VALUES ($1, 'kiosk', 'POST /v1/patients', 'k', '', 201, 's', 3, '{}')",
        turn.chain_id,
    )
    await turn.meanwhile()


EARLY_WRITERS = (locks_a_row, has_appended_before, writes_its_answer_first)


async def test_a_worker_that_claims_by_advisory_lock_keeps_the_order(postgres_ground: PostgresGround, database: Database) -> None:
    """What the worker saw is read before what it appended."""
    await checkers.streams_are_read_in_order(postgres_ground, database.work, claims_by_advisory_lock)


@pytest.mark.parametrize("worker", EARLY_WRITERS)
async def test_an_append_that_is_not_the_first_write_is_refused(
    postgres_ground: PostgresGround, database: Database, worker: Worker
) -> None:
    """The kernel's function does not let such a worker append at all."""
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await checkers.streams_are_read_in_order(postgres_ground, database.work, worker)
    assert refusal.value.sqlstate == NOT_THE_FIRST_WRITE


@pytest.mark.parametrize("worker", EARLY_WRITERS)
async def test_an_append_behind_another_write_swaps_versions(postgres_ground: PostgresGround, database: Database, worker: Worker) -> None:
    """Mutant: the function without its first law. Version 3 is read before version 2, which it was decided on."""
    async with append_function(database, (LAW_1, "")):
        await checkers.streams_are_read_in_order(postgres_ground, database.work, claims_by_advisory_lock)
        with pytest.raises(AssertionError, match=r"in the order \[1, 3, 2\]"):
            await checkers.streams_are_read_in_order(postgres_ground, database.work, worker)


# --- a group that drops its losers


async def test_commands_stay_whole(postgres_ground: PostgresGround) -> None:
    """A command that loses a race inside a group leaves none of its events."""
    await checkers.commands_stay_whole(postgres_ground)


async def test_dropping_losers_on_conflict_tears_commands(postgres_ground: PostgresGround, database: Database) -> None:
    """Mutant: ON CONFLICT DO NOTHING. The first event of the loser is dropped, its second one stays."""
    dropping = HEADS_CHECKED.replace("e.nth", "e.nth ON CONFLICT DO NOTHING")
    async with append_function(database, (HEADS_CHECKED, dropping)):
        with pytest.raises(AssertionError, match="torn"):
            await checkers.commands_stay_whole(postgres_ground)


# --- a guard that is waited for behind the log insert


async def test_claims_stand_in_the_order_of_the_log(postgres_ground: PostgresGround) -> None:
    """Who waits for a room has no place in the log yet."""
    await checkers.claims_stand_in_the_order_of_the_log(postgres_ground)


async def test_waiting_for_a_claim_behind_the_log_insert_swaps_them(postgres_ground: PostgresGround, database: Database) -> None:
    """Mutant: guards are locked where they are written. The new claim is read before the release that made it possible."""
    late = "        PERFORM erbium_lock_guards(p_chain, p_guards);\n" + GUARDS
    async with append_function(database, (LOCKS_FIRST, ""), (GUARDS, late)):
        with pytest.raises(AssertionError, match="before it was given back"):
            await checkers.claims_stand_in_the_order_of_the_log(postgres_ground)


# --- a key that comes back


async def test_erasures_are_final(postgres_ground: PostgresGround) -> None:
    """One row per person, and what is erased stays erased."""
    await checkers.erasures_are_final(postgres_ground)


async def test_a_key_accepted_after_its_erasure_is_noticed(postgres_ground: PostgresGround, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: the upsert without `where not erased`. The person can be read again."""
    monkeypatch.setattr(taking_in_module, "KEY_ROW", mutant(taking_in_module.KEY_ROW, (" WHERE NOT k.erased", "")))
    with pytest.raises(AssertionError, match="erased person"):
        await checkers.erasures_are_final(postgres_ground)


# --- a heartbeat that overtakes what it vouches for


async def test_heartbeats_vouch_for_waiting_rows(postgres_ground: PostgresGround) -> None:
    """Freshness counts once the rows before the heartbeat have been followed, whatever is open."""
    await checkers.heartbeats_vouch_for_waiting_rows(postgres_ground)


async def test_a_heartbeat_at_the_readable_end_overtakes(postgres_ground: PostgresGround, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: the heartbeat points at the last readable row. A laser would fire on a suspension that is in the log already."""
    readable = ("position FROM log ORDER BY", f"position FROM log WHERE {lease_module.READABLE} ORDER BY")
    monkeypatch.setattr(taking_in_module, "HEARTBEAT", mutant(taking_in_module.HEARTBEAT, readable))
    with pytest.raises(AssertionError, match="before the suspension"):
        await checkers.heartbeats_vouch_for_waiting_rows(postgres_ground)
