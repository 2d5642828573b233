"""The real servers for every test that asks for them: started once, at first use, each by itself."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from erbium import servers
from erbium.servers import kafka as local_kafka
from erbium.servers import postgres as local_postgres

SERVER_FIXTURES = frozenset({"postgres_url", "kafka"})

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


# Together on one of the two processes, since they share a running Erbium, and first, since nothing can be put beside them at the end.
WHOLE_STACKS = ("tests/end_to_end", "tests/faults")
BY_THEMSELVES = ("tests/simulation",)  # each test is long and needs no fixture that another one has made


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that uses a server's fixture is marked `servers`, so that `-m "not servers"` needs nobody's memory.

    `make test` runs in two processes: a file stays in one of them.
    """
    in_processes = bool(getattr(config.option, "loadgroup", False))
    for item in items:
        if SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)
        if in_processes and (group := _group(item)):
            item.add_marker(pytest.mark.xdist_group(group))
    if in_processes:
        items.sort(key=lambda item: _group(item) != "whole stacks")


def _group(item: pytest.Item) -> str | None:
    file = item.path.relative_to(item.config.rootpath).as_posix()
    if file.startswith(WHOLE_STACKS):
        return "whole stacks"
    return None if file.startswith(BY_THEMSELVES) else file


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
