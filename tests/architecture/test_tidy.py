"""What we do not want to find in the sources, and what to write instead."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES_MAX = 300
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
SUFFIXES = ("Event", "Command", "Handler", "Dto", "DTO", "Manager", "Helper", "Service", "Impl")
ALLOWED_NAMES = {"Service", "NewEvent"}  # the kernel's declaration of a service, an event on its way into the log
FIELD_TERMS = ("AdverseEvent",)  # the field's own word
BANNED = {
    r"\bprint\(": "structlog with keys of the allow-list, or the command line's own console",
    r"\bexcept Exception:\s*\n\s*pass\b": "a named error; our own bugs crash",
    r"\btime\.sleep\(": "asyncio.sleep in a step, or a deadline",
    r"datetime\.utcnow\(": "clock.now() or clock.machine()",
    r"\bTODO\b|\bFIXME\b|\bXXX\b": "an issue",
    r"from fastapi\.testclient": "httpx.AsyncClient with ASGITransport",
}
PRODUCT = ["kernel/src", "services/screening/src", "services/scheduling/src", "services/device-telemetry/src", "services/aftercare/src"]


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def everything() -> list[Path]:
    return files(*PRODUCT, "workbench/src", "tests")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", everything(), ids=relative)
def test_no_file_is_the_one_that_nobody_stopped(path: Path) -> None:
    """No file is over 300 lines, and its name says what is in it."""
    lines = path.read_text().count("\n")
    assert lines <= LINES_MAX, f"{lines} lines: split it by what its parts are about"
    assert path.stem not in VAGUE, "name the thing it does"


@pytest.mark.parametrize("path", files(*PRODUCT), ids=relative)
def test_nothing_banned(path: Path) -> None:
    """What is banned names its replacement."""
    text = path.read_text()
    for pattern, instead in BANNED.items():
        if path.name == "command_line.py" and "print" in pattern:
            continue  # a command line is read by people
        found = re.search(pattern, text)
        assert not found, f"{found.group(0) if found else ''}: use {instead}"


@pytest.mark.parametrize("path", files(*PRODUCT, "workbench/src"), ids=relative)
def test_docstrings_and_names(path: Path) -> None:
    """Every public module, class and function says what it promises; no class name ends in what it technically is."""
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module's docstring is missing"
    for node in public(tree):
        assert ast.get_docstring(node), f"line {node.lineno}: {node.name} promises nothing"
        if isinstance(node, ast.ClassDef) and node.name not in ALLOWED_NAMES:
            assert node.name.endswith(FIELD_TERMS) or not node.name.endswith(SUFFIXES), f"line {node.lineno}: {node.name}"


def public(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("path", [path for path in files("tests") if path.name.startswith("test_")], ids=relative)
def test_every_test_is_a_claim(path: Path) -> None:
    """A test's docstring is a one-sentence claim."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"line {node.lineno}: {node.name} claims nothing"


def test_locks_hold_no_address() -> None:
    """Lock files carry hashes and exact pins, no address of any registry."""
    for name in ("requirements.lock", "deploy/kafka-jars.lock"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
        assert not [line for line in lines if "://" in line]
        assert any("sha256" in line for line in lines)
    pins = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if re.match(r"[a-z0-9]", line)]
    assert all("==" in line for line in pins)


def test_import_contracts_hold() -> None:
    """The kernel knows no service, no service another one (import-linter)."""
    done = subprocess.run([str(ROOT / ".venv/bin/lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:]
