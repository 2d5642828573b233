"""The whole of Erbium on one machine: two servers, four services, an issuer of tokens for development."""

import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from erbium import provision, servers
from erbium.servers import LocalServerError, folder, process
from erbium.servers.errors import explain_os_error, port_taken
from erbium.servers.ports import HOST, TRIES_MAX, free_port

ROLES = (
    "integrator", "front_desk", "nurse", "doctor", "medical_director", "laser_safety_officer", "ops", "manufacturer", "device",
)  # fmt: skip
AUDIENCE = "erbium"
READY_SECONDS_MAX = 60.0
MIGRATE_SECONDS_MAX = 120.0
ANSWER_SECONDS_MAX = 5.0
POLL_SECONDS = 0.05
CLINICS_OF_DEVELOPMENT = 2

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

    def working_curl(self) -> str:
        """A command that works when it is pasted: a real read with a real token, tried here first."""
        screening = self.services["screening"]
        token = self.token("doctor")
        for path in _reads_without_parameters(screening):
            with contextlib.suppress(httpx.HTTPError):
                headers = {"Authorization": f"Bearer {token}"}
                if (
                    httpx.get(screening.url + path, headers=headers, timeout=ANSWER_SECONDS_MAX, trust_env=False).status_code
                    == httpx.codes.OK
                ):
                    return f"curl -sS -H 'Authorization: Bearer {token}' '{screening.url}{path}'"
        return f"curl -sS '{screening.url}/readyz'"

    def stop(self) -> None:
        """End everything, services first. Doing it again changes nothing."""
        down(self.state)


def up(state: Path, *, die_with_parent: bool, progress: Progress) -> Stack:
    """Start everything and wait until it is ready; what runs already is found and returned as it is.

    `die_with_parent`: all of it ends with this process, even by kill -9. Raises: LocalServerError.
    """
    state = state.absolute()
    busy = f"Another `erbium up` is starting from {state}: wait for it."
    with folder.locked(state / "run" / "up.lock", busy):
        if running := attach(state):
            return running
        down(state)  # the remains of one that lost a part
        try:
            return _start(state, die_with_parent=die_with_parent, progress=progress)
        except OSError as error:
            down(state)
            raise explain_os_error(error, state) from error
        except BaseException:
            down(state)
            raise


def down(state: Path) -> bool:
    """Stop what runs from `state`: services, issuer, Kafka, PostgreSQL. Says whether anything ran."""
    state = state.absolute()
    ran = bool(running_names(state))
    names = [*provision.SERVICES, "issuer"]
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        list(pool.map(lambda name: process.stop(_pid_file(state, name), signal.SIGTERM), names))
    servers.stop(state)
    _book(state).unlink(missing_ok=True)
    return ran


def running_names(state: Path) -> list[str]:
    """Which of the processes of `state` live."""
    names = ["postgres", "kafka", "issuer", *provision.SERVICES]
    return [name for name in names if process.is_running(_pid_file(state.absolute(), name))]


def attach(state: Path) -> Stack | None:
    """The stack that runs from `state`; None unless every part of it lives."""
    state = state.absolute()
    try:
        book = json.loads(_book(state).read_text())
    except (FileNotFoundError, ValueError):
        return None
    found = servers.attach(state)
    if found is None or not {"issuer", *provision.SERVICES} <= set(running_names(state)):
        return None
    endpoints = {name: Endpoint(name=name, **ports) for name, ports in book["services"].items()}
    return _stack(state, found, book["issuer_port"], endpoints)


def _start(state: Path, *, die_with_parent: bool, progress: Progress) -> Stack:
    found = servers.start(state, die_with_parent=die_with_parent, progress=progress)
    progress("Databases and roles")
    databases = asyncio.run(provision.provision(found.postgres_url, state))
    _make_secrets(state)
    progress("Migrations of the four services")
    _migrate(state, databases)
    progress("Topics")
    _ensure_topics(found.kafka)
    progress("Issuer of development tokens")
    issuer_port = _start_issuer(state, die_with_parent=die_with_parent)
    progress("The four services")
    stack = _stack(state, found, issuer_port, {})
    endpoints = _start_services(stack, die_with_parent=die_with_parent)
    _remember(state, issuer_port, endpoints)
    return dataclasses.replace(stack, services=endpoints)


