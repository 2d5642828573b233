"""The same servers from Docker, where an engine answers."""

import pytest

from erbium.servers import kafka, postgres
from tests.workbench import containers

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module", autouse=True)
def _engine() -> None:
    if refusal := containers.engine_refusal():
        pytest.skip(refusal)


def test_postgres_in_docker_answers() -> None:
    """The image logs us in as superuser."""
    with containers.postgres_container() as url:
        assert postgres.answers(url)


def test_kafka_in_docker_answers() -> None:
    """The image advertises an address that reaches it from here."""
    with containers.kafka_container() as address:
        assert kafka.answers(address)
