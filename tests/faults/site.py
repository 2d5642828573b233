"""A running Erbium whose processes can be killed one by one: real servers, `api` and `work` of each service apart, each at one address."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Final

import httpx
import psutil

from erbium import launching, provision, servers, stack
from erbium.servers import kafka as local_kafka
from erbium.servers import postgres as local_postgres
from erbium.servers import process
from erbium.servers.ports import HOST
from erbium.stack_files import log_file, pid_file

LISTENING_SECONDS_MAX: Final = 60.0  # a loaded machine imports slowly
LOOK_SECONDS: Final = 0.02
# Below the range from which the system takes the near end of connections. Why: a client that tries again and again to reach a port of
# that range where nobody listens may be given the same port for itself, and then talks to itself.
PORTS: Final = range(20_000, 32_000)
PORTS_TRIED_MAX: Final = 1_000
SERVERS: Final = ("postgres", "kafka")
KINDS: Final = ("api", "work")
EVERYWHERE: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One process of a service, at the same ports whenever it is started again. `port`: of the API; None for `work`."""

    service: str
    kind: str
    port: int | None
    metrics_port: int

    @property
    def name(self) -> str:
        return f"{self.service}-{self.kind}"

    @property
    def ports(self) -> list[int]:
        """All that it listens on once it has started."""
        return [self.metrics_port] if self.port is None else [self.metrics_port, self.port]

    @property
    def readiness(self) -> list[str]:
        return [f"http://{HOST}:{port}/readyz" for port in self.ports]


@dataclass(slots=True, kw_only=True)
class Site:
    """Starts, kills and finds its processes. `chain` and `clinics` are those of the tokens unless told otherwise."""

    state: Path
    stack: stack.Stack
    programs: Mapping[str, Program]
    server_ports: Mapping[str, Sequence[int]]
    chain: uuid.UUID = field(default_factory=uuid.uuid4)
    clinics: list[uuid.UUID] = field(default_factory=list)
    told: Mapping[str, str] = field(default_factory=dict)  # what every service process is told besides

    # --- where things are

    def url(self, service: str) -> str:
        """Of a service's API."""
        return f"http://{HOST}:{self.programs[f'{service}-api'].port}"

    @property
    def urls(self) -> dict[str, str]:
        return {service: self.url(service) for service in provision.SERVICES}

    def superuser(self, service: str | None = None) -> str:
        """The superuser's address of a service's database, or of none of them."""
        url = self.stack.servers.postgres_url
        return url if service is None else f"{url.rpartition('/')[0]}/{provision.database_of(service)}"

    @property
    def kafka(self) -> str:
        return self.stack.servers.kafka

    def token(
        self,
        role: str,
        subject: uuid.UUID | None = None,
        *,
        chain: uuid.UUID | None = None,
        clinics: Sequence[uuid.UUID | str] = (EVERYWHERE,),
    ) -> str:
        """A bearer token for all clinics of the chain."""
        return self.stack.token(role, chain=chain or self.chain, clinics=list(clinics), subject=subject)  # type: ignore[arg-type]

    def environment(self, service: str, *, port: int, metrics_port: int) -> dict[str, str]:
        """What a process of this service is told."""
        return stack.environment_of(self.stack, service, port=port, metrics_port=metrics_port) | dict(self.told)

    # --- processes

    def pid(self, name: str) -> int:
        """Of a server or a program."""
        return int(json.loads(pid_file(self.state, name).read_text())["pid"])

    def pids(self, name: str) -> list[int]:
        """With all that it has started: a PostgreSQL is many processes."""
        try:
            return [self.pid(name), *(child.pid for child in psutil.Process(self.pid(name)).children(recursive=True))]
        except psutil.NoSuchProcess:
            return []

    def is_running(self, name: str) -> bool:
        return process.is_running(pid_file(self.state, name))

    def kill(self, name: str) -> None:
        """SIGKILL, and it is gone when this returns."""
        process.stop(pid_file(self.state, name), signal.SIGKILL)

    def start(self, name: str, told: Mapping[str, str] | None = None) -> float:
        """At its old address; returns the moment at which it listened (`time.monotonic`): a server when it lets clients in,
        a service when all of its ports are open. `told` adds to a service's environment for this start."""
        self.launch(name, told)
        if name in self.programs:
            for port in self.programs[name].ports:
                self._until_listening(name, port)
        return time.monotonic()

    def launch(self, name: str, told: Mapping[str, str] | None = None) -> None:
        """The same without waiting, where it is a service."""
        if name == "postgres":
            local_postgres.start(self.state, die_with_parent=True, progress=_silent, ports=self._ports(name))
        elif name == "kafka":
            local_kafka.start(self.state, die_with_parent=True, progress=_silent, ports=self._ports(name))
        else:
            program = self.programs[name]
            environment = self.environment(program.service, port=program.port or 0, metrics_port=program.metrics_port) | dict(told or {})
            argv = [sys.executable, "-m", program.service, program.kind]
            process.spawn(launching.program_of(self.state, name, argv, environment), die_with_parent=True)

    def _ports(self, name: str) -> Callable[[], int]:
        ports = cycle(self.server_ports[name])
        return lambda: next(ports)

    def _until_listening(self, name: str, port: int) -> None:
        deadline = time.monotonic() + LISTENING_SECONDS_MAX
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                return
            assert self.is_running(name), f"{name} ended: {process.log_tail(self.log(name))[-2000:]}"
            time.sleep(LOOK_SECONDS)
        raise AssertionError(f"{name} did not listen within {LISTENING_SECONDS_MAX} s: {process.log_tail(self.log(name))[-2000:]}")

    def log(self, name: str) -> Path:
        return log_file(self.state, name)

    def not_ready(self, names: Sequence[str] = ()) -> list[str]:
        """Which of these (all) programs say that they are not ready, and why."""
        found = []
        for program in self.programs.values():
            for url in program.readiness if not names or program.name in names else ():
                try:
                    answer = httpx.get(url, timeout=3, trust_env=False)
                except httpx.HTTPError as error:
                    found.append(f"{program.name}: {type(error).__name__}")
                    continue
                if answer.status_code != httpx.codes.OK:
                    checks = answer.json()["checks"]
                    found += [f"{program.name}: {name}: {check['reason']}" for name, check in checks.items() if not check["ok"]]
        return found

    def stop(self) -> None:
        """Everything ends, services first."""
        with process.undisturbed():
            for name in self.programs:
                process.stop(pid_file(self.state, name), signal.SIGKILL)
            process.stop(pid_file(self.state, "issuer"), signal.SIGKILL)
            servers.stop(self.state)


