"""The whole stack from the command line, and what each process of it is told."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from erbium import cli, provision, servers, stack, stack_files

PROCESSES = {"postgres", "kafka", "issuer", *provision.SERVICES}


def erbium(*arguments: str, state: Path) -> tuple[int, str, str]:
    """Run the command line in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("ERBIUM_POSTGRES_URL", "ERBIUM_KAFKA")}
    done = subprocess.run(
        [sys.executable, "-m", "erbium", *arguments], capture_output=True, text=True, env=kept | {"ERBIUM_STATE": str(state)}, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", ["up", "down", "status", "demo", "token", "servers"])
def test_every_command_explains_itself(command: str, tmp_path: Path) -> None:
    """Each has a `--help` and a `--json`."""
    code, said, _ = erbium(command, "--help", state=tmp_path)
    assert code == 0
    assert "--json" in said


def test_status_of_nothing_is_exit_code_3(tmp_path: Path) -> None:
    """Not running is not an error, and a script can tell."""
    code, said, _ = erbium("status", "--json", state=tmp_path)
    assert (code, json.loads(said)) == (cli.NOT_RUNNING, {"running": False, "processes": []})


def test_a_failure_is_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    """What went wrong is on standard error for a person, and on standard output for a program."""
    code, said, complained = erbium("token", "--json", state=tmp_path)
    assert code == 1
    assert json.loads(said) == {"error": "Tokens name an issuer that runs: start it with `erbium up`."}
    assert complained.strip() == "erbium: Tokens name an issuer that runs: start it with `erbium up`."


def test_an_unknown_role_is_refused_with_the_list(tmp_path: Path) -> None:
    """A mistyped role names those that exist."""
    code, _, complained = erbium("token", "--role", "surgeon", state=tmp_path)
    assert code == 2
    assert "surgeon" in complained
    assert "laser_safety_officer" in complained


def test_down_of_nothing_changes_nothing(tmp_path: Path) -> None:
    """`down` may be called at any time."""
    assert erbium("down", state=tmp_path)[0:2] == (0, "Nothing was running.\n")


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


def unwritten() -> list[str]:
    """Which services of this checkout have no wiring yet."""
    return [service for service in provision.SERVICES if importlib.util.find_spec(f"{service}.wiring") is None]


@pytest.mark.servers
@pytest.mark.skipif(bool(unwritten()), reason=f"not written yet: {', '.join(unwritten())}")
def test_up_runs_everything_a_second_up_says_so_and_down_ends_it(state: Path) -> None:
    """`up` leaves seven processes that answer and one command that works when pasted; `down` leaves none."""
    first = _up(state)
    assert not first["already"]
    assert set(stack.running_names(state)) == PROCESSES
    for where in first["services"].values():
        assert httpx.get(where["docs"]).status_code == 200
    pasted = subprocess.run(["/bin/sh", "-c", first["curl"] + " --fail"], capture_output=True, check=False)
    assert pasted.returncode == 0

    second = _up(state)
    assert second["already"]
    assert second["services"] == first["services"]

    assert erbium("down", state=state)[1] == "Stopped; the data stays.\n"
    assert stack.running_names(state) == []
