"""One running Erbium for all end-to-end tests: real servers, four processes, its own state."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from erbium import stack as local_stack


@pytest.fixture(scope="package")  # ends with the last of them: the faults have servers of their own
def stack() -> Iterator[local_stack.Stack]:
    """Everything started on a fresh state folder; dies with the test run."""
    top = Path(tempfile.mkdtemp(prefix="erbium-tests-"))
    top.chmod(0o711)
    running = local_stack.up(top / "state", die_with_parent=True, progress=lambda _: None)
    yield running
    running.stop()
    shutil.rmtree(top, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs servers, and goes last: the fast tests speak first."""
    for item in items:
        if "end_to_end" in str(item.path):
            item.add_marker(pytest.mark.servers)
