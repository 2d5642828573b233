"""The same servers from a Docker engine: ERBIUM_TEST_SERVERS=docker."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from testcontainers.core.container import DockerContainer

from erbium.servers import kafka, postgres
from erbium.servers.ports import HOST, free_port

READY_SECONDS_MAX = 90.0


class ApacheKafkaContainer(DockerContainer):
    """apache/kafka, one node. Its host port is fixed beforehand, since a broker must know the address it advertises."""

    def __init__(self, image: str = "apache/kafka:4.3.1") -> None:
        super().__init__(image)
        self.port = free_port()
        self.with_bind_ports(9092, self.port)
        settings = {
            "NODE_ID": "1",
            "PROCESS_ROLES": "broker,controller",
            "LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{self.port}",
            "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
            "LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "AUTO_CREATE_TOPICS_ENABLE": "false",
            "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "LOG_CLEANER_DEDUPE_BUFFER_SIZE": "2097152",
            "HEAP_OPTS": "-Xmx512m",
        }
        for name, value in settings.items():
            self.with_env(f"KAFKA_{name}", value)


def engine_refusal() -> str | None:
    """Why no Docker engine can be used here, None when one answers."""
    import docker

    try:
        client = docker.from_env(timeout=5)
        client.ping()
        client.close()
    except (docker.errors.DockerException, OSError) as error:
        return f"no Docker engine answers here ({type(error).__name__})"
    return None


@contextmanager
def postgres_container() -> Iterator[str]:
    password = secrets.token_urlsafe(16)
    container = DockerContainer("postgres:18").with_env("POSTGRES_PASSWORD", password).with_exposed_ports(5432)
    with container:
        url = f"postgresql://postgres:{password}@{container.get_container_host_ip()}:{container.get_exposed_port(5432)}/postgres"
        _wait(lambda: postgres.answers(url), "PostgreSQL in Docker")
        yield url


@contextmanager
def kafka_container() -> Iterator[str]:
    with ApacheKafkaContainer() as container:
        address = f"{HOST}:{container.port}"
        _wait(lambda: kafka.answers(address), "Kafka in Docker")
        yield address


def _wait(ready: Callable[[], bool], name: str) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} did not answer within {READY_SECONDS_MAX:.0f} s")
        time.sleep(0.2)
