"""The types of the whole project hold together."""

import subprocess
import sys

import pytest

from tests.architecture.test_tidy import ROOT

SECONDS_MAX = 600  # cold, on a busy machine; with its cache it takes seconds


@pytest.mark.slow
def test_mypy_is_content() -> None:
    """mypy, as strict as pyproject.toml says, finds nothing in the kernel, the services and the workbench."""
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert done.returncode == 0, f"mypy says:\n{done.stdout}{done.stderr}"
