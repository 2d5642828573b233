"""The OpenAPI 3.1 document: FastAPI's parameters, our bodies, answers, problems, headers, scopes and examples."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from erbium_kernel.errors import ReferenceNotFound, Rejected
from erbium_kernel.http.endpoint import Endpoint
from erbium_kernel.http.openapi_parts import (
    EXAMPLE_DETAILS,
    EXAMPLE_INSTANCE,
    EXAMPLE_TRACE,
    HEADERS,
    PARAMETERS,
    PLACE_SCHEMA,
    PROBLEM_SCHEMA,
    SPELLED,
    STATUS_TITLES,
)
from erbium_kernel.http.problem import KINDS, PROBLEM_JSON, problem, refused
from erbium_kernel.http.routes import COMMAND, QUERY, RAW, Operation
from erbium_kernel.http.validation import NO_SUCH_DAY
from erbium_kernel.identity.rights import SCOPES

PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
EVERYWHERE = (429, 500, 503)
WITH_TOKEN = (401, 403)
SERVERS = [{"url": "/", "description": "Where this document was fetched from."}]
DESCRIPTION = (
    "Every problem is an RFC 9457 document that says what is wrong, where, and what to do; every command takes an Idempotency-Key and "
    "answers the version that a following change names in If-Match; instants are UTC, dates are local to the clinic; "
    "a field's unit stands at the end of its name."
)


def openapi_document(app: FastAPI, service: str, operations: Sequence[Operation], token_url: str) -> dict[str, Any]:
    """The document of one service; the same for the same declarations, wherever it runs."""
    document = get_openapi(
        title=app.title, version=app.version, openapi_version="3.1.0", routes=app.routes,
        summary=f"What the service {service} of Erbium answers",
        description=DESCRIPTION, servers=SERVERS,
        tags=[{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
    )  # fmt: skip
    schemas, of = _schemas(operations)
    for operation in operations:
        found = document["paths"]["/v1" + operation.path][operation.method.lower()]
        _complete(found, operation, of)
    document["components"] = {
        "schemas": {**schemas, "Problem": PROBLEM_SCHEMA, "ProblemPlace": PLACE_SCHEMA},
        "parameters": PARAMETERS,
        "headers": HEADERS,
        "responses": {_name(status): _problem_response(status) for status in STATUS_TITLES},
        "securitySchemes": _security_schemes(operations, token_url),
    }
    return document


def _schemas(operations: Sequence[Operation]) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
    """(components, (operation name, body or view) -> its schema)."""
    inputs: list[tuple[tuple[str, str], Any, TypeAdapter[Any]]] = []
    for operation in operations:
        body = Endpoint(operation).body
        if body is not None:
            inputs.append(((operation.name, "body"), "validation", body))
        inputs.append(((operation.name, "view"), "serialization", TypeAdapter(operation.response)))
    found, definitions = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")
    return definitions.get("$defs", {}), {key: schema for (key, _), schema in found.items()}


def _complete(found: dict[str, Any], operation: Operation, of: dict[tuple[str, str], Any]) -> None:
    found["parameters"] = [*found.get("parameters", []), *({"$ref": f"#/components/parameters/{name}"} for name in _parameters(operation))]
    if (operation.name, "body") in of:
        found["requestBody"] = _request_body(of[operation.name, "body"], operation)
    elif operation.kind == RAW:
        found["requestBody"] = _request_body({"type": "string", "description": "NDJSON: one JSON value a line."}, operation)
    found["responses"] = {str(operation.status): _answer(of[operation.name, "view"], operation), **_problems(operation)}
    found["security"] = [{"oauth2": [operation.scope]}, {"bearer": [operation.scope]}] if operation.scope else []
    if not found["parameters"]:
        del found["parameters"]
    if not found.get("description"):
        found.pop("description", None)


def _parameters(operation: Operation) -> list[str]:
    if operation.kind == QUERY and operation.scope:
        return ["IfNoneMatch", "ErbiumAfter"]
    return ["IdempotencyKey"] * operation.keyed + ["IfMatch"] * operation.changes


def _request_body(schema: Any, operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    if operation.request_example is not None:
        content["example"] = operation.request_example
    return {"required": True, "content": {operation.content_type: content}}


def _answer(schema: Any, operation: Operation) -> dict[str, Any]:
    content: dict[str, dict[str, Any]] = {kind: {"schema": schema} for kind in operation.answers}
    if operation.response_example is not None:
        content[operation.answers[0]]["example"] = operation.response_example
    if operation.kind == COMMAND:
        names = [*(["ETag"] if operation.versioned else []), "Location", "ErbiumEvent", "ErbiumMessage", "IdempotentReplayed"]
    else:
        names = ["ETag", "ErbiumAfter", "Link"] if operation.kind == QUERY and operation.scope else []
        names += ["ErbiumAsRecorded"] if operation.as_recorded else []
    return {"description": operation.summary, "headers": _header_refs([*names, "XRequestId"]), "content": content}


def _header_refs(names: Iterable[str]) -> dict[str, Any]:
    return {SPELLED.get(name, name): {"$ref": f"#/components/headers/{name}"} for name in names}


def _problems(operation: Operation) -> dict[str, Any]:
    statuses = {404, 422, *EVERYWHERE}
    if operation.scope:
        statuses |= {400, *WITH_TOKEN}
    if operation.kind != QUERY:
        statuses |= {408, 413, 415}
    if operation.keyed:
        statuses |= {409}
    if operation.changes:
        statuses |= {412, 428}
    answers = {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(statuses)}
    if operation.kind == QUERY and operation.scope:
        answers["304"] = {"description": "Nothing has changed since the ETag in If-None-Match"}
    for status in {refusal.status for refusal in operation.refusals}:
        answers[str(status)] = _refusals(status, [refusal for refusal in operation.refusals if refusal.status == status])
    return dict(sorted(answers.items()))


def _refusals(status: int, refusals: Sequence[type[Rejected]]) -> dict[str, Any]:
    """The domain's own refusals of this operation, each with an example, beside what every operation may answer with this status."""
    own = [refused(refusal) for refusal in refusals]
    usual = _problem_response(status)
    codes = ", ".join(f"`{each.code}`" for each in own)
    usual["description"] = f"{STATUS_TITLES[status]}. Here: {codes}"
    usual["headers"] |= _header_refs(["IdempotentReplayed"])
    usual["content"][PROBLEM_JSON]["examples"] |= {each.code: {"value": each.document(EXAMPLE_INSTANCE, EXAMPLE_TRACE)} for each in own}
    return usual


