"""The REST interface cannot change under its callers: nothing is removed, nothing newly required or needed (additions are fine)."""

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


def fields(api: dict[str, Any], schema: dict[str, Any], where: str = "", inside: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(path of a field, its schema), those of parts and of list items included; a type inside itself is looked at once."""
    name = schema.get("$ref", "")
    if name in inside:
        return
    inside, schema = (*inside, name) if name else inside, resolved(api, schema)
    for part in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())):
        yield from fields(api, part, where, inside)
    for field, inner in schema.get("properties", {}).items():
        yield f"{where}/{field}", inner
        yield from fields(api, inner, f"{where}/{field}", inside)


def required(api: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """The paths of fields that must be there; of a part, if it is there."""
    whole = resolved(api, schema)
    found = {f"/{field}" for field in whole.get("required", ())}
    for path, inner in fields(api, schema):
        parts = [inner, *inner.get("anyOf", ()), *([inner["items"]] if "items" in inner else [])]
        found |= {f"{path}/{field}" for part in parts for field in resolved(api, part).get("required", ())}
    return found


def words(api: dict[str, Any], schema: dict[str, Any]) -> set[tuple[str, Any]]:
    """(path, word) of every enumeration."""
    found = set()
    for path, inner in fields(api, schema):
        parts = [inner, *inner.get("anyOf", ()), *([inner["items"]] if "items" in inner else [])]
        found |= {(path, word) for part in parts for word in resolved(api, part).get("enum", ())}
    return found


def contents(operation: dict[str, Any], *, sent: bool) -> dict[str, Any]:
    """Content type -> schema, of what is sent or of what is answered when all is well."""
    if sent:
        return {kind: one["schema"] for kind, one in operation.get("requestBody", {}).get("content", {}).items()}
    good: dict[str, Any] = next((answer for status, answer in operation["responses"].items() if status.startswith("2")), {})
    return {kind: one["schema"] for kind, one in good.get("content", {}).items()}


def scopes(operation: dict[str, Any]) -> set[str]:
    return {scope for way in operation["security"] for scope in way.get("oauth2", ())}


def breaks(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """What a caller of the old document would trip over."""
    now = dict(operations(new))
    for name, before in operations(old):
        if name not in now:
            yield f"{name} is gone"
            continue
        after = now[name]
        yield from (f"{name}: {told}" for told in _sent_breaks(old, before, new, after))
        yield from (f"{name}: {told}" for told in _answer_breaks(old, before, new, after))
        yield from (f"{name}: scope {scope} is newly needed" for scope in scopes(after) - scopes(before))
        asked = {(one["in"], one["name"]) for one in parameters(old, before) if one.get("required")}
        asks = {(one["in"], one["name"]) for one in parameters(new, after) if one.get("required")}
        yield from (f"{name}: {place} {field} is newly required" for place, field in asks - asked)
        taken = {(one["in"], one["name"]) for one in parameters(old, before)}
        takes = {(one["in"], one["name"]) for one in parameters(new, after)}
        yield from (f"{name}: {place} {field} is no longer taken" for place, field in taken - takes)


def parameters(api: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The operation's parameters, references followed."""
    known = api["components"]["parameters"]
    return [known[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in operation.get("parameters", [])]


def _sent_breaks(old: dict[str, Any], before: dict[str, Any], new: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    takes = contents(after, sent=True)
    for kind, schema in contents(before, sent=True).items():
        if kind not in takes:
            yield f"{kind} is no longer taken"
            continue
        yield from (f"{path} is newly required" for path in required(new, takes[kind]) - required(old, schema))
        yield from (f"{path} is no longer taken" for path in dict(fields(old, schema)).keys() - dict(fields(new, takes[kind])).keys())
        yield from (f"{path} no longer takes {word}" for path, word in words(old, schema) - words(new, takes[kind]))


def _answer_breaks(old: dict[str, Any], before: dict[str, Any], new: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    tells = contents(after, sent=False)
    for kind, schema in contents(before, sent=False).items():
        if kind not in tells:
            yield f"{kind} is no longer answered"
            continue
        yield from (f"{path} is no longer told" for path in dict(fields(old, schema)).keys() - dict(fields(new, tells[kind])).keys())
    yield from (f"status {status} is gone" for status in before["responses"].keys() - after["responses"].keys())


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
    """The comparison is no blind one: what is taken away, newly required or needed is told, in parts of bodies too."""
    golden = json.loads((GOLDEN / "aftercare.json").read_text())
    changed = json.loads(json.dumps(golden))
    schemas, paths = changed["components"]["schemas"], changed["paths"]
    del schemas["TriageView"]["properties"]["action"]
    del schemas["InstructionView"]["properties"]["ends_on"]
    schemas["CheckInAnswersBody"]["required"].append("words")
    schemas["CheckInAnswersBody"]["properties"]["pain_trend"]["enum"].remove("same")
    paths.pop("/v1/adverse-events")
    plan = paths["/v1/treatments/{treatment_id}/care-plan"]["get"]
    plan["security"] = [{"oauth2": ["ops:operate"]}]
    answered = plan["responses"]["200"]["content"]
    paths["/v1/care-plans"]["get"]["responses"]["200"]["content"] = {"text/html": {"schema": {"type": "string"}}}
    answered["application/json"]["schema"] = {"$ref": "#/components/schemas/CarePlanView"}
    told = " ".join(breaks(golden, changed))
    for sentence in (
        "/action is no longer told", "/instructions/ends_on is no longer told", "/words is newly required",
        "/pain_trend no longer takes same", "listAdverseEvents is gone", "scope ops:operate is newly needed",
        "application/json is no longer answered",
    ):  # fmt: skip
        assert sentence in told, told
