"""Runs the same promises over every operation of a service's OpenAPI document. In a service's tests:

    from tests.kernel.http.every_endpoint import every_endpoint
    from tests.kernel.identity.bearers import Bearers

    async def test_every_endpoint(runtime, engine, clock) -> None:
        bearers = Bearers(clock)
        app = create_app(SERVICE, runtime, engine, bearers.verifier)
        await every_endpoint(app, bearers, chain=CHAIN, values={"patient_id": PATIENT_ID}, expected={"getPatient": 404})

It posts each documented example in the order of the document (so an example may build on the ones before), checks the answer against the
documented schema, repeats it, and then sends everything that is wrong. `values`: what stands in paths and required query parameters.
`expected`: operationId -> status, where the example is not answered with the documented success (a rule refuses it, a projection has
not run). `before`: operationId -> what to await first (run a projection, say); values that it returns stand in paths from then on.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI

from tests.kernel.http.api_document import Operation, conforms, operations_of
from tests.kernel.http.wrong_requests import check_wrong_requests
from tests.kernel.identity.bearers import Bearers

Before = Callable[[], Awaitable[Mapping[str, Any] | None]]


async def every_endpoint(
    app: FastAPI,
    bearers: Bearers,
    *,
    chain: UUID,
    values: Mapping[str, Any] | None = None,
    expected: Mapping[str, int] | None = None,
    before: Mapping[str, Before] | None = None,
) -> None:
    """Fails with the operation's id and what was promised."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service.test") as client:
        caller = Caller(client, bearers, chain, dict(values or {}))
        for operation in operations_of(app.openapi()):
            if operation.id in (before or {}):
                caller.move(await (before or {})[operation.id]())
            await _examples(caller, operation, (expected or {}).get(operation.id, operation.success))
            await check_wrong_requests(caller, operation)


@dataclass
class Caller:
    """Sends an operation's documented request, with whatever is to be different about it."""

    client: httpx.AsyncClient
    bearers: Bearers
    chain: UUID
    values: dict[str, Any]
    earlier: dict[str, Any] = field(default_factory=dict)  # values that stood in paths before

    def move(self, values: Mapping[str, Any] | None) -> None:
        """From now on these stand in paths."""
        for name, value in (values or {}).items():
            self.earlier[name] = self.values.get(name, value)
            self.values[name] = value

    async def send(
        self,
        operation: Operation,
        *,
        token: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: Any = ...,
        raw: bytes | None = None,
        query: Mapping[str, str | list[str]] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """`headers` with None leave a header out; `body`/`raw` replace the example."""
        sent: dict[str, str | None] = {"Authorization": f"Bearer {token or self.bearers.token(self.chain)}"}
        if operation.keyed:
            sent["Idempotency-Key"] = str(uuid4())
        if operation.body_type:
            sent["Content-Type"] = operation.body_type
        if operation.changes and "If-Match" not in (headers or {}):
            sent["If-Match"] = await self.version(operation)
        sent.update(headers or {})
        content = raw if raw is not None else operation.content(operation.example if body is ... else body)
        places = {**self.values, **(values or {})}
        return await self.client.request(
            operation.method,
            operation.address(places),
            params={**operation.required_query(places), **(query or {})},
            content=content,
            headers={name: value for name, value in sent.items() if value is not None},
        )

    async def version(self, operation: Operation) -> str:
        """The record's ETag: an old one is refused with the current version."""
        answer = await self.send(operation, headers={"If-Match": '"999999999"'})
        current = answer.json().get("facts", {}).get("current_version", 1) if answer.status_code >= 400 else 1
        return f'"{current}"'


async def _examples(caller: Caller, operation: Operation, status: int) -> None:
    assert operation.example is not None or not operation.body_type, f"{operation.id}: no example of a request"
    assert operation.answer_example is not None, f"{operation.id}: no example of an answer"
    conforms(operation, operation.answer_example, "its documented example")
    key, if_match = {"Idempotency-Key": str(uuid4())}, {}
    if operation.changes:
        if_match = {"If-Match": await caller.version(operation)}
    headers = {**key, **if_match} if operation.keyed else {}
    answer = await caller.send(operation, headers=headers)
    assert answer.status_code == status, f"{operation.id}: the example is answered with {answer.status_code}: {answer.text}"
    assert "x-request-id" in answer.headers, operation.id
    if answer.status_code == operation.success:
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in operation.answer_types, f"{operation.id}: {kind} is not documented, only {operation.answer_types}"
        conforms(operation, answer.json() if kind == "application/json" else answer.text, "its answer")
        if operation.keyed:
            _names_its_version(operation, answer)
    if operation.keyed and status < 500:
        await _repeated(caller, operation, answer, headers)


def _names_its_version(operation: Operation, answer: httpx.Response) -> None:
    """A command says which version the next change has to name, once in its body and once as ETag; or it says nothing about that."""
    tag = answer.headers.get("etag")
    assert (tag is not None) == operation.versioned, f"{operation.id}: ETag {tag}, documented: {operation.versioned}"
    if tag is not None:
        assert answer.json()["version"] == int(tag.strip('"')), f"{operation.id}: version {answer.json()['version']}, ETag {tag}"


async def _repeated(caller: Caller, operation: Operation, first: httpx.Response, headers: Mapping[str, str]) -> None:
    """Why 404 and 422 are not marked: they are answered before anything is decided, and so are not remembered."""
    again = await caller.send(operation, headers=headers)
    assert again.status_code == first.status_code, f"{operation.id}: a repetition is answered with {again.status_code}: {again.text}"
    assert _same(again) == _same(first), f"{operation.id}: a repetition is answered otherwise"
    if first.status_code in (404, 422):
        return
    assert again.headers.get("idempotent-replayed") == "true", f"{operation.id}: a repetition is not marked"
    other = await caller.send(operation, headers=headers, values=_elsewhere(caller, operation)) if operation.path_names else None
    for changed in operation.other_bodies():
        if other is not None and other.json().get("code") == "key-reused":
            break
        other = await caller.send(operation, headers=headers, body=changed)
    if other is not None:
        assert other.json().get("code") == "key-reused", f"{operation.id}: the key with another body is answered {other.text}"


def _elsewhere(caller: Caller, operation: Operation) -> dict[str, Any]:
    return {name: caller.earlier.get(name) or uuid4() for name in operation.path_names}


def _same(answer: httpx.Response) -> tuple[Any, ...]:
    body = {name: value for name, value in answer.json().items() if name not in ("instance", "trace_id")}
    return body, *(answer.headers.get(name) for name in ("etag", "location", "erbium-event", "erbium-message"))
