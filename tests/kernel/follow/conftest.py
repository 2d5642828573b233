"""A ward with a kitchen on an empty memory store."""

import pytest

from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.runtime import Runtime
from tests.kernel.follow.kitchen import Kitchen, ward_with_kitchen
from tests.kernel.ward import WardClock


@pytest.fixture
def clock() -> WardClock:
    """Stands still until moved."""
    return WardClock()


@pytest.fixture
def store(clock: WardClock) -> MemoryStore:
    """Empty."""
    return MemoryStore(clock=clock)


@pytest.fixture
def kitchen() -> Kitchen:
    """Without faults."""
    return Kitchen()


@pytest.fixture
def runtime(store: MemoryStore, clock: WardClock) -> Runtime:
    """The ward's."""
    return ward_with_kitchen(store, clock)
