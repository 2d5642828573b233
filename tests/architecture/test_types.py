"""The types of the whole project hold together."""

import subprocess

import pytest

SECONDS_MAX = 300  # cold; with its cache it takes seconds


@pytest.mark.slow
@pytest.mark.last
def test_mypy_is_content(mypy: "subprocess.Popen[str]") -> None:
    """mypy, as strict as pyproject.toml says, finds nothing in the kernel, the services and the workbench."""
    said, _ = mypy.communicate(timeout=SECONDS_MAX)
    assert mypy.returncode == 0, f"mypy says:\n{said}"
