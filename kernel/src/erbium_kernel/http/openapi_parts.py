"""The parts of the OpenAPI document that are the same in every service: headers, parameters, the problem, its examples."""

from typing import Any

from erbium_kernel.http.problem import RETRY_AFTER_SECONDS
from erbium_kernel.http.request_headers import KEY_CHARACTERS_MAX
from erbium_kernel.http.routes import AFTER_SECONDS_MAX

EXAMPLE_INSTANCE = "urn:uuid:01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b11"
EXAMPLE_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

STATUS_TITLES = {
    400: "A header or the cursor is missing or malformed",
    401: "No token, or one that is not accepted",
    403: "The token lacks the scope or does not cover the clinic",
    404: "There is no such thing in this chain",
    408: "The body did not arrive in time",
    409: "A rule said no, or the race for this record was lost",
    412: "If-Match names an old version",
    413: "The body is too large",
    415: "The content type is not accepted",
    422: "The request does not fit its schema, names something that there is not, or its key was used for another request",
    428: "If-Match is missing",
    429: "Too many requests",
    500: "An error in Erbium itself",
    503: "Not available at the moment; come back after Retry-After",
}

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. Branch on `code`; show `title`, `detail` and `do` to people; report `instance`.",
    "required": ["type", "title", "status", "detail", "instance", "code", "do", "trace_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "The page that explains this kind of problem."},
        "title": {"type": "string", "description": "What this kind of problem is called, the same at every occurrence."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What is wrong this time."},
        "instance": {"type": "string", "format": "uri", "description": "This request's id, as in X-Request-Id."},
        "code": {"type": "string", "description": "The word for machines; it never changes."},
        "do": {"type": "string", "description": "What to do about it."},
        "trace_id": {"type": "string", "description": "The trace that the request belongs to."},
        "errors": {
            "type": "array",
            "description": "Each place that is wrong, and why.",
            "items": {"$ref": "#/components/schemas/ProblemPlace"},
        },
        "facts": {"type": "object", "description": "Ids, dates and numbers that the refusal rests on."},
    },
}

PLACE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "ProblemPlace",
    "description": "One place that is wrong: in the body, or a parameter.",
    "required": ["reason"],
    "properties": {
        "pointer": {"type": "string", "description": "JSON Pointer (RFC 6901) into the body; empty: the whole body."},
        "in": {"type": "string", "enum": ["path", "query"], "description": "Where the parameter stands."},
        "parameter": {"type": "string", "description": "The name of the parameter in the path or the query."},
        "reason": {"type": "string", "description": "What is wrong there; the value itself is never repeated."},
    },
}

EXAMPLE_DETAILS = {
    "not-found": "There is no such thing in this chain.",
    "reference-not-found": "There is no such clinic in this chain.",
    "request-invalid": "The body does not fit its schema in one place.",
    "version-stale": "The current version is 17.",
    "json-malformed": "Reading stopped at line 1, column 12.",
    "key-missing": "This command needs the header Idempotency-Key.",
}
KEY_SCOPE = (
    "New for each new command, the same for a repetition. The repetition is answered as the first time, a rule's refusal too, and changes "
    "nothing. A key belongs to one chain, one client (the token's `client_id`, else `azp`, else `sub`) and one operation (method and path "
    "template); elsewhere the same text is another key. Under another path or body it is refused (422 `key-reused`). Keys are kept for "
    "ever. A request that was turned away before a rule was asked (its token, headers or body did not fit, or 412) leaves its key unused; "
    "after a 5xx, or no answer at all, the same request under the same key tells what became of it. Bare or quoted."
)

PARAMETERS: dict[str, dict[str, Any]] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key", "in": "header", "required": True,
        "description": KEY_SCOPE,
        "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARACTERS_MAX},
        "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    },
    "IfMatch": {
        "name": "If-Match", "in": "header", "required": True,
        "description": "The ETag last seen, in the answer to a command or a read. 428 without it, 412 if the record has changed since.",
        "schema": {"type": "string", "pattern": '^"[0-9]{1,9}"$'}, "example": '"17"',
    },
    "IfNoneMatch": {
        "name": "If-None-Match", "in": "header", "required": False,
        "description": "The ETag last seen; 304 if nothing has changed.", "schema": {"type": "string"}, "example": '"17"',
    },
    "ErbiumAfter": {
        "name": "Erbium-After", "in": "header", "required": False,
        "description": "An Erbium-Event (of the same service) or an Erbium-Message (of another): the answer waits up to "
        f"{AFTER_SECONDS_MAX:g} s until its effect can be read.",
        "schema": {"type": "string", "format": "uuid"}, "example": "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b11",
    },
}  # fmt: skip


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


HEADERS = {
    "ETag": _header("The record's version, for If-Match of the next change and If-None-Match of the next read.", '"17"'),
    "Location": _header("Where to read it.", "/v1/patients/01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b11"),
    "ErbiumEvent": _header("The last event this command wrote: for Erbium-After in this service.", "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9b11"),
    "ErbiumMessage": _header("The last message others will hear: for Erbium-After there.", "5d7e2a3c-6d2e-5a53-8d59-0e4b0d3d1c11"),
    "IdempotentReplayed": _header("`true`: this answers a repetition, nothing was changed.", "true"),
    "ErbiumAfter": _header("`pending`: what Erbium-After named has not arrived yet; what you read may be older.", "pending"),
    "ErbiumAsRecorded": _header("The instant that is looked back to: such an answer has no ETag.", "2026-05-01T09:30:00Z"),
    "Link": _header("The next page (RFC 8288).", '</v1/patients?cursor=WyJh>; rel="next"'),
    "RetryAfter": _header("Seconds to wait.", str(RETRY_AFTER_SECONDS)),
    "WWWAuthenticate": _header("What is wrong with the token (RFC 6750).", 'Bearer realm="erbium", error="invalid_token"'),
    "XRequestId": _header("The request's id, as in `instance`.", EXAMPLE_INSTANCE.removeprefix("urn:uuid:")),
}
SPELLED = {
    "ErbiumEvent": "Erbium-Event", "ErbiumMessage": "Erbium-Message", "IdempotentReplayed": "Idempotent-Replayed",
    "ErbiumAsRecorded": "Erbium-As-Recorded",
    "ErbiumAfter": "Erbium-After", "RetryAfter": "Retry-After", "WWWAuthenticate": "WWW-Authenticate", "XRequestId": "X-Request-Id",
}  # fmt: skip
