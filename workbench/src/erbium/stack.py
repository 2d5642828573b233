"""The whole of Erbium on one machine: two servers, four services, an issuer of tokens for development."""

import dataclasses
import json
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from erbium import provision, servers
from erbium.launching import (
    POLL_SECONDS,
    attempts,
    base_environment,
    ensure_topics,
    migrate,
    program_of,
    start_http,
    topics_file,
)
from erbium.servers import LocalServerError, folder, process
from erbium.servers.errors import explain_os_error
from erbium.servers.ports import HOST, free_port
from erbium.stack_files import book_file, make_secrets, pid_file, secrets_of, tenant_of_development, write_file

ROLES = (
    "integrator", "front_desk", "nurse", "doctor", "medical_director", "laser_safety_officer", "privacy_officer", "ops", "manufacturer",
    "device",
)  # fmt: skip
AUDIENCE = "erbium"

Progress = Callable[[str], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where one service answers."""

    name: str
    port: int
    metrics_port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def docs(self) -> str:
        return f"{self.url}/docs"

    @property
    def metrics(self) -> str:
        return f"http://{HOST}:{self.metrics_port}/metrics"

    @property
    def readiness(self) -> list[str]:
        """Where it says whether it is ready: for callers on its own port, for what it takes in and gives out on the metrics port."""
        return [f"{self.url}/readyz", f"http://{HOST}:{self.metrics_port}/readyz"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running Erbium. `chain` and `clinics` are those of the tokens it mints unless told otherwise."""

    state: Path
    servers: servers.Servers
    databases: Mapping[str, provision.ServiceUrls]
    issuer_port: int
    services: Mapping[str, Endpoint]
    chain: uuid.UUID
    clinics: Sequence[uuid.UUID]

    @property
    def issuer(self) -> str:
        return f"http://{HOST}:{self.issuer_port}"

    @property
    def jwks(self) -> str:
        from erbium import issuer

        return issuer.jwks_url(self.issuer_port)

    def token(
        self,
        role: str,
        *,
        chain: uuid.UUID | None = None,
        clinics: Sequence[uuid.UUID] | None = None,
        subject: uuid.UUID | None = None,
    ) -> str:
        """A bearer token for development, of this role."""
        from erbium import issuer

        try:
            return issuer.mint(
                self.state / "issuer",
                self.issuer,
                role=role,
                chain=chain or self.chain,
                clinics=list(self.clinics if clinics is None else clinics),
                subject=subject or uuid.uuid5(self.chain, role),  # the same person every time
            )
        except issuer.IssuerRefused as refused:
            raise LocalServerError(str(refused)) from refused

    def stop(self) -> None:
        """End everything, services first, and let no Ctrl-C interrupt that. Doing it again changes nothing."""
        with process.undisturbed():
            down(self.state)


def up(state: Path, *, die_with_parent: bool, progress: Progress) -> Stack:
    """Start everything and wait until it is ready; what runs already is found and returned as it is.

    `die_with_parent`: all of it ends with this process, even by kill -9. Raises: LocalServerError.
    """
    state = folder.ready_to_write(state.absolute())
    busy = f"Another start from {state} is under way: wait for it."
    with folder.locked(state / "run" / "up.lock", busy):
        if running := attach(state):
            return running
        down(state)  # the remains of one that lost a part
        try:
            return _start(state, die_with_parent=die_with_parent, progress=progress)
        except BaseException as error:
            with process.undisturbed():
                down(state)
            if isinstance(error, OSError):
                raise explain_os_error(error, state) from error
            raise


def down(state: Path) -> bool:
    """Stop what runs from `state`: services, issuer, Kafka, PostgreSQL. Says whether anything ran."""
    state = state.absolute()
    ran = bool(running_names(state))
    names = [*provision.SERVICES, "issuer"]
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        list(pool.map(lambda name: process.stop(pid_file(state, name), signal.SIGTERM), names))
    servers.stop(state)
    book_file(state).unlink(missing_ok=True)
    return ran


def running_names(state: Path) -> list[str]:
    """Which of the processes of `state` live."""
    names = ["postgres", "kafka", "issuer", *provision.SERVICES]
    return [name for name in names if process.is_running(pid_file(state.absolute(), name))]


def attach(state: Path) -> Stack | None:
    """The stack that runs from `state`; None unless every part of it lives."""
    state = state.absolute()
    try:
        book = json.loads(book_file(state).read_text())
    except (FileNotFoundError, ValueError):
        return None
    found = servers.attach(state)
    if found is None or not {"issuer", *provision.SERVICES} <= set(running_names(state)):
        return None
    endpoints = {name: Endpoint(name=name, **ports) for name, ports in book["services"].items()}
    return _stack(state, found, book["issuer_port"], endpoints)


def _start(state: Path, *, die_with_parent: bool, progress: Progress) -> Stack:
    found = servers.start(state, die_with_parent=die_with_parent, progress=progress)
    stack = prepared(state, found, die_with_parent=die_with_parent, progress=progress)
    progress("The four services")
    endpoints = _start_services(stack, die_with_parent=die_with_parent)
    _remember(state, stack.issuer_port, endpoints)
    return dataclasses.replace(stack, services=endpoints)


def prepared(state: Path, found: servers.Servers, *, die_with_parent: bool, progress: Progress) -> Stack:
    """Everything on these servers but the services, for whoever starts those in another way: as `api` and `work` apart, say.

    Raises: LocalServerError.
    """
    progress("Databases and roles")
    databases = process.run(provision.provision(found.postgres_url, state))
    make_secrets(state)
    progress("Migrations of the four services")
    migrate(state, databases)
    progress("Topics")
    ensure_topics(found.kafka)
    progress("Issuer of development tokens")
    issuer_port = _start_issuer(state, die_with_parent=die_with_parent)
    return _stack(state, found, issuer_port, {})


def _stack(state: Path, found: servers.Servers, issuer_port: int, endpoints: Mapping[str, Endpoint]) -> Stack:
    chain, clinics = tenant_of_development(state)
    return Stack(
        state=state,
        servers=found,
        databases=provision.urls(found.postgres_url, state),
        issuer_port=issuer_port,
        services=endpoints,
        chain=chain,
        clinics=clinics,
    )


def _remember(state: Path, issuer_port: int, endpoints: Mapping[str, Endpoint]) -> None:
    services = {name: {"port": one.port, "metrics_port": one.metrics_port} for name, one in endpoints.items()}
    write_file(book_file(state), json.dumps({"issuer_port": issuer_port, "services": services}, indent=2), 0o644)


def _start_issuer(state: Path, *, die_with_parent: bool) -> int:
    from erbium import issuer

    def program(port: int) -> process.Program:
        argv = [sys.executable, "-m", "erbium.issuer", "--port", str(port), "--keys", str(state / "issuer")]
        return program_of(state, "issuer", argv, base_environment() | {"ERBIUM_ENV": "development"})

    return start_http(state, "issuer", program, ready=lambda port: [issuer.jwks_url(port)], die_with_parent=die_with_parent)


def environment_of(stack: Stack, service: str, *, port: int, metrics_port: int) -> dict[str, str]:
    """Everything one service process is told. The owner's URL is not among it: no process that serves has it."""
    urls = stack.databases[service]
    told = {
        "ERBIUM_ENV": "development",
        "ERBIUM_DATABASE_API_URL": urls.api,
        "ERBIUM_DATABASE_WORK_URL": urls.work,
        "ERBIUM_KAFKA": stack.servers.kafka,
        "ERBIUM_HTTP_HOST": HOST,
        "ERBIUM_HTTP_PORT": str(port),
        "ERBIUM_METRICS_PORT": str(metrics_port),
        "ERBIUM_ISSUER": stack.issuer,
        "ERBIUM_JWKS": stack.jwks,
        "ERBIUM_AUDIENCE": AUDIENCE,
        "ERBIUM_SECRETS_DIR": str(secrets_of(stack.state, service)),
        "ERBIUM_TOPICS_FILE": str(topics_file()),
    }
    if urls.frames:
        told["ERBIUM_DATABASE_FRAMES_URL"] = urls.frames
    return base_environment() | told


def _start_services(stack: Stack, *, die_with_parent: bool) -> dict[str, Endpoint]:
    """Start all four, then wait for all four: each takes its second or two, and they take it together."""
    endpoints: dict[str, Endpoint] = {}
    waits: list[Iterator[int]] = []
    for service in provision.SERVICES:

        def program(port: int, service: str = service) -> process.Program:
            endpoints[service] = Endpoint(name=service, port=port, metrics_port=free_port())
            environment = environment_of(stack, service, port=port, metrics_port=endpoints[service].metrics_port)
            return program_of(stack.state, service, [sys.executable, "-m", service, "all"], environment)

        def readiness(_: int, service: str = service) -> list[str]:
            return endpoints[service].readiness

        ready = attempts(stack.state, service, program, readiness, die_with_parent=die_with_parent)
        next(ready)  # spawned, not waited for yet
        waits.append(ready)
    for ready in waits:
        for _ in ready:
            time.sleep(POLL_SECONDS)
    return endpoints