def _name(status: int) -> str:
    return f"Problem{status}"


def _problem_response(status: int) -> dict[str, Any]:
    kinds = [kind for kind in KINDS.values() if kind.status == status]
    extra = {401: ["WWWAuthenticate"], 403: ["WWWAuthenticate"], 409: ["RetryAfter"], 429: ["RetryAfter"], 503: ["RetryAfter"]}
    examples = {kind.code: {"value": _example(kind.code)} for kind in kinds if not kind.code.startswith("no-")}
    return {
        "description": STATUS_TITLES[status],
        "headers": _header_refs([*extra.get(status, []), "XRequestId"]),
        "content": {PROBLEM_JSON: {"schema": PROBLEM_REF, "examples": examples}},
    }


def _example(code: str) -> dict[str, Any]:
    wrong = {
        "request-invalid": {"pointer": "/birth_date", "reason": NO_SUCH_DAY},
        ReferenceNotFound.slug: {"pointer": "/clinic_id", "reason": "names nothing that there is in this chain"},
    }
    detail = EXAMPLE_DETAILS.get(code, f"{KINDS[code].title}.")
    return problem(code, detail, errors=[wrong[code]] if code in wrong else []).document(EXAMPLE_INSTANCE, EXAMPLE_TRACE)


def _security_schemes(operations: Sequence[Operation], token_url: str) -> dict[str, Any]:
    used = sorted({operation.scope for operation in operations if operation.scope})
    scopes = {scope: SCOPES.get(scope, "") for scope in used}
    return {
        "oauth2": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": token_url, "scopes": scopes}}},
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token of your identity provider, pasted."},
    }
