"""The REST interface cannot change under its callers: nothing is removed, nothing is newly required (additions are fine)."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from erbium_kernel.http.app import create_app
from erbium_kernel.log.memory import MemoryStore
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import WardClock, ward

GOLDEN = Path(__file__).parent / "openapi"
SERVICES = ("screening", "scheduling", "device-telemetry", "aftercare")


def document(service: str) -> dict[str, Any]:
    """The OpenAPI document as the service would serve it now."""
    clock = WardClock()
    wiring = importlib.import_module(f"{service.replace('-', '_')}.wiring").SERVICE
    app = create_app(wiring, ward(MemoryStore(clock=clock), clock), None, Bearers(clock).verifier)
    found: dict[str, Any] = app.openapi()
    return found


def operations(api: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict) and "operationId" in operation:
                yield f"{method.upper()} {path} {operation['operationId']}", operation


def resolved(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference."""
    while "$ref" in schema:
        schema = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def body_of(api: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    return resolved(api, next(iter(content.values()), {}).get("schema", {}))


def answer_of(api: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    good = next((answer for status, answer in operation["responses"].items() if status.startswith("2")), {})
    return resolved(api, next(iter(good.get("content", {}).values()), {}).get("schema", {}))


def breaks(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """What a caller of the old document would trip over."""
    now = dict(operations(new))
    for name, before in operations(old):
        if name not in now:
            yield f"{name} is gone"
            continue
        after = now[name]
        was, is_ = body_of(old, before), body_of(new, after)
        yield from (f"{name}: {field} is newly required" for field in set(is_.get("required", [])) - set(was.get("required", [])))
        yield from (f"{name}: {field} is no longer taken" for field in was.get("properties", {}).keys() - is_.get("properties", {}).keys())
        told, tells = answer_of(old, before), answer_of(new, after)
        yield from (
            f"{name}: {field} is no longer told" for field in told.get("properties", {}).keys() - tells.get("properties", {}).keys()
        )
        asked = {(one["in"], one["name"]) for one in before.get("parameters", []) if one.get("required")}
        asks = {(one["in"], one["name"]) for one in after.get("parameters", []) if one.get("required")}
        yield from (f"{name}: {place} {field} is newly required" for place, field in asks - asked)
        yield from (f"{name}: status {status} is gone" for status in before["responses"].keys() - after["responses"].keys())


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_removed_or_newly_required(service: str) -> None:
    """A caller written against the golden document still works."""
    golden = json.loads((GOLDEN / f"{service}.json").read_text())
    assert list(breaks(golden, document(service))) == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_is_in_the_golden_document(service: str) -> None:
    """What is new is frozen too: add it with `python -m tests.contracts.freeze`."""
    golden = json.loads((GOLDEN / f"{service}.json").read_text())
    assert dict(operations(golden)).keys() == dict(operations(document(service))).keys()


def test_a_break_is_seen() -> None:
    """The comparison is no blind one: a field taken away, one newly required and an operation gone are told."""
    golden = json.loads((GOLDEN / "aftercare.json").read_text())
    changed = json.loads(json.dumps(golden))
    schemas = changed["components"]["schemas"]
    del schemas["TriageView"]["properties"]["action"]
    schemas["CheckInAnswersBody"]["required"].append("words")
    changed["paths"].pop("/v1/adverse-events")
    told = " ".join(breaks(golden, changed))
    assert "action is no longer told" in told
    assert "words is newly required" in told
    assert "listAdverseEvents is gone" in told