def _stack(state: Path, found: servers.Servers, issuer_port: int, endpoints: Mapping[str, Endpoint]) -> Stack:
    chain, clinics = _tenant_of_development(state)
    return Stack(
        state=state,
        servers=found,
        databases=provision.urls(found.postgres_url, state),
        issuer_port=issuer_port,
        services=endpoints,
        chain=chain,
        clinics=clinics,
    )


def _book(state: Path) -> Path:
    return state / "stack.json"


def _pid_file(state: Path, name: str) -> Path:
    return state / "run" / f"{name}.pid"


def _log(state: Path, name: str) -> Path:
    return state / "logs" / f"{name}.log"


def _remember(state: Path, issuer_port: int, endpoints: Mapping[str, Endpoint]) -> None:
    services = {name: {"port": one.port, "metrics_port": one.metrics_port} for name, one in endpoints.items()}
    _write(_book(state), json.dumps({"issuer_port": issuer_port, "services": services}, indent=2), 0o644)


def _write(path: Path, text: str, mode: int) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=mode)
    fresh.write_text(text)
    fresh.replace(path)


def _tenant_of_development(state: Path) -> tuple[uuid.UUID, list[uuid.UUID]]:
    """One chain with two clinics, made once for this state folder."""
    path = state / "development.json"
    if not path.is_file():
        made = {"chain": str(uuid.uuid4()), "clinics": [str(uuid.uuid4()) for _ in range(CLINICS_OF_DEVELOPMENT)]}
        _write(path, json.dumps(made, indent=2), 0o644)
    kept = json.loads(path.read_text())
    return uuid.UUID(kept["chain"]), [uuid.UUID(clinic) for clinic in kept["clinics"]]


def _secrets_of(state: Path, service: str) -> Path:
    return state / "secrets" / service


def _make_secrets(state: Path) -> None:
    """One master key for all four services (keys travel wrapped by it), a fingerprint key for each. Made once."""
    masters = {path.name: path.read_text() for service in provision.SERVICES for path in _secrets_of(state, service).glob("master-*.key")}
    if not masters:
        masters = {f"master-{secrets.token_hex(4)}.key": _new_key()}
    for service in provision.SERVICES:
        own = folder.ensure(_secrets_of(state, service), 0o700)
        for name, key in ({"fingerprint.key": _new_key()} | masters).items():
            if not (own / name).is_file():
                _write(own / name, key, 0o600)


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _environment() -> dict[str, str]:
    """Ours without what would steer Erbium or Python from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ERBIUM_", "PYTHON"))}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _topics_file() -> Path:
    return folder.checkout() / "deploy" / "kafka" / "topics.toml"


def _migrate(state: Path, databases: Mapping[str, provision.ServiceUrls]) -> None:
    """All four at once: they have nothing in common but the server."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    with contextlib.ExitStack() as files:
        try:
            for service in provision.SERVICES:
                environment = _environment() | {
                    "ERBIUM_ENV": "development",
                    "ERBIUM_DATABASE_OWNER_URL": databases[service].owner,
                    "ERBIUM_SECRETS_DIR": str(_secrets_of(state, service)),
                }
                log = files.enter_context(_log(state, f"{service}-migrate").open("wb"))
                command = [sys.executable, "-m", service, "migrate"]
                running[service] = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=folder.checkout()
                )
            deadline = time.monotonic() + MIGRATE_SECONDS_MAX
            for service, child in running.items():
                if child.wait(timeout=max(0.0, deadline - time.monotonic())):
                    raise _ended(service, "migrate", _log(state, f"{service}-migrate"))
        except subprocess.TimeoutExpired as error:
            raise LocalServerError(f"A migration took longer than {MIGRATE_SECONDS_MAX:.0f} s: see {state / 'logs'}.") from error
        finally:
            for child in running.values():
                if child.poll() is None:
                    child.terminate()
                    child.wait()


def _ended(service: str, doing: str, log: Path, log_start: int = 0) -> LocalServerError:
    lines = [line.strip() for line in process.log_tail(log, log_start).splitlines() if line.strip()]
    return LocalServerError(
        f"`python -m {f'{service} {doing}'.strip()}` ended ({lines[-1] if lines else 'it said nothing'}): the whole story is in {log}."
    )


def _ensure_topics(bootstrap: str) -> None:
    from erbium_kernel.topic import declared

    asyncio.run(declared.ensure(bootstrap, _topics_file()))


