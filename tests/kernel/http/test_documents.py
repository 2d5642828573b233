"""What a service says about itself: OpenAPI, the page for people, the kinds of problems, /v1/meta, the clock of development."""

import dataclasses
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator import validate as validate_openapi

from erbium_kernel.clock import ShiftedClock
from erbium_kernel.errors import Rejected
from erbium_kernel.http import Call, Routes, View
from erbium_kernel.http.app import About, create_app
from erbium_kernel.http.problem import KINDS
from erbium_kernel.identity.rights import SCOPES
from erbium_kernel.log.memory import MemoryStore
from tests.kernel.http.conftest import Door
from tests.kernel.http.ward_app import WARD
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import WardClock, ward

PROBLEMS_PAGE = Path(__file__).parents[3] / "docs" / "problems.md"


def document(door: Door) -> dict[str, Any]:
    """The ward's OpenAPI document."""
    return create_app(WARD, door.runtime, None, door.bearers.verifier).openapi()


async def test_openapi_is_valid(door: Door) -> None:
    """The document is valid OpenAPI 3.1, and is what /openapi.json answers."""
    validate_openapi(document(door), cls=OpenAPIV31SpecValidator)
    served = (await door.client.get("/openapi.json")).json()
    assert served == door.app.openapi()
    assert served["openapi"] == "3.1.0"


def test_every_operation_is_whole(door: Door) -> None:
    """Each operation has its own name, one tag, a summary, problems by reference, and unless it is public a scope that exists."""
    found = [operation for methods in document(door)["paths"].values() for operation in methods.values()]
    assert [operation["operationId"] for operation in found] == ["takeBed", "listBeds", "leaveBed", "getBed", "sendBreaths", "getMeta"]
    for operation in found:
        assert len(operation["tags"]) == 1
        assert operation["summary"]
        for status, answer in operation["responses"].items():
            if status >= "400" and "$ref" not in answer:
                assert answer["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}, status
        for way in operation["security"]:
            assert set(way.values().__iter__().__next__()) <= SCOPES.keys()
    statuses = {operation["operationId"]: set(operation["responses"]) for operation in found}
    assert {"400", "401", "403", "404", "409", "412", "422", "428", "429", "503"} <= statuses["leaveBed"]
    assert {"400", "401", "403", "404", "422", "429", "503", "304"} <= statuses["getBed"]


def test_schemas(door: Door) -> None:
    """Bodies are closed and views are open; nothing of FastAPI's own errors or of Python's names is in the document."""
    found = document(door)
    schemas = found["components"]["schemas"]
    assert schemas["TakeBedBody"]["additionalProperties"] is False
    assert schemas["Pillow"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["BedView"]
    assert "HTTPValidationError" not in str(found)
    assert "Idempotency-Key" in str(found["components"]["parameters"])


def test_refusals_are_documented(door: Door) -> None:
    """The rules that may say no to a command are listed with an example each."""
    refused = document(door)["paths"]["/v1/beds"]["post"]["responses"]["409"]
    assert "ward.bed-is-taken" in refused["description"]
    examples = refused["content"]["application/problem+json"]["examples"]
    assert examples["ward.room-is-taken"]["value"]["status"] == 409


def test_two_of_one_name(door: Door) -> None:
    """Two operations of one name are refused when the application is built, and so are two of one address."""
    for again in ("takeBed", "other"):
        routes = Routes(tag="more")

        @routes.query("GET", "/more" if again == "takeBed" else "/beds", name=again, scope="screening:read", response=View)
        async def more(call: Call) -> View:
            return View()

        service = dataclasses.replace(WARD, routes=(*WARD.routes, routes))
        with pytest.raises(AssertionError, match="declared twice"):
            create_app(service, door.runtime, None, door.bearers.verifier)


async def test_page_for_people(door: Door) -> None:
    """/docs lists every operation with a command to try, needs no script and nothing from elsewhere."""
    page = (await door.client.get("/docs")).text
    for operation in ("takeBed", "getBed", "sendBreaths"):
        assert f"id={operation}" in page
    assert "curl -X POST" in page
    assert "<script" not in page
    assert not re.findall(r"(?:src|href)=\"?https?:", page)


async def test_kinds_of_problems(door: Door) -> None:
    """The `type` of every problem is an address that explains it, for the kernel's kinds and for each rule's refusal."""
    slugs = {kind.slug for kind in Rejected.family() if kind.slug.startswith("ward.")}
    for code in (*KINDS, *slugs):
        answer = await door.client.get(f"/problems/{code}")
        assert answer.status_code == 200, code
        assert code in answer.text
    assert (await door.client.get("/problems/nonsense")).status_code == 404


def test_problems_page() -> None:
    """docs/problems.md has a section for every kind of the kernel, with its status and title, and for no other."""
    sections = re.findall(r"^## `([a-z-]+)` \((\d+)\)\n\n\*\*(.+)\*\*", PROBLEMS_PAGE.read_text(), re.MULTILINE)
    assert sections == [(kind.code, str(kind.status), kind.title + ".") for kind in KINDS.values()]


async def test_meta(door: Door) -> None:
    """/v1/meta tells anybody which build answers, the versions of its events and its limits."""
    app = create_app(WARD, door.runtime, None, door.bearers.verifier, about=About(build="1.2.3"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ward.test") as client:
        found = (await client.get("/v1/meta")).json()
    assert (found["service"], found["build"]) == ("ward", "1.2.3")
    assert found["event_versions"] == {"bed-taken": 1, "bed-left": 1}
    assert found["limits"]["items_per_page_max"] == 200


async def test_clock_of_development() -> None:
    """In development ops shifts domain time, which the commands then carry; tokens stay on the machine's time."""
    clock, machine = ShiftedClock(), WardClock()
    runtime = dataclasses.replace(ward(MemoryStore(clock=clock), machine), clock=clock)
    bearers = Bearers(clock)
    app = create_app(WARD, runtime, None, bearers.verifier, about=About(development=True))
    assert "/v1/development/clock" not in app.openapi()["paths"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ward.test") as client:
        chain = Door(app, runtime, bearers, machine, client)
        put = await client.put("/v1/development/clock", json={"offset_seconds": 86_400}, headers=chain.headers(roles=["ops"]))
        assert (put.status_code, put.json()["offset_seconds"]) == (200, 86_400)
        assert clock.now() - clock.machine() > timedelta(hours=23)
        assert (
            await client.put("/v1/development/clock", json={"offset_seconds": 1}, headers=chain.headers(roles=["nurse"]))
        ).status_code == 403
        wrong = await client.put("/v1/development/clock", json={"offset_seconds": 10**10}, headers=chain.headers(roles=["ops"]))
        assert wrong.json()["errors"][0]["pointer"] == "/offset_seconds"


async def test_clock_of_production(door: Door) -> None:
    """Outside development there is no such address."""
    answer = await door.client.put("/v1/development/clock", json={"offset_seconds": 1}, headers=door.headers())
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-route")
