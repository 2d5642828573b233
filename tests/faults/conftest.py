"""One running Erbium for the faults, and how much is done: a small part by default, the whole with `python -m tests.faults`."""

import time
import uuid
from collections.abc import Iterator

import httpx
import pytest

from tests.faults.load import a_clinic
from tests.faults.recovery import recovered
from tests.faults.site import Site, running
from tests.faults.telling import FIGURES, SEED, WHOLE, Figures, tell


@pytest.fixture(scope="session")
def figures() -> Figures:
    """What was measured: fault -> numbers. `python -m tests.faults` writes it."""
    return FIGURES


@pytest.fixture(scope="session")
def seed() -> int:
    """Of every random moment and choice; ERBIUM_FAULTS_SEED names another one."""
    return SEED


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    """All four services on servers of their own, with one clinic that screening knows."""
    tell("starting PostgreSQL, Kafka and eight processes")
    with running() as started:
        tell("listening")
        settle(started)
        tell("ready")
        yield started


def settle(site: Site) -> None:
    """A clinic to register patients in, and everything ready."""
    clinic_id = uuid.uuid4()
    headers = {"Authorization": f"Bearer {site.token('medical_director')}", "Idempotency-Key": str(clinic_id)}
    answer = httpx.post(f"{site.url('scheduling')}/v1/clinics", json=a_clinic(clinic_id), headers=headers, timeout=10, trust_env=False)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    site.clinics.append(clinic_id)
    recovered(site, time.monotonic(), seconds_max=60.0)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What belongs to the whole is left out of the small part; what has a site of its own comes before the common one."""
    ours = [item for item in items if "tests/faults" in item.path.as_posix()]
    for item in ours:
        item.add_marker(pytest.mark.servers)
    left_out = [item for item in ours if not WHOLE and item.get_closest_marker("whole")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    in_order = sorted((item for item in ours if item not in left_out), key=lambda item: "site" in getattr(item, "fixturenames", ()))
    places = iter(in_order)
    items[:] = [next(places) if item in ours else item for item in items if item not in left_out]
