"""The whole stack, up and down, and what each process of it is told."""

import importlib.util
import json
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from erbium import provision, servers, stack, stack_files
from erbium_kernel.identity import ROLES
from tests.workbench.calling import erbium

PROCESSES = {"postgres", "kafka", "issuer", *provision.SERVICES}


def test_one_master_key_for_all_services_and_a_fingerprint_key_each(tmp_path: Path) -> None:
    """Keys of persons travel wrapped by one master; fingerprints never leave their service; a second run keeps both."""
    stack_files.make_secrets(tmp_path)
    made = {path: path.read_text() for path in (tmp_path / "secrets").rglob("*.key")}
    masters = {(path.name, text) for path, text in made.items() if path.name.startswith("master-")}
    fingerprints = {text for path, text in made.items() if path.name == "fingerprint.key"}
    assert (len(made), len(masters), len(fingerprints)) == (8, 1, 4)
    assert all(path.stat().st_mode & 0o077 == 0 and path.parent.stat().st_mode & 0o077 == 0 for path in made)
    stack_files.make_secrets(tmp_path)
    assert made == {path: path.read_text() for path in (tmp_path / "secrets").rglob("*.key")}


def test_tokens_are_offered_for_every_role() -> None:
    """The workbench knows each role of the rights table, and no other."""
    assert sorted(stack.ROLES) == sorted(ROLES)


def a_stack(state: Path) -> stack.Stack:
    url = "postgresql://super:secret@127.0.0.1:1/postgres"
    return stack.Stack(
        state=state,
        servers=servers.Servers(postgres_url=url, kafka="127.0.0.1:2", stop=lambda: None),
        databases=provision.urls(url, state),
        issuer_port=3,
        services={},
        chain=uuid.UUID(int=1),
        clinics=[],
    )


def test_no_process_that_serves_is_told_the_owners_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner's and the superuser's URL stay with the workbench; frames goes to the one service that has frames."""
    monkeypatch.setenv("ERBIUM_POSTGRES_URL", "postgresql://super:secret@127.0.0.1:1/postgres")
    for service in provision.SERVICES:
        told = stack.environment_of(a_stack(tmp_path), service, port=4, metrics_port=5)
        assert not any("_owner:" in value or "super:" in value for value in told.values())
        assert ("ERBIUM_DATABASE_FRAMES_URL" in told) == (service == "device_telemetry")
        assert told["ERBIUM_HTTP_HOST"] == "127.0.0.1"


@pytest.fixture
def state() -> Iterator[Path]:
    top = Path(tempfile.mkdtemp(prefix="erbium-tests-"))
    top.chmod(0o711)
    yield top / "state"
    stack.down(top / "state")
    shutil.rmtree(top)


def _up(state: Path) -> dict[str, Any]:
    code, said, complained = erbium("up", "--json", state=state)
    assert code == 0, complained
    described: dict[str, Any] = json.loads(said)
    return described


def pasted(command: str) -> list[str]:
    """The ids of the clinics that a pasted command shows."""
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, cwd="/")
    return [clinic["clinic_id"] for clinic in json.loads(done.stdout)["items"]]


def unwritten() -> list[str]:
    """Which services of this checkout have no wiring yet."""
    return [service for service in provision.SERVICES if importlib.util.find_spec(f"{service}.wiring") is None]


@pytest.mark.servers
@pytest.mark.skipif(bool(unwritten()), reason=f"not written yet: {', '.join(unwritten())}")
def test_up_runs_everything_a_second_up_says_so_and_down_ends_it(state: Path) -> None:
    """`up` leaves seven processes that answer, two clinics, and a command that shows them when pasted; `down` leaves none."""
    first = _up(state)
    assert not first["already"]
    assert set(stack.running_names(state)) == PROCESSES
    for where in first["services"].values():
        assert httpx.get(where["docs"]).status_code == 200
        assert "relay_lag_events" in httpx.get(where["metrics"]).text
    assert sorted(pasted(first["curl"] + " --fail")) == sorted(first["clinics"])

    second = _up(state)
    assert second["already"]
    assert second["services"] == first["services"]
    assert second["clinics"] == first["clinics"]
    assert sorted(pasted(first["curl"])) == sorted(first["clinics"]), "registered once, and found again"

    code, said, _ = erbium("status", state=state)
    assert code == 0
    assert all(where["metrics"] in said for where in first["services"].values())
    assert first["new_token"] in said
    assert not re.search(r"eyJ|[\w-]{100}", said), "status is short: no token"
    described = json.loads(erbium("status", "--json", state=state)[1])
    assert set(described["tokens"]) == set(stack.ROLES)
    minted = json.loads(erbium("token", "--json", "--role", "nurse", state=state)[1])
    assert minted["valid_hours"] == described["tokens_valid_hours"] == 12

    assert erbium("down", state=state)[1] == "Stopped; the data stays.\n"
    assert stack.running_names(state) == []
