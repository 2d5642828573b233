"""The real servers for every test that asks for them: started once, at first use, each by itself."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from erbium import servers
from erbium.servers import kafka as local_kafka
from erbium.servers import postgres as local_postgres

SERVER_FIXTURES = frozenset({"postgres_url", "kafka"})

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


# Together in one of the processes, since they share a running Erbium, and first, since nothing could run beside them at the end.
WHOLE_STACKS = ("tests/end_to_end/", "tests/faults/")
BY_THEMSELVES = ("tests/simulation/",)  # each test is long and needs nothing that another one has made


class Together(LoadFileScheduling):
    """What `make test` gives to one process at a time: a file, but all whole stacks as one, and each simulation for itself."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(WHOLE_STACKS):
            return "whole stacks"
        return nodeid if nodeid.startswith(BY_THEMSELVES) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Where the tests run in several processes and a file is to stay in one."""
    return Together(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that uses a server's fixture is marked `servers`, so that `-m "not servers"` needs nobody's memory."""
    for item in items:
        if SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)
    if hasattr(config, "workerinput"):  # one of several processes
        items.sort(key=lambda item: not item.nodeid.startswith(WHOLE_STACKS))


@pytest.fixture(scope="session")
def server_state() -> Iterator[Path]:
    """A state folder that the account PostgreSQL runs as may enter (pytest's own folders are closed)."""
    state = Path(tempfile.mkdtemp(prefix="erbium-tests-"))
    state.chmod(0o711)
    yield state
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(server_state: Path) -> Iterator[str]:
    """The superuser's URL of a real PostgreSQL 18. ERBIUM_TEST_POSTGRES names one that runs already."""
    if url := os.environ.get("ERBIUM_TEST_POSTGRES"):
        yield url
    elif os.environ.get("ERBIUM_TEST_SERVERS") == "docker":
        from tests.workbench.containers import postgres_container

        with postgres_container() as url:
            yield url
    else:
        yield servers.start_postgres(server_state, die_with_parent=True, progress=lambda _: None)
        local_postgres.stop(server_state)


@pytest.fixture(scope="session")
def kafka(server_state: Path) -> Iterator[str]:
    """`host:port` of a real Kafka 4.3. ERBIUM_TEST_KAFKA names one that runs already."""
    if address := os.environ.get("ERBIUM_TEST_KAFKA"):
        yield address
    elif os.environ.get("ERBIUM_TEST_SERVERS") == "docker":
        from tests.workbench.containers import kafka_container

        with kafka_container() as address:
            yield address
    else:
        yield servers.start_kafka(server_state, die_with_parent=True, progress=lambda _: None)
        local_kafka.stop(server_state)
