"""What everything is measured on: a PostgreSQL and a Kafka of its own, the four databases, an issuer, and services as processes."""

import asyncio
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from erbium import issuer, launching, provision, servers, stack
from erbium.servers import folder, postgres, process
from erbium.servers.place import settle as place_of
from erbium.servers.ports import HOST, free_port
from erbium.stack_files import make_secrets, pid_file

CONNECT_SECONDS_MAX: Final = 10.0
RAW_DATABASE: Final = "bench_raw"
RIVAL_DATABASE: Final = "bench_rivals"
CLINICS: Final = 2
PARTITIONS: Final = 24  # of the frames' topic
# Commit times are read off the rows afterwards, so that nobody has to look while it is measured. No checkpoint is forced by the amount
# of log in the midst of a measurement: they are made between the rows. Everything that makes a commit durable stays as it is.
SETTINGS: Final = {"track_commit_timestamp": "on", "max_wal_size": "16GB", "checkpoint_timeout": "1h"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One process of a service. `url` is that of its API (of its health, where it has none)."""

    name: str
    url: str
    pid: int

    def cpu_s(self) -> float:
        """Processor time it has used so far, all threads, seconds."""
        used = psutil.Process(self.pid).cpu_times()
        return float(used.user + used.system)


@dataclass(slots=True, kw_only=True)
class Ground:
    """Running servers and prepared databases. `raw_url`: a database with nothing of Erbium in it, on the same server."""

    state: Path
    servers: servers.Servers
    stack: stack.Stack
    raw_url: str
    chain: uuid.UUID
    clinics: Sequence[uuid.UUID]
    quick: bool
    rivals: Path | None  # the interpreter that has them; None: they are not measured in this run
    _started: list[str] = field(default_factory=list)

    def urls(self, service: str) -> provision.ServiceUrls:
        """How each role reaches this service's database."""
        return self.stack.databases[service]

    @property
    def rival_url(self) -> str:
        """A database for rivals only, as the superuser."""
        return self.servers.postgres_url.rpartition("/")[0] + "/" + RIVAL_DATABASE

    def superuser(self, service: str) -> str:
        """The superuser in this service's database: bulk history, commit times."""
        return self.servers.postgres_url.rpartition("/")[0] + "/" + provision.database_of(service)

    def postgres_cpu_s(self) -> float:
        """Processor time of PostgreSQL so far, all of its processes, those that have ended too, seconds."""
        identity = process.recorded(postgres.Files(state=self.state).pid)
        assert identity is not None
        postmaster = psutil.Process(identity.pid)
        own = postmaster.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in postmaster.children():
            with suppress(psutil.Error):
                used = child.cpu_times()
                total += used.user + used.system
        return float(total)

    def token(self, role: str, subject: uuid.UUID | None = None) -> str:
        """A bearer token of this role, for the whole chain."""
        return self.stack.token(role, subject=subject)

    def environment(self, service: str, *, port: int, metrics_port: int) -> dict[str, str]:
        """As in production: no movable clock."""
        return stack.environment_of(self.stack, service, port=port, metrics_port=metrics_port) | {
            "ERBIUM_ENV": "production", "BENCH_CHAIN": str(self.chain), "BENCH_CLINIC": str(self.clinics[0]),
        }  # fmt: skip

    def start(self, service: str, kind: str) -> Running:
        """`python -m <service> <kind>`, ready. Ends with us, or by `stop`."""
        module = [sys.executable, "-m", service, kind]
        return self.start_program(f"{service}-{kind}", module, service, api=kind != "work")

    def start_program(self, name: str, argv: Sequence[str], service: str, *, api: bool = True) -> Running:
        """Any program that answers GET /readyz on the API's port (on the metrics port where it has no API)."""

        def program(port: int) -> process.Program:
            http, metrics = (port, free_port()) if api else (free_port(), port)
            return launching.program_of(self.state, name, argv, self.environment(service, port=http, metrics_port=metrics))

        port = launching.start_http(self.state, name, program, ready=lambda port: [f"http://{HOST}:{port}/readyz"], die_with_parent=True)
        self._started.append(name)
        identity = process.recorded(pid_file(self.state, name))
        assert identity is not None
        return Running(name=name, url=f"http://{HOST}:{port}", pid=identity.pid)

    def stop(self, *running: Running) -> None:
        """Ends these processes, orderly."""
        for one in running:
            process.stop(pid_file(self.state, one.name), signal.SIGTERM)
            self._started.remove(one.name)

    @contextmanager
    def services(self, *wanted: tuple[str, str]) -> Iterator[list[Running]]:
        """These (service, kind) processes while the block runs."""
        started: list[Running] = []
        try:
            for service, kind in wanted:
                started.append(self.start(service, kind))
            yield started
        finally:
            self.stop(*started)

    def close(self) -> None:
        """Everything ends; the folder stays for whoever wants to read the logs."""
        for name in [*self._started, "issuer"]:
            process.stop(pid_file(self.state, name), signal.SIGTERM)
        self.servers.stop()


async def connect(url: str) -> "asyncpg.Connection[Any]":
    """One connection. JSON comes and goes as text."""
    return await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX, command_timeout=300)