def _silent(_: str) -> None:
    """A test tells itself."""


@contextlib.contextmanager
def running(
    services: Sequence[str] = provision.SERVICES, told: Mapping[str, str] | None = None, place: Callable[[Path], None] = lambda _: None
) -> Iterator[Site]:
    """A site of its own from nothing, in a folder that is gone afterwards. `place` prepares the empty state folder (a small disk, say)."""
    top = Path(tempfile.mkdtemp(prefix="erbium-faults-"))
    top.chmod(0o711)
    state = top / "state"
    state.mkdir(mode=0o711)
    place(state)
    site = None
    try:
        site = _started(state, services, told or {})
        yield site
    finally:
        if site is not None:
            site.stop()
        else:
            servers.stop(state)
            process.stop(pid_file(state, "issuer"), signal.SIGKILL)
        shutil.rmtree(top, ignore_errors=True)


def _started(state: Path, services: Sequence[str], told: Mapping[str, str]) -> Site:
    taken: set[int] = set()
    ports = {"postgres": [_steady_port(taken)], "kafka": [_steady_port(taken), _steady_port(taken)]}
    programs = {}
    for service in services:
        for kind in KINDS:
            port = _steady_port(taken) if kind == "api" else None
            program = Program(service=service, kind=kind, port=port, metrics_port=_steady_port(taken))
            programs[program.name] = program
    in_turn = cycle(ports["kafka"])
    address = local_kafka.start(state, die_with_parent=True, progress=_silent, ports=lambda: next(in_turn))
    url = local_postgres.start(state, die_with_parent=True, progress=_silent, ports=lambda: ports["postgres"][0])
    found = servers.Servers(postgres_url=url, kafka=address, stop=lambda: servers.stop(state))
    ready = stack.prepared(state, found, die_with_parent=True, progress=_silent)
    site = Site(state=state, stack=ready, programs=programs, server_ports=ports, told=told)
    try:
        for name in programs:
            site.launch(name)
        for name, program in programs.items():
            for port in program.ports:
                site._until_listening(name, port)
    except BaseException:
        site.stop()
        raise
    return site


def _steady_port(taken: set[int]) -> int:
    for _ in range(PORTS_TRIED_MAX):
        port = random.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            if port not in taken:
                probe.bind((HOST, port))
                taken.add(port)
                return port
    raise AssertionError(f"no free port among {PORTS}")


def signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    """To each that still lives."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
