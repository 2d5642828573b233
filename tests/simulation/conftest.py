"""Runs are garbage by the thousand; a collector that wakes by itself takes a third of the time."""

from collections.abc import Iterator

import pytest

from tests.simulation.many import collected_by_hand


@pytest.fixture(autouse=True)
def _collected_by_hand() -> Iterator[None]:
    with collected_by_hand():
        yield
