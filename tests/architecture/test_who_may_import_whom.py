"""Who may import whom, file by file."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = {"screening": "screening", "scheduling": "scheduling", "device-telemetry": "device_telemetry", "aftercare": "aftercare"}
EDGES = {"http", "projections", "reactions"}
AT_THE_EDGE = {"wiring.py", "__main__.py", "settings.py", "rulebook.py", "rule_book.py"}
IMPURE = {
    "asyncio", "aiokafka", "asyncpg", "sqlalchemy", "fastapi", "starlette", "pydantic", "httpx", "os", "random", "secrets", "socket",
    "subprocess", "threading", "time", "logging", "structlog", "pathlib", "io", "tomllib",
}  # fmt: skip
PURE_KERNEL = {"decider", "errors", "event", "personal", "clinical_dates", "subscribing"}
IMPURE_CALLS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("uuid", "uuid4"), ("uuid", "uuid1")}


def sources(package: str, folder: str) -> Iterator[Path]:
    yield from sorted((ROOT / "services" / folder / "src" / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def parts(path: Path, package: str) -> tuple[str, ...]:
    return path.relative_to(ROOT).parts[path.relative_to(ROOT).parts.index(package, 2) + 1 :]


def aggregates() -> list[tuple[str, Path]]:
    """Files inside an aggregate's folder: those beside a `decide`."""
    found = []
    for folder, package in SERVICES.items():
        for path in sources(package, folder):
            place = parts(path, package)
            if len(place) > 1 and place[0] not in EDGES and any(path.parents[0].glob("decide*")):
                found.append((package, path))
    return found


@pytest.mark.parametrize(("package", "path"), aggregates(), ids=lambda value: value.name if isinstance(value, Path) else value)
def test_decisions_are_pure(package: str, path: Path) -> None:
    """An aggregate imports the standard library's pure part, the kernel's pure modules, itself and its rules; no clock, id or I/O."""
    for module in imports(path):
        top = module.split(".")[0]
        assert top not in IMPURE, f"{path}: {module}"
        if top == "erbium_kernel":
            assert module.split(".")[1] in PURE_KERNEL, f"{path}: {module} is not a pure module of the kernel"
        assert top not in set(SERVICES.values()) - {package}, f"{path}: {module} is another service"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in IMPURE_CALLS, f"{path}:{node.lineno}: take it from the command instead"
        assert not isinstance(node, ast.Await | ast.AsyncFunctionDef), f"{path}: a decision awaits nothing"
        if isinstance(node, ast.ImportFrom) and node.module == "uuid":
            assert not {alias.name for alias in node.names} & {"uuid1", "uuid4"}, f"{path}: ids are made outside"


@pytest.mark.parametrize(("folder", "package"), SERVICES.items())
def test_http_has_no_sql(folder: str, package: str) -> None:
    """An endpoint calls the projections' queries; it writes no SQL and opens no connection to anything."""
    for path in sources(package, folder):
        if parts(path, package)[0] == "http":
            found = {module.split(".")[0] for module in imports(path)} & {"sqlalchemy", "asyncpg", "aiokafka", "httpx"}
            assert not found, f"{path}: {found}"


@pytest.mark.parametrize(("folder", "package"), SERVICES.items())
def test_projections_use_core(folder: str, package: str) -> None:
    """A projection uses SQLAlchemy Core; no ORM anywhere."""
    for path in sources(package, folder):
        assert not [module for module in imports(path) if module.startswith("sqlalchemy.orm")], path


@pytest.mark.parametrize(("folder", "package"), SERVICES.items())
def test_projections_and_reactions_stay_inside(folder: str, package: str) -> None:
    """Projections and reactions neither import http nor the wiring."""
    for path in sources(package, folder):
        if parts(path, package)[0] in ("projections", "reactions"):
            outside = [
                module for module in imports(path) if module.startswith((f"{package}.http", f"{package}.wiring", "fastapi", "pydantic"))
            ]
            assert not outside, f"{path}: {outside}"
