"""Ctrl-C and a service that dies: one sentence, the right exit code, and nobody left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from erbium import cli, stack
from erbium.servers import process
from tests.workbench.calling import environment

pytestmark = pytest.mark.servers
SECONDS_MAX = 120.0


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """One state folder for all: what one test interrupts, the next one starts from."""
    top = Path(tempfile.mkdtemp(prefix="erbium-tests-"))
    top.chmod(0o711)
    yield top / "state"
    stack.down(top / "state")
    shutil.rmtree(top)


def hears_ctrl_c() -> None:
    """As at a terminal: a shell that runs the tests in the background has its children ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Called:
    """The command line, running; its lines as they come."""

    def __init__(self, command: str, state: Path) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "erbium", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environment(state), start_new_session=True, preexec_fn=hears_ctrl_c,
        )  # fmt: skip

    def until(self, words: str) -> None:
        """Read up to the line with these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if words in line:
                return
        raise AssertionError(f"never said {words!r}: {''.join(self.lines)}")

    def ended(self) -> tuple[int, str]:
        """Exit code, and everything that was said."""
        rest, _ = self.process.communicate(timeout=SECONDS_MAX)
        return self.process.returncode, "".join(self.lines) + rest


def left_behind(state: Path) -> list[str]:
    """Every process of this machine that was told of this state folder."""
    found = []
    for one in psutil.process_iter():
        try:
            told = [*one.cmdline(), *one.environ().values()]
        except psutil.Error:
            continue
        if one.pid != os.getpid() and any(str(state) in word for word in told):
            found.append(f"{one.pid} {' '.join(one.cmdline()[:4])}")
    return found


@pytest.mark.parametrize(
    ("command", "at"),
    [("demo", "Migrations of the four services"), ("up", "The four services"), ("demo", "3. Berta Treated is examined")],
)
def test_ctrl_c_stops_everything_and_says_so(command: str, at: str, state: Path) -> None:
    """Whether it starts or plays: exit code 130, one sentence about what was stopped and what stays, no process left."""
    called = Called(command, state)
    called.until(at)
    called.process.send_signal(signal.SIGINT)
    code, said = called.ended()
    assert code == cli.INTERRUPTED, said
    sentence = f"erbium: interrupted: everything that was started has been stopped; the data in {state} stays."
    assert said.rstrip().endswith(sentence)
    assert "Traceback" not in said
    assert left_behind(state) == []


def test_a_service_that_dies_ends_the_journey_with_the_step_and_its_log(state: Path) -> None:
    """Exit code 1; the sentence names the step that found out, who has ended, and the file with the story of it."""
    called = Called("demo", state)
    called.until("4. Berta Treated")
    killed = process.recorded(state / "run" / "device_telemetry.pid")
    assert killed is not None
    os.kill(killed.pid, signal.SIGKILL)
    code, said = called.ended()
    assert code == 1, said
    assert re.search(r"erbium: The journey failed at step [45], .*: .* device_telemetry/v1/", said), said
    log = state / "logs" / "device_telemetry.log"
    assert f"Ended meanwhile: device_telemetry. Its own story is in {log}." in said
    assert log.is_file()
    assert "Traceback" not in said
    assert left_behind(state) == []
