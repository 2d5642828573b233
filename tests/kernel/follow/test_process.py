"""A whole service as processes on the real servers: migrated, verified, run, killed, stopped."""

import asyncio
import signal
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from erbium_kernel.command_line import obeyed, parser
from erbium_kernel.database_url import sqlalchemy_url
from erbium_kernel.verifying import check_isolation, check_revision
from tests.kernel.follow.kitchen import CHAIN
from tests.kernel.follow.ward_process import POLL_SECONDS, SECONDS_MAX, Ward, a_ward
from tests.kernel.follow.ward_service import ROLES_OF, answers

STOP_SECONDS_MAX = 20.0
BEDS = 20


@pytest.fixture(scope="module")
async def ward(postgres_url: str, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    """One ward for this file, migrated by two at once, of whom one changes nothing. Before, its processes do not start."""
    async with a_ward(postgres_url, kafka, tmp_path_factory.mktemp("ward")) as ward:
        code, _, err = await ward.command("work")
        assert (code, err.count("\n")) == (1, 1), err
        assert f"needs 0002: run `python -m {ward.package} migrate`" in err
        for code, out, err in await asyncio.gather(*(ward.command("migrate", "--json") for _ in range(2))):
            assert (code, answers(out)) == (0, [{"service": ward.name, "revision": "0002"}]), err
        yield ward


async def stopped(process: asyncio.subprocess.Process, number: signal.Signals) -> int:
    """The exit code after this signal."""
    process.send_signal(number)
    return await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)


async def test_everything_once_and_an_orderly_end(ward: Ward) -> None:
    """Beds taken by another process are followed everywhere; SIGTERM ends the process with 0 in time."""
    async with ward.running("all") as process:
        await ward.followed_everywhere(await ward.take_beds(BEDS))
        assert await stopped(process, signal.SIGTERM) == 0


async def test_killed_in_the_midst(ward: Ward) -> None:
    """Killed without warning and started again, each bed has led to exactly one meal."""
    async with ward.running("work") as process:
        patients = await ward.take_beds(BEDS)
        process.kill()
        await process.wait()
    async with ward.running("work") as process:
        await ward.followed_everywhere(patients)
        assert await stopped(process, signal.SIGTERM) == 0


async def test_two_workers(ward: Ward) -> None:
    """Of two workers one has each role, the other takes over when it ends."""
    async with ward.running("work") as first, ward.running("work") as second:
        await ward.followed_everywhere(await ward.take_beds(BEDS))
        first.kill()
        await first.wait()
        await ward.followed_everywhere(await ward.take_beds(BEDS))
        assert await stopped(second, signal.SIGINT) == 0


