"""What a service says about itself: OpenAPI, the page for people, the kinds of problems, /v1/meta, the clock of development."""

import dataclasses
import html
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator import validate as validate_openapi
from starlette.responses import Response

from erbium_kernel.clock import ShiftedClock
from erbium_kernel.errors import Rejected
from erbium_kernel.http import Call, Routes, View
from erbium_kernel.http.app import About, create_app
from erbium_kernel.http.field_tables import unit_of
from erbium_kernel.http.problem import KINDS
from erbium_kernel.identity.rights import SCOPES
from erbium_kernel.log.memory import MemoryStore
from tests.kernel.http.conftest import Door
from tests.kernel.http.ward_app import ODD_WARD, WARD
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import WardClock, ward


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
    """/docs lists every operation with a command to try, needs no script and nothing from elsewhere, and its links lead somewhere."""
    page = (await door.client.get("/docs")).text
    for operation in ("takeBed", "getBed", "sendBreaths"):
        assert f"id={operation}" in page
    assert "<script" not in page
    assert not re.findall(r"(?:src|href)=\"?https?:", page)
    named = re.findall(r"id='?([\w-]+)", page)
    assert len(named) == len(set(named)), "an id stands once"
    assert set(re.findall(r"href='?#([\w-]+)", page)) <= set(named)
    assert "href=#getBed>GET /v1/beds/{bed_id}</a>" in page, "operations of one record lead to each other"


async def test_commands_to_try(door: Door) -> None:
    """The commands name the address that the page is read from; what stands in a path is a variable; quotes in a body stay in it."""
    page = html.unescape((await door.client.get("/docs")).text)
    assert 'curl -X POST "http://ward.test/v1/beds/$BED_ID/leaving"' in page
    assert "PORT" not in page
    assert "-H 'If-Match: \"17\"'" in page
    other = (await door.client.get("/docs", headers={"Host": "erbium.example:8443"})).text
    assert "http://erbium.example:8443/v1/beds" in html.unescape(other)


@pytest.mark.parametrize("host", ['x"; rm -rf $HOME; "', "<script>", "a/b", "a b", ""])
async def test_a_host_that_is_none(door: Door, host: str) -> None:
    """What a caller sends as his own address is shown only if it is one: it would stand in a command that others paste."""
    page = html.unescape((await door.client.get("/docs", headers={"Host": host})).text)
    assert 'curl -X POST "/v1/beds" ' in page
    assert "rm -rf" not in page
    assert "<script" not in page


async def test_fields_for_people(door: Door) -> None:
    """Each body's fields stand in a table: type with limits, unit, whether it must be there, meaning; parts are links to their own."""
    page = (await door.client.get("/docs")).text
    assert "<td><code>patient_id</code><td>UUID<td><td>yes<td>" in page
    assert "<td><code>at</code><td>instant, <code>2026-05-01T09:30:00Z</code> or null<td><td>no<td>" in page
    assert "<td><code>pillows</code><td>list of <a href=#type-Pillow>Pillow</a>, at most 3<td><td>no<td>" in page
    assert "<td><code>height_cm</code><td>number (more than 0, at most 40)<td>cm<td>yes<td>" in page
    assert "which these roles have: integrator, front_desk, nurse, doctor, medical_director." in page


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("energy_mj_per_mtz_max", "mJ per microbeam"), ("density_mtz_per_cm2_max", "microbeams per cm²"), ("area_cm2", "cm²"),
        ("coverage_percent_max", "%"), ("answer_seconds_max", "s"), ("planned_mtz", "microbeams"), ("fever_celsius", "°C"),
        ("version", ""), ("items", ""), ("j", "J"), ("obj", ""),
    ],
)  # fmt: skip
def test_units(name: str, unit: str) -> None:
    """A field's unit is what its name ends in."""
    assert unit_of(name) == unit


def test_answers_of_other_types(door: Door) -> None:
    """An operation that answers in other types than JSON is documented with them, and with no other."""
    routes = Routes(tag="pictures")

    @routes.query("GET", "/beds/{bed_id}/picture", name="getPicture", scope="screening:read", response=str,
                  answers=("text/html", "image/svg+xml"), response_example="<!doctype html>")  # fmt: skip
    async def picture(call: Call, bed_id: UUID) -> Response:
        """Show a bed."""
        return Response("<!doctype html>", media_type="text/html")

    app = create_app(dataclasses.replace(WARD, routes=(*WARD.routes, routes)), door.runtime, None, door.bearers.verifier)
    content = app.openapi()["paths"]["/v1/beds/{bed_id}/picture"]["get"]["responses"]["200"]["content"]
    assert content == {
        "text/html": {"schema": {"type": "string"}, "example": "<!doctype html>"}, "image/svg+xml": {"schema": {"type": "string"}},
    }  # fmt: skip


def test_a_command_of_another_record(door: Door) -> None:
    """Who writes another record than the one that is answered says so: no version, no ETag, and the document promises none."""
    found = create_app(ODD_WARD, door.runtime, None, door.bearers.verifier).openapi()["paths"]
    airing, taking = found["/v1/rooms/{room_id}/airing"]["post"], found["/v1/beds"]["post"]
    assert "ETag" not in airing["responses"]["200"]["headers"]
    assert "ETag" in taking["responses"]["201"]["headers"]
    schema = taking["responses"]["201"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/VersionedBedView"}


def test_scope_of_keys(door: Door) -> None:
    """The header's description says to whom a key belongs and how long it is kept; the tests of commands hold it to that."""
    told = document(door)["components"]["parameters"]["IdempotencyKey"]["description"]
    for word in ("one chain", "one client", "`client_id`", "one operation", "kept for ever", "`key-reused`"):
        assert word in told


def test_served_from_where_it_is(door: Door) -> None:
    """The document's server is where the document was fetched from."""
    assert document(door)["servers"][0]["url"] == "/"


async def test_kinds_of_problems(door: Door) -> None:
    """The `type` of every problem is an address that explains it, for the kernel's kinds and for each rule's refusal."""
    slugs = {kind.slug for kind in Rejected.family() if kind.slug.startswith("ward.")}
    for code in (*KINDS, *slugs):
        answer = await door.client.get(f"/problems/{code}")
        assert answer.status_code == 200, code
        assert code in answer.text
    assert (await door.client.get("/problems/nonsense")).status_code == 404


async def test_meta(door: Door) -> None:
    """/v1/meta tells anybody which build answers, the versions of its events and its limits."""
    app = create_app(WARD, door.runtime, None, door.bearers.verifier, about=About(build="1.2.3"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ward.test") as client:
        found = (await client.get("/v1/meta")).json()
    assert (found["service"], found["build"]) == ("ward", "1.2.3")
    assert found["event_versions"] == {"bed-taken": 1, "bed-left": 1, "bed-carried-forward": 1}
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
