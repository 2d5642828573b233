"""A whole service as processes on the real servers: migrated, verified, run, killed, stopped, rebuilt."""

import asyncio
import os
import secrets
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from erbium import provision
from erbium_kernel.clock import SystemClock, SystemIds
from erbium_kernel.execute import execute, state_of
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.migrating import sqlalchemy_url
from erbium_kernel.runtime import Runtime
from erbium_kernel.service import Service
from erbium_kernel.vault import Secrets, Vault
from erbium_kernel.verifying import check_isolation
from tests.kernel.follow.kitchen import CHAIN, a_nurse
from tests.kernel.follow.ward_service import ROLES_OF, answers, ward_service, write_service
from tests.kernel.ward import BED, SECRETS, TakeBed

ROOT = Path(__file__).parents[3]
SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
BEDS = 20


@dataclass
class Ward:
    """The service's folder, addresses and environment, and a hand in its database."""

    name: str
    folder: Path
    urls: provision.ServiceUrls
    environment: dict[str, str]
    service: Service
    logs: list[str] = field(default_factory=list)

    @property
    def package(self) -> str:
        """What follows `python -m`."""
        return self.name.replace("-", "_")

    async def command(self, *arguments: str, **settings: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error) of one command."""
        process = await self._spawn(*arguments, **settings)
        async with asyncio.timeout(SECONDS_MAX):
            out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    @asynccontextmanager
    async def running(self, kind: str) -> AsyncIterator[Process]:
        """A process that serves, once it is ready; killed at the end if it still lives."""
        process = await self._spawn(kind)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(SECONDS_MAX):
                while '"event":"started"' not in (line := (await process.stdout.readline()).decode()):
                    assert line, (await process.stderr.read()).decode() if process.stderr else ""
            drained = asyncio.create_task(process.stdout.read())
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        await drained

    @asynccontextmanager
    async def runtime(self) -> AsyncIterator[Runtime]:
        """Commands from another process than the service's own."""
        clock = SystemClock()
        store = await PostgresStore.open(service=self.name, api_url=self.urls.api, work_url=None, clock=clock)
        async with store:
            vault = Vault(store, SECRETS, clock=clock, ids=SystemIds(), owns_keys=True)
            from erbium_kernel.running import codec_of

            yield Runtime(
                service=self.name, store=store, clock=clock, ids=SystemIds(), codec=codec_of(self.service), vault=vault,
                publishes=self.service.publishes,
            )  # fmt: skip

    async def rows(self) -> set[UUID]:
        """Patients on the board, as the owner of the chain sees them."""
        connection = await asyncpg.connect(self.urls.api)
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.chain', $1, true)", str(CHAIN))
                return {record["patient_id"] for record in await connection.fetch("SELECT patient_id FROM beds")}
        finally:
            await connection.close()

    async def _spawn(self, *arguments: str, **settings: str) -> Process:
        environment = self.environment | settings
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.package, *arguments, env=environment, cwd=ROOT, stdout=PIPE, stderr=PIPE
        )


def write_secrets(folder: Path) -> Path:
    """The secrets that `SECRETS` holds, as files."""
    import base64

    folder.mkdir()
    for name, key in {"master-00000001.key": SECRETS.masters["00000001"], "fingerprint.key": SECRETS.fingerprint}.items():
        (folder / name).write_text(base64.b64encode(key).decode())
    assert Secrets.read(folder) == SECRETS
    return folder