def _start_issuer(state: Path, *, die_with_parent: bool) -> int:
    from erbium import issuer

    def program(port: int) -> process.Program:
        argv = [sys.executable, "-m", "erbium.issuer", "--port", str(port), "--keys", str(state / "issuer")]
        return _program(state, "issuer", argv, _environment() | {"ERBIUM_ENV": "development"})

    return _start_http(state, "issuer", program, ready=issuer.jwks_url, die_with_parent=die_with_parent)


def _program(state: Path, name: str, argv: Sequence[str], environment: Mapping[str, str]) -> process.Program:
    return process.Program(
        name=name, argv=argv, environment=environment, log=_log(state, name), pid_file=_pid_file(state, name),
        ends_by=signal.SIGTERM, folder=folder.checkout(),
    )  # fmt: skip


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
        "ERBIUM_SECRETS_DIR": str(_secrets_of(stack.state, service)),
        "ERBIUM_TOPICS_FILE": str(_topics_file()),
    }
    if urls.frames:
        told["ERBIUM_DATABASE_FRAMES_URL"] = urls.frames
    return _environment() | told


def _start_services(stack: Stack, *, die_with_parent: bool) -> dict[str, Endpoint]:
    """Start all four, then wait for all four: each takes its second or two, and they take it together."""
    endpoints: dict[str, Endpoint] = {}
    waits: list[Iterator[int]] = []
    for service in provision.SERVICES:

        def program(port: int, service: str = service) -> process.Program:
            endpoints[service] = Endpoint(name=service, port=port, metrics_port=free_port())
            environment = environment_of(stack, service, port=port, metrics_port=endpoints[service].metrics_port)
            return _program(stack.state, service, [sys.executable, "-m", service, "all"], environment)

        ready = _attempts(stack.state, service, program, lambda port: f"http://{HOST}:{port}/readyz", die_with_parent=die_with_parent)
        next(ready)  # spawned, not waited for yet
        waits.append(ready)
    for ready in waits:
        for _ in ready:
            time.sleep(POLL_SECONDS)
    return endpoints


def _start_http(
    state: Path,
    name: str,
    program: Callable[[int], process.Program],
    *,
    ready: Callable[[int], str],
    die_with_parent: bool,
) -> int:
    port = 0
    for port in _attempts(state, name, program, ready, die_with_parent=die_with_parent):  # noqa: B007 (the last one is the answer)
        time.sleep(POLL_SECONDS)
    return port


def _attempts(
    state: Path,
    name: str,
    program: Callable[[int], process.Program],
    ready: Callable[[int], str],
    *,
    die_with_parent: bool,
) -> Iterator[int]:
    """Start a process and yield its port at every look that finds it not ready yet; ends once it is ready.

    Another port is tried when the first is taken meanwhile. Raises: LocalServerError when it ends, or never gets ready.
    """
    log = _log(state, name)
    deadline = time.monotonic() + READY_SECONDS_MAX
    for _ in range(TRIES_MAX):
        port = free_port()
        log_start = process.log_size(log)
        pid = process.spawn(program(port), die_with_parent=die_with_parent)
        yield port
        while process.exit_status(pid) is None:
            if _answers_well(ready(port)):
                return
            if time.monotonic() > deadline:
                raise LocalServerError(f"{name} was not ready within {READY_SECONDS_MAX:.0f} s: {log} says why.")
            yield port
        if not port_taken(process.log_tail(log, log_start)):
            raise _ended(*(("erbium.issuer", "") if name == "issuer" else (name, "all")), log, log_start)
    raise LocalServerError(f"{name} found every port it tried taken: close what listens on {HOST} and start again.")


def _answers_well(url: str) -> bool:
    try:
        return httpx.get(url, timeout=ANSWER_SECONDS_MAX, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _reads_without_parameters(endpoint: Endpoint) -> list[str]:
    """Paths under /v1 of the service's OpenAPI document that can be read as they stand, lists before the rest."""
    try:
        document = httpx.get(f"{endpoint.url}/openapi.json", timeout=ANSWER_SECONDS_MAX, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return []
    found = []
    for path, operations in document.get("paths", {}).items():
        read = operations.get("get")
        if read is None or not path.startswith("/v1/") or "{" in path:
            continue
        if not any(one.get("required") for one in read.get("parameters", [])):
            found.append(path)
    return sorted(found, key=lambda path: (path == "/v1/meta", path))
