"""The command line explains itself, and every refusal is one sentence and a documented exit code."""

import pytest

from erbium_kernel.command_line import run
from erbium_kernel.service import Service
from tests.kernel.follow.ward_service import ward_service

SOME_ID = "00000000-0000-7000-8000-00000000c4a1"


@pytest.fixture
def service() -> Service:
    """The ward."""
    return ward_service("ward")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own environment."""
    for name in ("DATABASE_OWNER_URL", "DATABASE_WORK_URL", "DATABASE_API_URL", "KAFKA", "SECRETS_DIR", "TOPICS_FILE"):
        monkeypatch.delenv(f"ERBIUM_{name}", raising=False)


def exit_code(service: Service, *arguments: str) -> int:
    """What the process would end with."""
    with pytest.raises(SystemExit) as ended:
        run(service, list(arguments))
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    "command", [[], ["api"], ["work"], ["all"], ["migrate"], ["rebuild"], ["parked"], ["parked", "skip"], ["parked", "retry"]]
)
def test_help(service: Service, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command explains itself, exit codes included."""
    assert exit_code(service, *command, "--help") == 0
    assert "exit codes" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["parked"], ["rebuild"], ["nonsense"], ["parked", "inspect", "ward.beds", "no-uuid", "x"], ["parked", "retry", "ward.beds"],
        ["parked", "skip", "ward.beds", SOME_ID, SOME_ID, "--by", "ops-1", "--reason", "which event?"],
    ],
)  # fmt: skip
def test_wrong_usage(service: Service, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage ends with 2 and shows how it goes."""
    assert exit_code(service, *arguments) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["work"], ["DATABASE_WORK_URL", "KAFKA", "SECRETS_DIR", "TOPICS_FILE"]),
        (["migrate"], ["DATABASE_OWNER_URL"]),
        (["rebuild", "beds"], ["DATABASE_WORK_URL"]),
        (["parked", "list"], ["DATABASE_WORK_URL"]),
        (["parked", "retry", "ward.beds", SOME_ID, SOME_ID], ["DATABASE_WORK_URL"]),
    ],
)
def test_missing_settings(service: Service, arguments: list[str], named: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is not set is named all at once, in one line."""
    assert exit_code(service, *arguments) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert all(f"ERBIUM_{name}" in told for name in named)


@pytest.mark.parametrize(("name", "why"), [("ward.order-meal", "is a reaction"), ("nothing", "has no read table nothing")])
def test_what_cannot_be_rebuilt(service: Service, name: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A reaction, or a name that nobody knows, is refused before anything is opened."""
    assert exit_code(service, "rebuild", name) == 1
    assert why in capsys.readouterr().err
