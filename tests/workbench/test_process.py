"""The life of a child process."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest

from erbium.servers import LocalServerError, process

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
DEADLINE_SECONDS = 10.0

STARTER = """
import signal, sys, time
from pathlib import Path
from erbium.servers import process
folder = Path(sys.argv[1])
program = process.Program(
    name="sleeper", argv=[sys.executable, "-c", "import time; time.sleep(60)"], environment={}, log=folder / "log",
    pid_file=folder / "sleeper.pid", ends_by=signal.SIGTERM,
)
process.spawn(program, die_with_parent=sys.argv[2] == "dies", keeper=sys.argv[3] == "keeper")
print("started", flush=True)
time.sleep(60)
"""


def sleeper(folder: Path, argv: list[str] = SLEEPS) -> process.Program:
    return process.Program(
        name="sleeper",
        argv=argv,
        environment={},
        log=folder / "log",
        pid_file=folder / "sleeper.pid",
        ends_by=signal.SIGTERM,
    )


def within_deadline(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("tie", ["kernel", "keeper"])
def test_kill_9_of_the_starter_leaves_no_orphan(tmp_path: Path, tie: str) -> None:
    """A child that dies with its starter is told to end even when the starter is killed with -9, by either mechanism."""
    with subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path), "dies", tie], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        assert process.is_running(tmp_path / "sleeper.pid")
        starter.kill()
        starter.wait()
    assert within_deadline(lambda: not process.is_running(tmp_path / "sleeper.pid"))


def test_a_detached_child_survives_its_starter(tmp_path: Path) -> None:
    """What `up` starts outlives the command, and its pid file finds it again from another process."""
    with subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path), "stays", "kernel"], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        starter.kill()
        starter.wait()
    assert process.is_running(tmp_path / "sleeper.pid")
    assert process.stop(tmp_path / "sleeper.pid", signal.SIGTERM)
    assert not process.is_running(tmp_path / "sleeper.pid")


def test_a_recycled_process_id_is_recognised(tmp_path: Path) -> None:
    """A pid file whose number now belongs to another process stops nobody, and is cleared away."""
    with subprocess.Popen(SLEEPS) as stranger:
        try:
            pid_file = tmp_path / "sleeper.pid"
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip() if sys.platform == "linux" else "x"
            pid_file.write_text(json.dumps({"pid": stranger.pid, "start": 1.0, "boot": boot}))
            assert not process.is_running(pid_file)
            assert not process.stop(pid_file, signal.SIGKILL)
            assert stranger.poll() is None
            assert not pid_file.exists()
        finally:
            stranger.kill()


def test_another_boot_is_another_process(tmp_path: Path) -> None:
    """The same number and the same start time after a reboot are somebody else."""
    process.spawn(sleeper(tmp_path), die_with_parent=True)
    pid_file = tmp_path / "sleeper.pid"
    true_identity = pid_file.read_text()
    pid_file.write_text(json.dumps(json.loads(true_identity) | {"boot": "another"}))
    assert not process.is_running(pid_file)
    pid_file.write_text(true_identity)
    assert process.stop(pid_file, signal.SIGTERM)


def test_stopping_twice_changes_nothing(tmp_path: Path) -> None:
    """The second stop finds nobody and says so."""
    process.spawn(sleeper(tmp_path), die_with_parent=True)
    assert process.stop(tmp_path / "sleeper.pid", signal.SIGTERM)
    assert not process.stop(tmp_path / "sleeper.pid", signal.SIGTERM)


def test_a_child_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    """A deaf process is gone after the patience given, by SIGKILL."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    process.spawn(sleeper(tmp_path, [sys.executable, "-c", deaf]), die_with_parent=True)
    assert within_deadline(lambda: "deaf" in process.log_tail(tmp_path / "log"))
    assert process.stop(tmp_path / "sleeper.pid", signal.SIGTERM, seconds_max=0.2)
    assert not process.is_running(tmp_path / "sleeper.pid")


def test_the_trampoline_keeps_the_process_id(tmp_path: Path) -> None:
    """The pid in the file is the program's own, not that of something in between."""
    pid = process.spawn(sleeper(tmp_path, [sys.executable, "-c", "import os; print(os.getpid())"]), die_with_parent=True)
    assert within_deadline(lambda: process.exit_status(pid) == 0)
    assert process.log_tail(tmp_path / "log").strip() == str(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to the thread that started it")
def test_a_thread_may_not_start_a_child_that_dies_with_us(tmp_path: Path) -> None:
    """Its life would be tied to the thread's: refused with a sentence instead of ending at some moment."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool, pytest.raises(LocalServerError, match="main thread"):
        pool.submit(process.spawn, sleeper(tmp_path), die_with_parent=True).result()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lend another account")
def test_root_lends_another_account_and_the_child_still_dies_with_us(tmp_path: Path) -> None:
    """The account is changed before the tie is made: changing it would undo the tie."""
    whoami = ["/bin/sh", "-c", "id -u; id -g; id -G"]
    program = sleeper(tmp_path, whoami)
    pid = process.spawn(
        process.Program(
            name="who", argv=whoami, environment={"PATH": os.defpath}, log=program.log, pid_file=program.pid_file,
            ends_by=signal.SIGTERM, run_as=(65534, 65534),
        ),
        die_with_parent=True,
    )  # fmt: skip
    assert within_deadline(lambda: process.exit_status(pid) == 0)
    assert process.log_tail(program.log).split() == ["65534"] * 3


class HeardWhileMade(asyncio.DefaultEventLoopPolicy):
    """Ctrl-C comes while a loop is made."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[asyncio.AbstractEventLoop] = []

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        signal.raise_signal(signal.SIGINT)
        self.made.append(super().new_event_loop())
        return self.made[-1]


@pytest.fixture
def _hears_ctrl_c() -> Iterator[None]:
    """Also where the tests run in the background, whose shells have Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_hears_ctrl_c")
def test_ctrl_c_waits_until_the_loop_is_made() -> None:
    """A loop that was half made would say so with a traceback, after the sentence; the work does not begin."""
    begun = []

    async def work() -> None:
        begun.append(1)

    policy, before = HeardWhileMade(), asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(policy)
    try:
        with pytest.raises(KeyboardInterrupt):
            process.run(work())
    finally:
        asyncio.set_event_loop_policy(before)
    assert [loop.is_closed() for loop in policy.made] == [True]
    assert begun == []


def test_work_is_run_to_its_end_and_its_error_is_passed_on() -> None:
    """As `asyncio.run`."""

    async def work(number: int) -> int:
        await asyncio.sleep(0)
        return 6 // number

    assert process.run(work(2)) == 3
    with pytest.raises(ZeroDivisionError):
        process.run(work(0))


def test_work_that_ctrl_c_cancelled_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner sets its count of interruptions to nothing after it has begun to listen: one in between is only a cancellation to it."""

    def interrupted(_: asyncio.Runner, work: Coroutine[object, object, object]) -> None:
        work.close()
        raise asyncio.CancelledError

    monkeypatch.setattr(asyncio.Runner, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        process.run(asyncio.sleep(0))
