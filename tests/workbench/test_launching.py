"""A service counts as started when both its ports say that it is ready: the callers' and the operators'."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from erbium import launching, stack_files
from erbium.servers import LocalServerError, process
from erbium.servers.ports import HOST, free_port

# Ready for callers at once; on the other port not before its file is there, with a reason as the services give it.
TWO_PORTS = """
import http.server, json, pathlib, sys, threading
inward_ready = pathlib.Path(sys.argv[3])
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = self.server.server_port == int(sys.argv[1]) or inward_ready.exists()
        checks = {"intake": {"ok": ready, "reason": "fine" if ready else "not caught up"}, "database": {"ok": True, "reason": "fine"}}
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(json.dumps({"ready": ready, "checks": checks}).encode())
    def log_message(self, *_): pass
servers = [http.server.HTTPServer(("127.0.0.1", int(port)), Answer) for port in sys.argv[1:3]]
threading.Thread(target=servers[0].serve_forever, daemon=True).start()
servers[1].serve_forever()
"""


class Started:
    """One program with two ports, looked at as `up` looks at a service."""

    def __init__(self, state: Path) -> None:
        self.inward_port, self.inward_ready, self.port = free_port(), state / "ready", 0
        looks = launching.attempts(state, "two-ports", self._program(state), self._readiness, die_with_parent=True)
        self.looks: Iterator[int] = looks

    def _program(self, state: Path) -> Callable[[int], process.Program]:
        def program(port: int) -> process.Program:
            self.port = port
            argv = [sys.executable, "-c", TWO_PORTS, str(port), str(self.inward_port), str(self.inward_ready)]
            return launching.program_of(state, "two-ports", argv, {})

        return program

    def _readiness(self, port: int) -> list[str]:
        return [f"http://{HOST}:{port}/readyz", f"http://{HOST}:{self.inward_port}/readyz"]

    def answers(self) -> bool:
        """Does it serve its callers?"""
        try:
            return httpx.get(f"http://{HOST}:{self.port}/readyz", trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    yield Started(tmp_path)
    process.stop(stack_files.pid_file(tmp_path, "two-ports"), signal.SIGKILL)


def test_ready_for_callers_alone_is_not_ready(started: Started) -> None:
    """It is waited for until the operators' port agrees, and then at once no more."""
    deadline = time.monotonic() + 10.0
    for _ in started.looks:
        if started.answers() or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert started.answers()
    assert next(started.looks) == started.port, "still waited for"
    started.inward_ready.touch()
    assert list(started.looks) == []


@pytest.mark.slow
def test_what_is_not_ready_says_why(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the patience the sentence holds the reason that the readiness report gave, and the log file."""
    monkeypatch.setattr(launching, "READY_SECONDS_MAX", 2.0)
    with pytest.raises(LocalServerError, match=r"two-ports was not ready within 2 s \(intake: not caught up\): .*two-ports\.log says why"):
        for _ in started.looks:
            time.sleep(0.05)
