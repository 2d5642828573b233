"""Which migrations there are, told without Alembic."""

import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from erbium_kernel import migrating

SERVICES = ("screening", "scheduling", "device-telemetry", "aftercare")


@pytest.mark.parametrize("service", SERVICES)
def test_as_alembic_says(service: str) -> None:
    """The revisions that a serving process compares with its database are those that Alembic would walk, in its order."""
    walked = ScriptDirectory.from_config(migrating.alembic_config(service)).walk_revisions()
    assert migrating.revisions(service) == tuple(script.revision for script in walked)
    assert migrating.head(service) == migrating.revisions(service)[0]


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        ({"0001": "None", "0002": "'0001'", "0003": "'0001'"}, "beside the chain"),
        ({"0001": "None", "0003": "'0002'"}, "beside the chain"),
        ({"0001": "None", "0002": ""}, "does not say"),
    ],
)
def test_no_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: dict[str, str], sentence: str) -> None:
    """Branches, gaps and migrations without a place are found at the start."""
    package = tmp_path / "src" / "branching"
    for folder in (package, tmp_path / "migrations" / "versions"):
        folder.mkdir(parents=True)
    (package / "__init__.py").touch()
    (tmp_path / "migrations" / "env.py").touch()
    for revision, down in places.items():
        said = f"revision = '{revision}'\n" + (f"down_revision = {down}\n" if down else "")
        (tmp_path / "migrations" / "versions" / f"{revision}.py").write_text(said)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.delitem(sys.modules, "branching", raising=False)
    with pytest.raises(AssertionError, match=sentence):
        migrating.revisions.__wrapped__("branching")