async def test_rebuilt_while_it_runs(ward: Ward, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A rebuild is refused while a worker runs; a live one makes the worker do it; the table is as before either way."""
    for name, value in ward.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("erbium_kernel.rebuild.LEASE_SECONDS_MAX", 0.3)
    async with ward.running("work") as process:
        await ward.followed_everywhere(await ward.take_beds(BEDS))
        before = await ward.rows()
        assert await obeyed(ward.service, parser(ward.service).parse_args(["rebuild", "beds"])) == 1
        assert "--live" in capsys.readouterr().err
        assert await ward.rows() == before
        assert await obeyed(ward.service, parser(ward.service).parse_args(["rebuild", "beds", "--live", "--json"])) == 0
        assert answers(capsys.readouterr().out)[-1]["parked"] == 0
        assert await ward.rows() == before
        assert await stopped(process, signal.SIGTERM) == 0
    assert await obeyed(ward.service, parser(ward.service).parse_args(["rebuild", "ward.beds"])) == 0
    assert "ward.beds is rebuilt" in capsys.readouterr().out
    assert await ward.rows() == before


async def park(ward: Ward, patient: UUID) -> str:
    """The patient's bed is parked on the board; returns the event's id."""
    connection = await asyncpg.connect(ward.urls.work)
    row = await connection.fetchrow("SELECT * FROM log WHERE ordering_id = $1 AND type = 'bed-taken'", patient)
    async with connection.transaction():
        await connection.execute("SELECT set_config('app.chain', $1, true)", str(CHAIN))
        await connection.execute("INSERT INTO parked_keys VALUES ('ward.beds', $1, $2, 'Bug at here.py:1', 3)", CHAIN, patient)
        await connection.execute(
            "INSERT INTO parked_rows VALUES ('ward.beds', $1, $2, $3, $4::text::xid8, $5, $6)",
            CHAIN, patient, row["epoch"], str(row["tx"]), row["position"], row["event_id"],
        )  # fmt: skip
    await connection.close()
    return str(row["event_id"])


async def test_parked_on_the_command_line(ward: Ward, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Operators list, inspect and skip; what is not there is told in one sentence."""
    for name, value in ward.environment.items():
        monkeypatch.setenv(name, value)

    async def told(*arguments: str) -> tuple[int, str]:
        code = await obeyed(ward.service, parser(ward.service).parse_args(["parked", *arguments]))
        captured = capsys.readouterr()
        return code, captured.err if code else captured.out

    (patient,) = await ward.take_beds(1)
    event_id, key = await park(ward, patient), ("ward.beds", str(CHAIN), str(patient))
    (listed,) = answers((await told("list", "--json"))[1])
    assert ((listed["subscriber"], listed["chain"], listed["key"]), listed["rows"]) == (key, 1)
    assert "Bug at here.py:1" in (await told("list"))[1]
    (shown,) = answers((await told("inspect", *key, "--json"))[1])
    assert (shown["type"], shown["event_id"]) == ("bed-taken", event_id)
    assert event_id in (await told("inspect", *key))[1]
    skip = ("skip", *key, "--by", "ops-1", "--reason", "known", "--event")
    code, sentence = await told(*skip, str(patient))
    assert (code, sentence.count("\n")) == (1, 1)
    assert f"{event_id} is: look at that one" in sentence
    assert await told(*skip, event_id) == (0, f"Skipped {event_id}; what waited behind it is released.\n")
    for gone in ((*skip, event_id), ("inspect", *key), ("retry", *key)):
        code, sentence = await told(*gone)
        assert (code, sentence.count("\n")) == (1, 1)
        assert "`parked list` shows what is" in sentence
    assert await told("list") == (0, f"Nothing is parked in {ward.name}.\n")


async def test_retried_on_the_command_line(ward: Ward, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Once the fault is mended an operator releases the key, and a worker works it off from its first row on."""
    for name, value in ward.environment.items():
        monkeypatch.setenv(name, value)
    patients = await ward.take_beds(2)
    for patient in patients:
        await park(ward, patient)
        retry = ["parked", "retry", "ward.beds", str(CHAIN), str(patient)] + (["--json"] if patient == patients[1] else [])
        assert await obeyed(ward.service, parser(ward.service).parse_args(retry)) == 0
    sentence, answer = capsys.readouterr().out.splitlines()
    assert sentence == f"{patients[0]} is released: its rows are tried again, oldest first."
    assert answers(answer) == [{"released": str(patients[1])}]
    async with ward.running("work") as process:
        await ward.followed_everywhere(patients)
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                assert await obeyed(ward.service, parser(ward.service).parse_args(["parked", "list"])) == 0
                if "Nothing is parked" in capsys.readouterr().out:
                    break
                await asyncio.sleep(POLL_SECONDS)
        assert await stopped(process, signal.SIGTERM) == 0


async def test_a_role_above_row_level_security(ward: Ward, postgres_url: str) -> None:
    """A database role that bypasses row-level security is refused before anything is served."""
    database = ward.urls.work.rpartition("/")[2]
    code, _, err = await ward.command("work", ERBIUM_DATABASE_WORK_URL=f"{postgres_url.rpartition('/')[0]}/{database}")
    assert (code, err.count("\n")) == (1, 1)
    assert "bypasses row-level security" in err


async def test_a_table_without_row_level_security(ward: Ward) -> None:
    """A table with a chain that nobody has secured is named."""
    owner = await asyncpg.connect(ward.urls.owner)
    engine = create_async_engine(sqlalchemy_url(ward.urls.work))
    try:
        assert await check_isolation(engine) is None
        await owner.execute(f"CREATE TABLE forgotten (chain_id uuid); GRANT SELECT ON forgotten TO {ROLES_OF}_work")
        assert "not in force on forgotten:" in (await check_isolation(engine) or "")
        await owner.execute("ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY")
        assert "forgotten" in (await check_isolation(engine) or ""), "without FORCE the owner sees all"
    finally:
        await owner.execute("DROP TABLE IF EXISTS forgotten")
        await owner.close()
        await engine.dispose()


async def test_a_newer_schema(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema that is newer than the code fits, so that the old processes go on while a deploy runs; an older one does not."""
    monkeypatch.syspath_prepend(ward.environment["PYTHONPATH"].split(":")[0])
    owner = await asyncpg.connect(ward.urls.owner)
    engine = create_async_engine(sqlalchemy_url(ward.urls.api))
    try:
        for revision, fits in (("0003", True), ("0001", False), ("0002", True)):
            await owner.execute("UPDATE schema_version SET version_num = $1", revision)
            assert (await check_revision(engine, ward.name) is None) == fits
    finally:
        await owner.close()
        await engine.dispose()


async def test_restored_into_another_cluster(ward: Ward, postgres_url: str) -> None:
    """Where transaction ids have started again nothing is served until the epoch is raised as the sentence says; then all goes on."""
    await ward.take_beds(1)
    async with ward.running("work") as process:
        await ward.followed_everywhere(await ward.take_beds(1))
        assert await stopped(process, signal.SIGTERM) == 0
    admin = await asyncpg.connect(f"{postgres_url.rpartition('/')[0]}/{ward.urls.work.rpartition('/')[2]}")
    owner = await asyncpg.connect(ward.urls.owner)
    try:
        for table in ("log", "keys", "checkpoints", "parked_rows", "heartbeats"):
            await admin.execute(f"UPDATE {table} SET tx = (tx::text::bigint + 1000000000)::text::xid8")
        for kind in ("work", "api", "all"):
            code, _, err = await ward.command(kind)
            assert (code, err.count("\n")) == (1, 1)
            assert "was restored into another cluster" in err
        await owner.execute(err.split("`")[1])
    finally:
        await admin.close()
        await owner.close()
    async with ward.running("all") as process:
        await ward.followed_everywhere(await ward.take_beds(1))
        assert await stopped(process, signal.SIGTERM) == 0
