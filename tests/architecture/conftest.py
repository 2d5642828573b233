"""mypy takes more than a minute when it is cold: it is begun before the first test, and asked by the last."""

import subprocess
import sys

import pytest

from tests.architecture.test_tidy import ROOT

COMMAND = [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context"]
_begun: list["subprocess.Popen[str]"] = []


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begun only where somebody will ask."""
    if not session.config.option.collectonly and any("mypy" in getattr(item, "fixturenames", ()) for item in session.items):
        _begun.append(subprocess.Popen(COMMAND, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))


@pytest.fixture
def mypy() -> "subprocess.Popen[str]":
    """Running, or done."""
    return _begun[0]


def pytest_sessionfinish() -> None:
    """Not left behind where the tests were stopped before."""
    for begun in _begun:
        if begun.poll() is None:
            begun.kill()
            begun.wait()
