"""What the command line says, and with which exit code."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from erbium import cli
from erbium.servers import folder
from tests.workbench.calling import NOT_OURS, SECONDS_MAX, environment, erbium

AT_ONCE_SECONDS = 3.0
NEEDED = {  # what a command does not start without
    "parked": ("screening", "list"), "rebuild": ("screening", "patients"), "as-of": ("screening", "/v1/meta", "2026-03-03T20:00:00Z"),
}  # fmt: skip
COMMANDS = [command.name or command.callback.__name__ for command in cli.app.registered_commands if command.callback]


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """The command line in this process, which spares Python's start: exit code, standard output, standard error."""

    def called(*arguments: str, state: Path, told: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        for name in NOT_OURS:
            monkeypatch.delenv(name, raising=False)
        for name, value in {"ERBIUM_STATE": str(state), **(told or {})}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["erbium", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return called


def test_help_lists_every_command(call: Call, tmp_path: Path) -> None:
    """Every command, each with a line of its own."""
    code, said, _ = call("--help", state=tmp_path)
    assert code == 0
    assert set(COMMANDS) == {"up", "down", "status", "demo", "token", "servers", "reconcile", "parked", "rebuild", "as-of"}
    assert all(command in said for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, call: Call, tmp_path: Path) -> None:
    """Each has a `--help` and a `--json`."""
    code, said, _ = call(command, "--help", state=tmp_path)
    assert code == 0
    assert "--json" in said


def test_status_of_nothing_is_exit_code_3(call: Call, tmp_path: Path) -> None:
    """Not running is not an error, and a script can tell."""
    code, said, _ = erbium("status", "--json", state=tmp_path)
    assert (code, json.loads(said)) == (cli.NOT_RUNNING, {"running": False, "processes": []})
    assert call("status", state=tmp_path) == (cli.NOT_RUNNING, "Not running: `erbium up` starts it.\n", "")


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
def test_make_status_of_nothing_is_one_sentence(tmp_path: Path) -> None:
    """Who calls make is told what to call make with, and make itself has nothing to complain about."""
    python = os.path.relpath(sys.executable, folder.checkout())  # as the Makefile has it: the checkout may be in a folder with a space
    command = ["make", "--no-print-directory", "-o", "env", f"PY={python}", "status"]  # env: this is an environment
    done = subprocess.run(
        command, cwd=folder.checkout(), capture_output=True, text=True, env=environment(tmp_path), check=False, timeout=SECONDS_MAX
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Not running: `make up` starts it.\n", "")


def test_a_failure_is_one_sentence_and_no_traceback(call: Call, tmp_path: Path) -> None:
    """What went wrong is on standard error for a person, and on standard output for a program."""
    code, said, complained = call("token", "--json", state=tmp_path)
    assert code == 1
    assert json.loads(said) == {"error": "Tokens name an issuer that runs: start it with `erbium up`."}
    assert complained.strip() == "erbium: Tokens name an issuer that runs: start it with `erbium up`."
    _, _, called_by_make = call("token", state=tmp_path, told={"ERBIUM_CALLED_BY": "make"})
    assert called_by_make.strip() == "erbium: Tokens name an issuer that runs: start it with `make up`."


def test_an_unknown_role_is_refused_with_the_list(call: Call, tmp_path: Path) -> None:
    """A mistyped role names those that exist."""
    code, _, complained = call("token", "--role", "surgeon", state=tmp_path)
    assert code == 2
    assert "surgeon" in complained
    assert "laser_safety_officer" in complained


def test_down_of_nothing_changes_nothing(call: Call, tmp_path: Path) -> None:
    """`down` may be called at any time."""
    assert call("down", state=tmp_path)[0:2] == (0, "Nothing was running.\n")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize("command", ["up", "demo", "servers"])
def test_a_state_folder_that_cannot_be_made_is_one_sentence_at_once(command: str, call: Call) -> None:
    """No traceback, nothing started, and the variable that moves the folder is named."""
    began = time.monotonic()
    code, said, complained = call(command, state=Path("/proc/nope"))
    assert (code, said) == (1, "")
    sentence = "erbium: /proc/nope cannot be used (No such file or directory): name another folder with ERBIUM_STATE."
    assert complained.strip() == sentence
    assert time.monotonic() - began < AT_ONCE_SECONDS


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "token"])
def test_a_file_where_the_state_folder_should_be_is_one_sentence(command: str, call: Call, tmp_path: Path) -> None:
    """Every command that looks into the folder says so; none shows a traceback."""
    state = tmp_path / "state"
    state.write_text("a file")
    code, _, complained = call(command, *NEEDED.get(command, ()), state=state)
    assert code == 1
    assert complained.startswith(f"erbium: {state}/")
    assert complained.strip().endswith("cannot be used (Not a directory): name another folder with ERBIUM_STATE.")
    assert complained.count("\n") == 1
