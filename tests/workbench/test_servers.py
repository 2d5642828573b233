"""The real servers, started here on purpose: first start, second start, and everything that goes wrong."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from erbium import servers, stack
from erbium.servers import LocalServerError, folder, kafka, postgres, process
from erbium.servers.place import settle
from erbium.servers.ports import HOST, free_port

pytestmark = pytest.mark.servers
SHORT_OF_DEATH_SECONDS = 20.0
AT_ONCE_SECONDS = 2.0

STARTER = """
import sys, time
from pathlib import Path
from erbium import servers
servers.start(Path(sys.argv[1]), die_with_parent=True, progress=lambda _: None)
print("started", flush=True)
time.sleep(120)
"""


def silent(_: str) -> None: ...


@pytest.fixture(autouse=True)
def _own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ERBIUM_POSTGRES_URL", raising=False)
    monkeypatch.delenv("ERBIUM_KAFKA", raising=False)


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder with a space in its path, open to the account that PostgreSQL runs as."""
    top = Path(tempfile.mkdtemp(prefix="erbium-tests-"))
    top.chmod(0o711)
    yield top / "a clinic's laptop"
    servers.stop(top / "a clinic's laptop")
    shutil.rmtree(top)


def first_taken() -> Iterator[int]:
    """A port that somebody listens on, then free ones."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]
        while True:
            yield free_port()


def gone(pid_file: Path) -> bool:
    deadline = time.monotonic() + SHORT_OF_DEATH_SECONDS
    while process.is_running(pid_file):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_postgres_starts_twice_on_its_data_beside_a_taken_port(state: Path) -> None:
    """A path with a space, a port taken at the last moment, a second start on the same data: none of them is in the way."""
    ports = first_taken()
    url = postgres.start(state, die_with_parent=True, progress=silent, ports=lambda: next(ports))
    assert postgres.answers(url)
    assert "could not bind" in process.log_tail(state / "logs" / "postgres.log")
    assert (state / "secrets" / "postgres-superuser").stat().st_mode & 0o077 == 0

    with pytest.raises(LocalServerError, match="already runs"):
        postgres.start(state, die_with_parent=True, progress=silent)
    assert postgres.answers(url)

    assert postgres.stop(state)
    steps: list[str] = []
    assert postgres.answers(postgres.start(state, die_with_parent=True, progress=steps.append))
    assert steps == ["PostgreSQL: starting"]


def test_postgres_comes_back_right_after_kill_9(state: Path) -> None:
    """The leftovers of a killed server are waited for, not complained about."""
    postgres.start(state, die_with_parent=True, progress=silent)
    killed = process.recorded(state / "run" / "postgres.pid")
    assert killed is not None
    os.kill(killed.pid, 9)
    assert postgres.answers(postgres.start(state, die_with_parent=True, progress=silent))


def test_kafka_formats_with_an_awkward_id_and_survives_a_taken_port(state: Path) -> None:
    """A cluster id that starts with '-', a taken port and a second start: the broker answers, and keeps its id."""
    awkward = "-" + kafka.new_cluster_id()[1:]
    ports = first_taken()
    address = kafka.start(state, die_with_parent=True, progress=silent, ports=lambda: next(ports), cluster_id=lambda: awkward)
    assert kafka.answers(address)
    assert "Address already in use" in (state / "logs" / "kafka.log").read_text()
    assert f"cluster.id={awkward}" in (state / "kafka" / "data" / "meta.properties").read_text()
    with pytest.raises(LocalServerError, match="already runs"):
        kafka.start(state, die_with_parent=True, progress=silent)
    assert kafka.answers(address)


def test_kill_9_of_the_starter_leaves_neither_server(state: Path) -> None:
    """Both servers are gone, and shut down cleanly, soon after the process that started them was killed with -9."""
    with subprocess.Popen([sys.executable, "-c", STARTER, str(state)], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        attached = servers.attach(state)
        assert attached is not None
        assert kafka.answers(attached.kafka)
        starter.kill()
        starter.wait()
    assert gone(state / "run" / "kafka.pid")
    assert gone(state / "run" / "postgres.pid")
    assert "database system is shut down" in process.log_tail(state / "logs" / "postgres.log")
    assert servers.attach(state) is None


def test_a_server_named_by_the_environment_that_does_not_answer_is_one_sentence(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address is said at once, with the name of the variable."""
    monkeypatch.setenv("ERBIUM_KAFKA", f"{HOST}:1")
    with pytest.raises(LocalServerError, match="ERBIUM_KAFKA"):
        servers.start_kafka(state, die_with_parent=True, progress=silent)
    monkeypatch.setenv("ERBIUM_POSTGRES_URL", f"postgresql://x:y@{HOST}:1/postgres")
    with pytest.raises(LocalServerError, match="ERBIUM_POSTGRES_URL"):
        servers.start_postgres(state, die_with_parent=True, progress=silent)