@pytest.fixture(scope="module")
async def ward(postgres_url: str, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    """A ward of its own name, with an empty database; not migrated yet."""
    suffix = f"proc{secrets.token_hex(4)}"
    name, folder = f"ward-{suffix}", tmp_path_factory.mktemp("ward")
    topics = write_service(folder, name)
    urls = (await provision.provision(postgres_url, folder / "state", suffix=suffix))[ROLES_OF]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ERBIUM_")}
    environment = kept | {
        "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{ROOT}",
        "ERBIUM_ENV": "development",
        "ERBIUM_DATABASE_OWNER_URL": urls.owner,
        "ERBIUM_DATABASE_API_URL": urls.api,
        "ERBIUM_DATABASE_WORK_URL": urls.work,
        "ERBIUM_KAFKA": kafka,
        "ERBIUM_HTTP_PORT": "0",
        "ERBIUM_METRICS_PORT": "0",
        "ERBIUM_ISSUER": "http://127.0.0.1:9",
        "ERBIUM_JWKS": "http://127.0.0.1:9/jwks",
        "ERBIUM_AUDIENCE": "erbium",
        "ERBIUM_SECRETS_DIR": str(write_secrets(folder / "secrets")),
        "ERBIUM_TOPICS_FILE": str(topics),
    }
    try:
        yield Ward(name, folder, urls, environment, ward_service(name))
    finally:
        await provision.drop(postgres_url, suffix=suffix)


@pytest.fixture(scope="module")
async def migrated(ward: Ward) -> Ward:
    """The ward, migrated twice: the second time changes nothing."""
    for _ in range(2):
        code, out, err = await ward.command("migrate", "--json")
        assert (code, answers(out)) == (0, [{"service": ward.name, "revision": "0002"}]), err
    return ward


async def take_beds(ward: Ward, count: int = BEDS) -> list[UUID]:
    """That many patients lie down, each in a bed and a room of their own."""
    patients = [uuid4() for _ in range(count)]
    async with ward.runtime() as runtime:
        for patient in patients:
            command = TakeBed(patient_id=patient, room_id=uuid4(), at=runtime.clock.now())
            await execute(runtime, CHAIN, BED, uuid4(), command, cause=a_nurse(runtime))
    return patients


async def followed_everywhere(ward: Ward, patients: list[UUID]) -> None:
    """Every patient is on the board and has got exactly one meal: through relay, Kafka, intake and reaction."""
    meals = ward.service.deciders[1]
    async with ward.runtime() as runtime, asyncio.timeout(SECONDS_MAX):
        for patient in patients:
            while not (meal := (await state_of(runtime, CHAIN, meals, patient))[0]):
                await asyncio.sleep(0.02)
            assert len(meal) == 1
        while not set(patients) <= await ward.rows():
            await asyncio.sleep(0.02)


async def test_not_without_its_schema(ward: Ward) -> None:
    """A process on a database that is not migrated says so in one sentence, with what to do, and ends."""
    code, _, err = await ward.command("work", ERBIUM_DATABASE_WORK_URL=ward.urls.work)
    if "revision 0002" not in err:
        assert (code, err.count("\n")) == (1, 1), err
        assert f"run `python -m {ward.package} migrate`" in err


async def test_everything_once_and_an_orderly_end(migrated: Ward) -> None:
    """Beds taken by another process are followed everywhere; SIGTERM ends the process with 0 in time."""
    async with migrated.running("all") as process:
        patients = await take_beds(migrated)
        await followed_everywhere(migrated, patients)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX) == 0


async def test_killed_in_the_midst(migrated: Ward) -> None:
    """Killed without warning and started again, each bed has led to exactly one meal."""
    patients: list[UUID] = []
    for _ in range(3):
        async with migrated.running("work") as process:
            patients += await take_beds(migrated)
            await asyncio.sleep(0.05)
            process.kill()
            await process.wait()
    async with migrated.running("work") as process:
        await followed_everywhere(migrated, patients)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX) == 0


async def test_two_workers(migrated: Ward) -> None:
    """Of two workers one has each role, the other takes over when it ends."""
    async with migrated.running("work") as first, migrated.running("work") as second:
        patients = await take_beds(migrated)
        await followed_everywhere(migrated, patients)
        first.kill()
        await first.wait()
        patients = await take_beds(migrated)
        await followed_everywhere(migrated, patients)
        second.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(second.wait(), STOP_SECONDS_MAX) == 0


async def test_rebuild(migrated: Ward) -> None:
    """A read table is rebuilt to what it was; a reaction or an unknown name is refused in one sentence."""
    async with migrated.running("work"):
        await followed_everywhere(migrated, await take_beds(migrated, 3))
        before = await migrated.rows()
        code, out, err = await migrated.command("rebuild", "beds", "--live", "--json")
        assert (code, err) == (0, "")
        assert answers(out)[-1]["parked"] == 0
        assert await migrated.rows() >= before
    for name in ("beds", "ward.beds"):
        code, out, err = await migrated.command("rebuild", name)
        assert (code, err) == (0, "")
        assert "ward.beds is rebuilt" in out
        assert await migrated.rows() == before
    for name, why in (("ward.order-meal", "is a reaction"), ("nothing", "has no read table nothing")):
        code, _, err = await migrated.command("rebuild", name)
        assert (code, err.count("\n")) == (1, 1)
        assert why in err


