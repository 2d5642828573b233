"""All that can be wrong with a request, sent to one operation; each is answered by a problem: what, where, and what to do."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx

from erbium_kernel.http.problem import KINDS
from erbium_kernel.identity.rights import RIGHTS
from tests.kernel.http.api_document import Operation

if TYPE_CHECKING:
    from tests.kernel.http.every_endpoint import Caller

MARK = "Zq9Xw7MarkedName"  # what is sent in wrong places and must never come back
OTHER_CHAIN = UUID("0197ffff-0000-7000-8000-0000000000ff")
BIG = 300 * 1024
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "do", "trace_id"}


async def check_wrong_requests(caller: "Caller", operation: Operation) -> None:
    """Runs the whole list over one operation."""
    await _wrong_method(caller, operation)
    await _wrong_parameters(caller, operation)
    if operation.public:
        return
    await _wrong_tokens(caller, operation)
    await _wrong_headers(caller, operation)
    if operation.body_type == "application/json":
        await _wrong_json(caller, operation)
        await _wrong_fields(caller, operation)
        await _name_twice(caller, operation)
    await _other_chain(caller, operation)


def refused(operation: Operation, answer: httpx.Response, code: str, where: str = "") -> dict[str, Any]:
    """Checks that `answer` is a whole problem document of this kind."""
    place = f"{operation.id} ({where or code})"
    assert answer.status_code == KINDS[code].status, f"{place}: answered {answer.status_code} {answer.text[:300]}"
    document: dict[str, Any] = problem(operation, answer, place)
    assert document["code"] == code, f"{place}: {document}"
    return document


def problem(operation: Operation, answer: httpx.Response, place: str) -> dict[str, Any]:
    """Checks the form of a problem document, whatever its kind."""
    assert answer.headers["content-type"] == "application/problem+json", f"{place}: {answer.headers['content-type']}"
    document: dict[str, Any] = answer.json()
    assert document.keys() >= MEMBERS, f"{place}: {MEMBERS - document.keys()} missing"
    assert document["status"] == answer.status_code, place
    assert document["title"] != document["detail"].rstrip("."), f"{place}: the title is what it is called, the detail what it is this time"
    assert document["type"] == f"/problems/{document['code']}", place
    assert document["instance"] == f"urn:uuid:{answer.headers['x-request-id']}", place
    assert answer.headers["cache-control"] == "no-store", place
    assert MARK not in answer.text + str(answer.headers), f"{place}: the answer repeats what was sent"
    documented = operation.found["responses"].keys()
    assert str(answer.status_code) in documented, f"{place}: {answer.status_code} is not documented, only {sorted(documented)}"
    return document


async def _wrong_method(caller: "Caller", operation: Operation) -> None:
    known = {method.upper() for method in operation.document["paths"][operation.path]}
    method = next(method for method in ("PATCH", "DELETE", "PUT", "GET", "POST") if method not in known)
    answer = await caller.client.request(method, operation.address(caller.values))
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed"), operation.id


async def _wrong_parameters(caller: "Caller", operation: Operation) -> None:
    document = refused(operation, await caller.send(operation, query={"no_such_parameter": MARK}), "request-invalid", "unknown parameter")
    assert document["errors"] == [{"in": "query", "parameter": "no_such_parameter", "reason": "is not a parameter of this address"}]
    for each in operation.parameters:
        kind = each["schema"].get("format") or each["schema"].get("type")
        if each["in"] == "path" and kind in ("uuid", "integer", "date"):
            answer = await caller.send(operation, values={each["name"]: MARK}, headers={"If-Match": '"1"'} if operation.changes else None)
            found = refused(operation, answer, "request-invalid", f"malformed {each['name']}")
            assert found["errors"][0]["parameter"] == each["name"], operation.id
    for each in operation.parameters:
        if each["in"] == "query" and each["schema"].get("type") != "array" and each["schema"].get("anyOf", [{}])[0].get("type") != "array":
            answer = await caller.send(operation, query={each["name"]: ["1", "1"]})
            found = refused(operation, answer, "request-invalid", f"{each['name']} twice")
            assert {"in": "query", "parameter": each["name"], "reason": "is given more than once"} in found["errors"], operation.id
    if any(each["name"] == "limit" for each in operation.parameters):
        for limit in ("0", "201", MARK):
            refused(operation, await caller.send(operation, query={"limit": limit}), "request-invalid", "limit")
        refused(operation, await caller.send(operation, query={"cursor": MARK}), "cursor-malformed")


async def _wrong_tokens(caller: "Caller", operation: Operation) -> None:
    none = await caller.send(operation, headers={"Authorization": None, "If-Match": '"1"'})
    refused(operation, none, "token-missing")
    assert none.headers["www-authenticate"].startswith("Bearer"), operation.id
    refused(operation, await caller.send(operation, token=MARK, headers={"If-Match": '"1"'}), "token-invalid")
    scopes = {scope for way in operation.found["security"] for scope in way.get("oauth2", [])}
    roles = [role for role, granted in RIGHTS.items() if not scopes & granted]
    without = await caller.send(operation, token=caller.bearers.token(caller.chain, roles=roles), headers={"If-Match": '"1"'})
    refused(operation, without, "scope-missing")
    assert all(scope in without.json()["detail"] for scope in scopes), f"{operation.id}: 403 does not name {scopes}"


async def _wrong_headers(caller: "Caller", operation: Operation) -> None:
    if operation.keyed:
        refused(operation, await caller.send(operation, headers={"Idempotency-Key": None}), "key-missing")
        for key in ("", "k" * 256, '""'):
            refused(operation, await caller.send(operation, headers={"Idempotency-Key": key}), "key-malformed", repr(key[:9]))
    if operation.changes:
        refused(operation, await caller.send(operation, headers={"If-Match": MARK}), "header-malformed")
        for if_match, code in ((None, "if-match-missing"), ('"999999999"', "version-stale")):
            refused(operation, await caller.send(operation, headers={"If-Match": if_match}), code)  # 404: set up a record with `before`
    if operation.method == "GET":
        refused(operation, await caller.send(operation, headers={"Erbium-After": MARK}), "header-malformed")


async def _wrong_json(caller: "Caller", operation: Operation) -> None:
    unversioned = {"If-Match": '"1"'} if operation.changes else {}
    for raw in (b"{", b"", b'{"a":NaN}', b"\xff", b'{"a":"\xed\xa0\x80"}'):
        refused(operation, await caller.send(operation, raw=raw, headers=unversioned), "json-malformed", repr(raw))
    for body in ([], "x", 1, None):
        raw = b"null" if body is None else None
        found = refused(operation, await caller.send(operation, body=body, raw=raw, headers=unversioned), "request-invalid", repr(body))
        assert found["errors"][0]["pointer"] == "", operation.id
    for kind in (None, "text/plain", "application/json; charset=latin-1"):
        refused(operation, await caller.send(operation, headers={**unversioned, "Content-Type": kind}), "content-type-wrong", str(kind))
    refused(operation, await caller.send(operation, headers={**unversioned, "Content-Encoding": "gzip"}), "content-type-wrong", "gzip")
    refused(operation, await caller.send(operation, raw=b" " * BIG, headers=unversioned), "body-too-large")


async def _name_twice(caller: "Caller", operation: Operation) -> None:
    name, value = next(iter(operation.example.items()))
    raw = f"{json.dumps(operation.example)[:-1]}, {json.dumps(name)}: {json.dumps(value)}}}".encode()
    unversioned = {"If-Match": '"1"'} if operation.changes else {}
    found = refused(operation, await caller.send(operation, raw=raw, headers=unversioned), "request-invalid", f"{name} twice")
    assert [place["pointer"] for place in found["errors"]] == [f"/{name}"], operation.id


async def _wrong_fields(caller: "Caller", operation: Operation) -> None:
    unversioned = {"If-Match": '"1"'} if operation.changes else {}
    example = operation.example
    await _wrong_at(caller, operation, unversioned, {**example, "no_such_field": MARK}, "/no_such_field")
    for name in operation.body_schema.get("required", []):
        await _wrong_at(caller, operation, unversioned, {other: value for other, value in example.items() if other != name}, f"/{name}")
    for name, value in example.items():
        await _wrong_at(
            caller, operation, unversioned, {**example, name: 7 if isinstance(value, dict | list) else {MARK: MARK}}, f"/{name}"
        )
        if isinstance(value, str):
            await _wrong_at(caller, operation, unversioned, {**example, name: f"{value[:3]}\0{MARK}"}, f"/{name}")


async def _wrong_at(caller: "Caller", operation: Operation, headers: Mapping[str, str], body: Any, pointer: str) -> None:
    found = refused(operation, await caller.send(operation, body=body, headers=headers), "request-invalid", pointer)
    pointers = [each["pointer"] for each in found["errors"]]
    assert any(each == pointer or each.startswith(f"{pointer}/") or pointer.startswith(f"{each}/") for each in pointers), (
        f"{operation.id}: {pointer} is wrong, the problem names {pointers}"
    )


async def _other_chain(caller: "Caller", operation: Operation) -> None:
    """Why only these: a command that makes something new makes it in the other chain, and a list is empty there."""
    if not operation.path_names or not (operation.method == "GET" or operation.changes):
        return
    answer = await caller.send(
        operation, token=caller.bearers.token(OTHER_CHAIN), headers={"If-Match": '"1"'} if operation.changes else None
    )
    listed = answer.status_code == 200 and answer.json().get("items") == []
    if not listed:
        assert answer.status_code == 404, f"{operation.id}: another chain's id is answered with {answer.status_code} {answer.text[:300]}"
        problem(operation, answer, f"{operation.id} (other chain)")
