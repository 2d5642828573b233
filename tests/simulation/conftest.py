"""Runs are garbage by the thousand; a collector that wakes by itself takes a third of the time."""

from collections.abc import Iterator

import pytest

from tests.simulation.many import collected_by_hand


@pytest.fixture(autouse=True)
def _collected_by_hand() -> Iterator[None]:
    with collected_by_hand():
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Thousands of schedules are no part of the quick tests."""
    for item in items:
        if "simulation" in item.path.parts:
            item.add_marker(pytest.mark.slow)