def as_ordinary_user(act: Callable[[], object]) -> str:
    """Run `act` in a child that has no rights of root, and return the sentence it was refused with."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            act()
        except LocalServerError as refused:
            os.write(writing, str(refused).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said


def test_a_read_only_folder_is_refused_before_kafka_can_cut_its_metadata(state: Path) -> None:
    """Folders read-only around writable files are what loses every topic: refused with the owner and the folder in the sentence."""
    metadata = state / "kafka" / "data" / "__cluster_metadata-0"
    (state / "run").mkdir(parents=True)
    metadata.mkdir(parents=True)
    log = metadata / "00000000000000000000.log"
    log.write_text("every topic")
    if os.geteuid() == 0:
        for path in (state, *state.rglob("*")):
            os.chown(path, 65534, 65534)
    metadata.chmod(0o555)
    said = as_ordinary_user(lambda: kafka.start(state, die_with_parent=False, progress=silent))
    metadata.chmod(0o755)
    assert str(metadata) in said
    assert f"belongs to {folder._owner(metadata)}" in said
    assert log.read_text() == "every topic"


def test_an_unwritable_state_folder_is_one_sentence(state: Path) -> None:
    """A state folder that cannot be made says so, and names the variable that moves it."""
    state.parent.chmod(0o555)
    said = as_ordinary_user(lambda: postgres.start(state, die_with_parent=False, progress=silent))
    state.parent.chmod(0o711)
    assert "is not writable: make it so, or name another folder with ERBIUM_STATE." in said


@pytest.mark.parametrize("closed", ["", "run", "logs", "secrets", "kafka", "postgres"])
def test_a_closed_part_of_the_state_is_refused_before_anything_starts(closed: str, state: Path) -> None:
    """Whichever part of an existing state cannot be written: said at once, with its owner, and no log of any server is begun."""
    for part in ("run", "logs", "secrets", "kafka", "postgres"):
        (state / part).mkdir(parents=True)
    if os.geteuid() == 0:
        for path in (state, *state.rglob("*")):
            os.chown(path, 65534, 65534)
    (state / closed).chmod(0o555)
    began = time.monotonic()
    said = as_ordinary_user(lambda: stack.up(state, die_with_parent=False, progress=silent))
    took = time.monotonic() - began
    (state / closed).chmod(0o755)
    assert said.startswith(f"{state / closed} belongs to {folder._owner(state)} and cannot be written (Permission denied): ")
    assert said.endswith("or name another folder with ERBIUM_STATE.")
    assert took < AT_ONCE_SECONDS
    assert not list((state / "logs").iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL another account")
def test_below_a_closed_folder_root_keeps_the_data_where_the_account_may_go(state: Path) -> None:
    """Root's own home is closed to `nobody`: the data goes to a folder of ours elsewhere, and is found there again."""
    state.mkdir()
    state.chmod(0o700)
    url = postgres.start(state, die_with_parent=True, progress=silent)
    place = settle(state)
    try:
        assert postgres.answers(url)
        assert not place.data.is_relative_to(state)
        assert place.data.stat().st_uid != 0
    finally:
        postgres.stop(state)
        shutil.rmtree(place.data.parents[1])
