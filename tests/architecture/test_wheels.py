"""What is installed as a wheel is whole: its rules and its migrations come with it, and are the ones that are used."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SERVICES = {"screening": "screening", "scheduling": "scheduling", "device-telemetry": "device_telemetry", "aftercare": "aftercare"}
PROJECTS = ["kernel", "workbench", *(f"services/{name}" for name in SERVICES)]
RULES = {"screening": "deciders", "scheduling": "rule_book", "device_telemetry": "rulebook", "aftercare": "rulebook"}  # who reads them
LOOK = """
import importlib, json, sys
from erbium_kernel.migrating import migrations_folder, revisions
service, reader = sys.argv[1:]
package = importlib.import_module(service.replace("-", "_"))
module = importlib.import_module(f"{package.__name__}.{reader}")
importlib.import_module(f"{package.__name__}.wiring")
rules = module.rules_folder()
print(json.dumps({
    "package": package.__file__, "kernel": sys.modules["erbium_kernel"].__file__, "rules": str(rules),
    "tables": sorted(path.name for path in rules.glob("*.toml")), "migrations": str(migrations_folder(service)),
    "revisions": list(revisions(service)),
}))
"""


def pip(*arguments: str) -> None:
    """Without any index: what is missing here is missing."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every project of the repository as a wheel."""
    folder = tmp_path_factory.mktemp("wheels")
    projects = [f"./{project}" for project in PROJECTS]
    pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), *projects)
    assert len(list(folder.glob("*.whl"))) == len(PROJECTS)
    return folder


@pytest.fixture(scope="module")
def installed(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them in a folder, away from any checkout."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-index", "--no-deps", "--no-compile", "--target", str(folder), *map(str, sorted(wheels.glob("*.whl"))))
    return folder


@pytest.mark.parametrize(("name", "package"), SERVICES.items())
def test_a_wheel_carries_its_rules_and_migrations(wheels: Path, name: str, package: str) -> None:
    """Every rules table and every migration of the checkout is in the wheel, byte for byte, and nothing that Python made meanwhile."""
    [wheel] = wheels.glob(f"erbium_{package}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {entry: archive.read(entry) for entry in archive.namelist()}
    for folder in ("rules", "migrations"):
        mine = [path for path in sorted((ROOT / "services" / name / folder).rglob("*")) if path.is_file() and path.suffix != ".pyc"]
        assert mine
        for path in mine:
            assert held[f"{package}/{path.relative_to(ROOT / 'services' / name)}"] == path.read_bytes()
    assert not [entry for entry in held if "__pycache__" in entry]


@pytest.mark.parametrize(("name", "package"), SERVICES.items())
def test_what_is_installed_is_what_is_used(installed: Path, name: str, package: str) -> None:
    """Installed away from the checkout, a service starts with its own rules and knows its own migrations."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, name, RULES[package]],
        cwd=installed, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    for what in ("package", "kernel", "rules", "migrations"):
        assert Path(found[what]).is_relative_to(installed), what
    assert found["tables"] == sorted(path.name for path in (ROOT / "services" / name / "rules").glob("*.toml"))
    assert len(found["revisions"]) == len(list((ROOT / "services" / name / "migrations" / "versions").glob("*.py")))