def opened(state: Path, *, quick: bool, rivals: Path | None, say: Callable[[str], None]) -> Ground:
    """Everything started, from nothing. Raises: LocalServerError."""
    for name in ("ERBIUM_POSTGRES_URL", "ERBIUM_KAFKA"):
        os.environ.pop(name, None)  # its own servers, whatever else runs here
    say("starting PostgreSQL and Kafka")
    _cleared(state)
    postgres_url = servers.start_postgres(state, die_with_parent=True, progress=say)
    _configure(state, postgres_url)
    found = servers.start(state, die_with_parent=True, progress=say)
    try:
        say("databases, migrations, topics, issuer")
        databases = asyncio.run(provision.provision(found.postgres_url, state))
        make_secrets(state)
        launching.migrate(state, databases)
        launching.ensure_topics(found.kafka)
        raw_url = asyncio.run(_other_databases(found.postgres_url))
        chain, clinics = uuid.uuid4(), [uuid.uuid4() for _ in range(CLINICS)]
        running = stack.Stack(
            state=state, servers=found, databases=databases, issuer_port=_issuer(state), services={}, chain=chain, clinics=clinics
        )
    except BaseException:
        found.stop()
        raise
    return Ground(state=state, servers=found, stack=running, raw_url=raw_url, chain=chain, clinics=clinics, quick=quick, rivals=rivals)


@contextmanager
def alone(place: Path) -> Iterator[Path]:
    """The folder of the servers' state, while nobody else measures from this checkout. Raises: LocalServerError."""
    folder.ensure(place, 0o711)
    with folder.locked(place / "lock", "A benchmark already runs from this checkout: wait for it, two would measure each other."):
        yield place / "state"


def _cleared(state: Path) -> None:
    """What an earlier run left behind: its processes, then its files."""
    stack.down(state)
    if state.exists():
        place = place_of(state)
        shutil.rmtree(place.data, ignore_errors=True)
        shutil.rmtree(state)
    folder.ensure(state, 0o711)


def _configure(state: Path, url: str) -> None:
    async def alter() -> None:
        connection = await connect(url)
        for name, value in SETTINGS.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await connection.close()

    asyncio.run(alter())
    postgres.stop(state)


async def _other_databases(url: str) -> str:
    connection = await connect(url)
    for name in (RAW_DATABASE, RIVAL_DATABASE):
        await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return url.rpartition("/")[0] + "/" + RAW_DATABASE


def _issuer(state: Path) -> int:
    def program(port: int) -> process.Program:
        argv = [sys.executable, "-m", "erbium.issuer", "--port", str(port), "--keys", str(state / "issuer")]
        return launching.program_of(state, "issuer", argv, launching.base_environment() | {"ERBIUM_ENV": "development"})

    return launching.start_http(state, "issuer", program, ready=lambda port: [issuer.jwks_url(port)], die_with_parent=True)


async def make_topic(ground: Ground, name: str) -> None:
    """A topic of the benchmark's own, as wide as that of the frames."""
    admin = AIOKafkaAdminClient(bootstrap_servers=ground.servers.kafka)
    await admin.start()
    try:
        if name not in await admin.list_topics():
            await admin.create_topics([NewTopic(name, num_partitions=PARTITIONS, replication_factor=1)])
    finally:
        await admin.close()


async def settle(ground: Ground, *, afresh: bool) -> None:
    """Between two rows: what was written is on disk. `afresh`: the databases have grown, so their statistics are made anew."""
    for database in (*(provision.database_of(service) for service in provision.SERVICES), RAW_DATABASE, RIVAL_DATABASE):
        connection = await connect(ground.servers.postgres_url.rpartition("/")[0] + "/" + database)
        if afresh:
            await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
        await connection.close()


def own_cpu_s() -> float:
    """Processor time of this process so far, seconds."""
    return time.process_time()
