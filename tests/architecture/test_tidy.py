"""What we do not want to find in the sources, and what to write instead."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

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


def test_no_file_is_the_one_that_nobody_stopped() -> None:
    """No file is over 300 lines, and its name says what is in it."""
    long = [f"{relative(path)}: {lines} lines" for path in everything() if (lines := path.read_text().count("\n")) > LINES_MAX]
    assert not long, "split them by what their parts are about"
    assert not [relative(path) for path in everything() if path.stem in VAGUE], "name the thing it does"


def test_nothing_banned() -> None:
    """What is banned names its replacement."""
    found = [fault for path in files(*PRODUCT) for fault in banned(path)]
    assert not found


def banned(path: Path) -> Iterator[str]:
    text = path.read_text()
    for pattern, instead in BANNED.items():
        if path.name == "command_line.py" and "print" in pattern:
            continue  # a command line is read by people
        if re.search(pattern, text):
            yield f"{relative(path)}: {pattern}: use {instead}"


def test_docstrings_and_names() -> None:
    """Every public module, class and function says what it promises; no class name ends in what it technically is."""
    found = [fault for path in files(*PRODUCT, "workbench/src") for fault in silent_or_misnamed(path)]
    assert not found


def silent_or_misnamed(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    if not ast.get_docstring(tree):
        yield f"{relative(path)}: the module's docstring is missing"
    for node in public(tree):
        if not ast.get_docstring(node):
            yield f"{relative(path)}:{node.lineno}: {node.name} promises nothing"
        if isinstance(node, ast.ClassDef) and node.name not in ALLOWED_NAMES:
            if node.name.endswith(SUFFIXES) and not node.name.endswith(FIELD_TERMS):
                yield f"{relative(path)}:{node.lineno}: {node.name} ends in what it technically is"


def public(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def test_every_test_is_a_claim() -> None:
    """A test's docstring is a one-sentence claim."""
    silent = []
    for path in files("tests"):
        if path.name.startswith("test_"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                    silent += [] if ast.get_docstring(node) else [f"{relative(path)}:{node.lineno} {node.name}"]
    assert not silent


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


def test_ruff_is_content() -> None:
    """Lint and layout are clean, so that a change shows only what it changes."""
    for arguments in (["check", "."], ["format", "--check", "."]):
        done = subprocess.run([str(ROOT / ".venv/bin/ruff"), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout[-3000:]
