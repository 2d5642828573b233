"""Each broker in turn: what a test of the suite claims holds for both."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.kernel.topic.brokers import Broker, InMemory, OnKafka


@pytest.fixture
def memory_broker() -> InMemory:
    """An empty cluster in memory."""
    return InMemory()


@pytest.fixture
async def kafka_broker(kafka: str) -> AsyncIterator[OnKafka]:
    """The real one, shared with whoever else tests on it."""
    broker = OnKafka(kafka)
    yield broker
    await broker.close()


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.servers)])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    """The broker under test."""
    found = InMemory() if request.param == "memory" else OnKafka(request.getfixturevalue("kafka"))
    yield found
    await found.close()


@pytest.fixture
def group() -> str:
    """A consumer group that nobody has joined."""
    return f"suite.{uuid4().hex[:12]}"