async def test_parked_on_the_command_line(migrated: Ward) -> None:
    """Operators list, inspect and skip; what is not there is told in one sentence."""
    (patient,) = await take_beds(migrated, 1)
    async with migrated.runtime() as runtime:
        connection = await asyncpg.connect(migrated.urls.work)
        row = await connection.fetchrow("SELECT * FROM log WHERE ordering_id = $1 AND type = 'bed-taken'", patient)
        async with connection.transaction():
            await connection.execute("SELECT set_config('app.chain', $1, true)", str(CHAIN))
            await connection.execute("INSERT INTO parked_keys VALUES ('ward.beds', $1, $2, 'Bug at here.py:1', 3)", CHAIN, patient)
            await connection.execute(
                "INSERT INTO parked_rows VALUES ('ward.beds', $1, $2, $3, $4::text::xid8, $5, $6)",
                CHAIN, patient, row["epoch"], str(row["tx"]), row["position"], row["event_id"],
            )  # fmt: skip
        await connection.close()
        assert runtime.service == migrated.name
    (key,) = answers((await migrated.command("parked", "list", "--json"))[1])
    assert (key["subscriber"], key["chain"], key["key"], key["rows"]) == ("ward.beds", str(CHAIN), str(patient), 1)
    (shown,) = answers((await migrated.command("parked", "inspect", "ward.beds", str(CHAIN), str(patient), "--json"))[1])
    assert (shown["type"], shown["event_id"]) == ("bed-taken", str(row["event_id"]))
    skip = ("parked", "skip", "ward.beds", str(CHAIN), str(patient), "--by", "ops-1", "--reason", "known", "--json")
    assert answers((await migrated.command(*skip))[1]) == [{"skipped": str(row["event_id"])}]
    code, _, err = await migrated.command(*skip)
    assert (code, err.count("\n")) == (1, 1)
    assert (await migrated.command("parked", "list"))[1].startswith("Nothing is parked")


async def test_health_and_metrics(migrated: Ward) -> None:
    """Each role tells how it is; the numbers of operations are there."""
    settings = {"ERBIUM_METRICS_PORT": str(free_port())}
    process = await migrated._spawn("work", **settings)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings['ERBIUM_METRICS_PORT']}", trust_env=False) as client:
            async with asyncio.timeout(SECONDS_MAX):
                while not await answering(client):
                    await asyncio.sleep(0.05)
            checks = (await client.get("/readyz")).json()["checks"]
            assert {"relay", "intake", "timers", "watch", "measures", "ward.beds", "ward.order-meal", "database"} <= checks.keys()
            await asyncio.sleep(0.3)
            assert 'follow_lag_seconds{subscriber="ward.beds"}' in (await client.get("/metrics")).text
    finally:
        process.kill()
        await process.communicate()


async def test_a_role_above_row_level_security(migrated: Ward, postgres_url: str) -> None:
    """A database role that bypasses row-level security is refused before anything is served."""
    database = migrated.urls.work.rpartition("/")[2]
    code, _, err = await migrated.command("work", ERBIUM_DATABASE_WORK_URL=f"{postgres_url.rpartition('/')[0]}/{database}")
    assert (code, err.count("\n")) == (1, 1)
    assert "bypasses row-level security" in err


async def test_a_table_without_row_level_security(migrated: Ward) -> None:
    """A table with a chain that nobody has secured is named."""
    owner = await asyncpg.connect(migrated.urls.owner)
    engine = create_async_engine(sqlalchemy_url(migrated.urls.work))
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


@pytest.mark.parametrize("arguments", [(), ("parked",), ("rebuild",), ("nonsense",)])
async def test_wrong_usage(ward: Ward, arguments: tuple[str, ...]) -> None:
    """Wrong usage ends with 2 and shows how it goes."""
    code, _, err = await ward.command(*arguments)
    assert code == 2
    assert "usage:" in err


@pytest.mark.parametrize("command", ["api", "work", "all", "migrate", "rebuild", "parked"])
async def test_help(ward: Ward, command: str) -> None:
    """Every command explains itself, exit codes included."""
    code, out, _ = await ward.command(command, "--help")
    assert code == 0
    assert "exit codes" in out


async def test_missing_settings(ward: Ward) -> None:
    """What is not set is named all at once."""
    code, _, err = await ward.command("work", ERBIUM_DATABASE_WORK_URL="", ERBIUM_KAFKA="")
    assert (code, err.count("\n")) == (1, 1)
    assert "ERBIUM_DATABASE_WORK_URL" in err
    assert "ERBIUM_KAFKA" in err


async def answering(client: httpx.AsyncClient) -> bool:
    """Is the process ready?"""
    try:
        return (await client.get("/readyz")).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A port that nobody uses now."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
