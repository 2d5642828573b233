"""The language between services: every contract's example is valid, is what its owner says, and is understood by all who hear it."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from erbium_kernel.codec import Codec

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "contracts").glob("*/*.json"))
SERVICES = ("screening", "scheduling", "device-telemetry", "aftercare")
READ = {path: json.loads(path.read_text()) for path in FILES}


def service(name: str) -> Any:
    return importlib.import_module(f"{name.replace('-', '_')}.wiring").SERVICE


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_example_is_valid(path: Path) -> None:
    """The schema is a schema, the example fits it, and the file is named after fact and version."""
    contract = READ[path]
    Draft202012Validator.check_schema(contract["schema"])
    Draft202012Validator(contract["schema"], format_checker=Draft202012Validator.FORMAT_CHECKER).validate(contract["example"])
    assert path.name == f"{contract['fact']}.v{contract['version']}.json"
    assert contract["owner"] == path.parent.name
    assert contract["why"]


@pytest.mark.parametrize("hearer", SERVICES)
def test_every_hearer_understands(hearer: str) -> None:
    """Each service decodes the example of every fact that it says it hears, with the newest version it knows."""
    heard = service(hearer).heard
    codec = Codec([], heard)
    for name, stored in heard.items():
        _, owner, fact = name.split(".")
        path = ROOT / "contracts" / owner / f"{fact}.v{stored.version}.json"
        assert path in READ, f"{hearer} hears {name}, which has no contract {path.name}"
        codec.decode_data(name, stored.version, json.dumps(READ[path]["example"]).encode())


@pytest.mark.parametrize("owner", SERVICES)
def test_heard_by_is_true(owner: str) -> None:
    """`heard_by` names exactly the services that decode the fact."""
    for path, contract in READ.items():
        if contract["owner"] == owner:
            name = f"erbium.{owner}.{contract['fact']}"
            assert sorted(contract["heard_by"]) == sorted(hearer for hearer in SERVICES if name in service(hearer).heard), named(path)
