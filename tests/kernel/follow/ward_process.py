"""The ward's processes on the real servers, and a hand in its database."""

import asyncio
import base64
import os
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from erbium import provision
from erbium_kernel.clock import SystemClock, SystemIds
from erbium_kernel.execute import execute
from erbium_kernel.folding import state_of
from erbium_kernel.log.postgres import PostgresStore
from erbium_kernel.message import topic_of
from erbium_kernel.running import codec_of
from erbium_kernel.runtime import Runtime
from erbium_kernel.service import Service
from erbium_kernel.vault import Secrets, Vault
from tests.kernel.follow.kitchen import CHAIN, a_nurse
from tests.kernel.follow.ward_service import ROLES_OF, ward_service, write_service
from tests.kernel.ward import BED, SECRETS, TakeBed

ROOT = Path(__file__).parents[3]
SECONDS_MAX = 60.0
POLL_SECONDS = 0.02


@dataclass
class Ward:
    """The service's name, addresses and environment."""

    name: str
    urls: provision.ServiceUrls
    environment: dict[str, str]
    service: Service

    @property
    def package(self) -> str:
        """What follows `python -m`."""
        return self.name.replace("-", "_")

    async def command(self, *arguments: str, **settings: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error) of one command as a process."""
        process = await self.spawn(*arguments, **settings)
        async with asyncio.timeout(SECONDS_MAX):
            out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    @asynccontextmanager
    async def running(self, kind: str, **settings: str) -> AsyncIterator[Process]:
        """A process that serves, once it is ready; killed at the end if it still lives."""
        process = await self.spawn(kind, **settings)
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(SECONDS_MAX):
                while '"event":"started"' not in (line := (await process.stdout.readline()).decode()):
                    assert line, (await process.stderr.read()).decode()
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
        clock, ids = SystemClock(), SystemIds()
        async with await PostgresStore.open(service=self.name, api_url=self.urls.api, work_url=None, clock=clock) as store:
            vault = Vault(store, SECRETS, clock=clock, ids=ids, owns_keys=True)
            codec, publishes = codec_of(self.service), self.service.publishes
            yield Runtime(service=self.name, store=store, clock=clock, ids=ids, codec=codec, vault=vault, publishes=publishes)

    async def take_beds(self, count: int) -> list[UUID]:
        """That many patients lie down, each in a bed and a room of their own."""
        patients = [uuid4() for _ in range(count)]
        async with self.runtime() as runtime:
            for patient in patients:
                command = TakeBed(patient_id=patient, room_id=uuid4(), at=runtime.clock.now())
                await execute(runtime, CHAIN, BED, uuid4(), command, cause=a_nurse(runtime))
        return patients

    async def followed_everywhere(self, patients: list[UUID]) -> None:
        """Every patient is on the board and has got exactly one meal: through relay, Kafka, intake and reaction."""
        meals = self.service.deciders[1]
        async with self.runtime() as runtime, asyncio.timeout(SECONDS_MAX):
            for patient in patients:
                while not (meal := (await state_of(runtime, CHAIN, meals, patient))[0]):  # noqa: ASYNC110  # another process
                    await asyncio.sleep(POLL_SECONDS)
                assert len(meal) == 1
            while not set(patients) <= await self.rows():  # noqa: ASYNC110  # another process
                await asyncio.sleep(POLL_SECONDS)

    async def rows(self) -> set[UUID]:
        """Patients on the board."""
        connection = await asyncpg.connect(self.urls.api)
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.chain', $1, true)", str(CHAIN))
                return {record["patient_id"] for record in await connection.fetch("SELECT patient_id FROM beds")}
        finally:
            await connection.close()

    async def spawn(self, *arguments: str, **settings: str) -> Process:
        """`python -m <package> …`."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.package, *arguments, env=self.environment | settings, cwd=ROOT, stdout=PIPE, stderr=PIPE
        )


@asynccontextmanager
async def a_ward(postgres_url: str, kafka: str, folder: Path) -> AsyncIterator[Ward]:
    """A ward of its own name in `folder`, with an empty database that is not migrated."""
    suffix = f"proc{secrets.token_hex(4)}"
    name = f"ward-{suffix}"
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
        yield Ward(name, urls, environment, ward_service(name))
    finally:
        await provision.drop(postgres_url, suffix=suffix)
        await delete_topic(kafka, topic_of(name))


async def delete_topic(kafka: str, topic: str) -> None:
    """The cluster outlives the test; a topic that never was is no trouble."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
        await admin.delete_topics([topic])
    finally:
        await admin.close()


def write_secrets(folder: Path) -> Path:
    """The secrets that `SECRETS` holds, as files."""
    folder.mkdir()
    for name, key in {"master-00000001.key": SECRETS.masters["00000001"], "fingerprint.key": SECRETS.fingerprint}.items():
        (folder / name).write_text(base64.b64encode(key).decode())
    assert Secrets.read(folder) == SECRETS
    return folder
