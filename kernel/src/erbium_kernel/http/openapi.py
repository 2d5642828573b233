"""The OpenAPI 3.1 document: FastAPI's parameters, our bodies, answers, problems, headers, scopes and examples."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from erbium_kernel.http.endpoint import Endpoint
from erbium_kernel.http.problem import KINDS, PROBLEM_JSON, RETRY_AFTER_SECONDS, Problem, problem
from erbium_kernel.http.request_headers import KEY_CHARACTERS_MAX
from erbium_kernel.http.routes import COMMAND, JSON, QUERY, RAW, Operation
from erbium_kernel.identity.rights import SCOPES

PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
EVERYWHERE = (429, 503)
WITH_TOKEN = (401, 403)
EXAMPLE_INSTANCE = "urn:uuid:01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b11"
EXAMPLE_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

STATUS_TITLES = {
    400: "A header or the cursor is missing or malformed",
    401: "No token, or one that is not accepted",
    403: "The token lacks the scope or does not cover the clinic",
    404: "No such thing in this chain",
    408: "The body did not arrive in time",
    409: "A rule said no, or the race for this record was lost",
    412: "If-Match names an old version",
    413: "The body is too large",
    415: "The content type is not accepted",
    422: "The request does not fit its schema, or the key was used with another body",
    428: "If-Match is missing",
    429: "Too many requests",
    503: "A part we depend on is away",
}

PROBLEM_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `code` is the word for machines, `do` says what to do, `instance` is the request's id for a report.",
    "required": ["type", "title", "status", "detail", "instance", "code", "do", "trace_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "The page that explains this kind of problem."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri"},
        "code": {"type": "string"},
        "do": {"type": "string"},
        "trace_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["reason"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON Pointer (RFC 6901) into the body."},
                    "in": {"type": "string", "enum": ["path", "query"]},
                    "parameter": {"type": "string"},
                    "reason": {"type": "string"},
                },
            },
        },
        "facts": {"type": "object", "description": "Ids, dates and numbers that the refusal rests on."},
    },
}

PARAMETERS = {
    "IdempotencyKey": {
        "name": "Idempotency-Key", "in": "header", "required": True,
        "description": "New for each new command, the same for a repetition: it is answered again and changes nothing. Bare or quoted.",
        "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARACTERS_MAX},
        "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    },
    "IfMatch": {
        "name": "If-Match", "in": "header", "required": True,
        "description": "The ETag last seen; 428 without it, 412 if the record has changed since.",
        "schema": {"type": "string", "pattern": '^"[0-9]{1,9}"$'}, "example": '"17"',
    },
    "IfNoneMatch": {
        "name": "If-None-Match", "in": "header", "required": False,
        "description": "The ETag last seen; 304 if nothing has changed.", "schema": {"type": "string"}, "example": '"17"',
    },
    "ErbiumAfter": {
        "name": "Erbium-After", "in": "header", "required": False,
        "description": "An Erbium-Event (same service) or Erbium-Message (another one): waits up to 2 s until its effect can be read.",
        "schema": {"type": "string", "format": "uuid"}, "example": "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b11",
    },
}  # fmt: skip


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


HEADERS = {
    "ETag": _header("The record's version.", '"17"'),
    "Location": _header("Where to read it.", "/v1/patients/01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b11"),
    "ErbiumEvent": _header("The last event this command wrote: for Erbium-After in this service.", "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b11"),
    "ErbiumMessage": _header("The last message others will hear: for Erbium-After there.", "5d7e2a3c-6d2e-5a53-8d59-0e4b0d3d1c11"),
    "IdempotentReplayed": _header("`true`: this answers a repetition, nothing was changed.", "true"),
    "ErbiumAfter": _header("`pending`: what Erbium-After named has not arrived yet; what you read may be older.", "pending"),
    "Link": _header("The next page (RFC 8288).", '</v1/patients?cursor=WyJh>; rel="next"'),
    "RetryAfter": _header("Seconds to wait.", str(RETRY_AFTER_SECONDS)),
    "WWWAuthenticate": _header("What is wrong with the token (RFC 6750).", 'Bearer realm="erbium", error="invalid_token"'),
    "XRequestId": _header("The request's id, as in `instance`.", EXAMPLE_INSTANCE.removeprefix("urn:uuid:")),
}
_SPELLED = {
    "ErbiumEvent": "Erbium-Event", "ErbiumMessage": "Erbium-Message", "IdempotentReplayed": "Idempotent-Replayed",
    "ErbiumAfter": "Erbium-After", "RetryAfter": "Retry-After", "WWWAuthenticate": "WWW-Authenticate", "XRequestId": "X-Request-Id",
}  # fmt: skip


def openapi_document(app: FastAPI, service: str, operations: Sequence[Operation], token_url: str) -> dict[str, Any]:
    """The document of one service; the same for the same declarations, wherever it runs."""
    document = get_openapi(
        title=app.title, version=app.version, openapi_version="3.1.0", routes=app.routes,
        summary=f"What the service {service} of Erbium answers",
        description="Every problem is an RFC 9457 document; every command takes an Idempotency-Key; "
        "times are UTC, dates local to the clinic.",
        tags=[{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
    )  # fmt: skip
    schemas, of = _schemas(operations)
    for operation in operations:
        found = document["paths"]["/v1" + operation.path][operation.method.lower()]
        _complete(found, operation, of)
    document["components"] = {
        "schemas": {**schemas, "Problem": PROBLEM_SCHEMA},
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
        found["requestBody"] = _request_body({"type": "string", "description": "One JSON object a line."}, operation)
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
    content: dict[str, Any] = {"schema": schema}
    if operation.response_example is not None:
        content["example"] = operation.response_example
    if operation.kind == COMMAND:
        names = ["ETag", "Location", "ErbiumEvent", "ErbiumMessage", "IdempotentReplayed"]
    else:
        names = ["ETag", "ErbiumAfter", "Link"] if operation.kind == QUERY and operation.scope else []
    return {"description": operation.summary, "headers": _header_refs([*names, "XRequestId"]), "content": {JSON: content}}


def _header_refs(names: Iterable[str]) -> dict[str, Any]:
    return {_SPELLED.get(name, name): {"$ref": f"#/components/headers/{name}"} for name in names}


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
    if operation.refusals:
        answers["409"] = _refusals(operation)
    return dict(sorted(answers.items()))


def _refusals(operation: Operation) -> dict[str, Any]:
    """The domain's own refusals of this operation, each with an example, beside the lost race."""
    refused = [
        Problem(code=kind.slug, status=409, title=_sentence(kind.__doc__), detail=_sentence(kind.__doc__), do=kind.do)
        for kind in operation.refusals
    ]
    codes = ", ".join(f"`{each.code}`" for each in refused)
    return {
        "description": f"A rule said no ({codes}), or the race for this record was lost (`version-conflict`)",
        "headers": _header_refs(["IdempotentReplayed", "XRequestId"]),
        "content": {
            PROBLEM_JSON: {
                "schema": PROBLEM_REF,
                "examples": {each.code: {"value": each.document(EXAMPLE_INSTANCE, EXAMPLE_TRACE)} for each in refused},
            }
        },
    }


def _sentence(doc: str | None) -> str:
    return " ".join((doc or "A rule said no.").split())


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
    errors = [{"pointer": "/birth_date", "reason": "must be a date like 2026-05-01"}] if code == "request-invalid" else []
    return problem(code, KINDS[code].title + ".", errors=errors).document(EXAMPLE_INSTANCE, EXAMPLE_TRACE)


def _security_schemes(operations: Sequence[Operation], token_url: str) -> dict[str, Any]:
    used = sorted({operation.scope for operation in operations if operation.scope})
    scopes = {scope: SCOPES.get(scope, "") for scope in used}
    return {
        "oauth2": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": token_url, "scopes": scopes}}},
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token of your identity provider, pasted."},
    }
