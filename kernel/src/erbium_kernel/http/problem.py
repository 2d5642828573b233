"""RFC 9457 problem documents: every kind of problem in one table, every error mapped to its kind once.

Why the type is a path: it is stable, needs nobody's domain, and every service answers it with the page that explains it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from starlette.responses import Response

from erbium_kernel.errors import KeyReused, NotFound, Rejected, Stale, StreamFull, VersionConflict
from erbium_kernel.http.away import is_away

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 1
ERRORS_SHOWN_MAX = 20


class Kind(NamedTuple):
    """One kind of problem: its machine word, its status, its title, and what the caller does about it."""

    code: str
    status: int
    title: str
    do: str


KINDS = {
    kind.code: kind
    for kind in (
        Kind(
            "key-missing",
            400,
            "Idempotency-Key is missing",
            "Send a new Idempotency-Key with each new command, the same one with a repetition.",
        ),
        Kind("key-malformed", 400, "Idempotency-Key is malformed", "Send 1 to 255 printable ASCII characters, for example a UUID."),
        Kind("header-malformed", 400, "A header is malformed", "Correct the header that `detail` names."),
        Kind(
            "cursor-malformed",
            400,
            "The cursor does not belong to this list",
            "Start again without `cursor`, or keep the filters of the first page.",
        ),
        Kind("token-missing", 401, "No access token", "Send `Authorization: Bearer <token>` with a token of your identity provider."),
        Kind("token-invalid", 401, "The access token is not accepted", "Fetch a new token for this audience and send the request again."),
        Kind("token-expired", 401, "The access token has expired", "Fetch a new token and send the request again."),
        Kind("scope-missing", 403, "The token lacks a scope", "Use a token whose roles have the scope that `detail` names."),
        Kind("clinic-not-yours", 403, "The token does not cover this clinic", "Use a token whose `clinics` name this clinic."),
        Kind("not-found", 404, "There is no such thing", NotFound.do),
        Kind("no-such-route", 404, "There is no such address", "Compare the path with /openapi.json."),
        Kind("method-not-allowed", 405, "This address does not know the method", "Use one of the methods in the header `Allow`."),
        Kind(
            "body-too-slow", 408, "The body did not arrive in time", "Send the request again over a better connection, or a smaller body."
        ),
        Kind(
            "version-conflict", 409, "Somebody else changed this a moment ago", "Send the same request again with the same Idempotency-Key."
        ),
        Kind("stream-full", 409, "This record has reached its bounded length", "Tell operations: it is continued under a new id."),
        Kind("version-stale", 412, "If-Match names an old version", "Read it again, decide anew, and send the ETag you then see."),
        Kind("body-too-large", 413, "The body is too large", "Send less at once; `detail` names the limit."),
        Kind(
            "content-type-wrong",
            415,
            "The content type is not accepted",
            "Send the content type that `detail` names, uncompressed unless the route says otherwise.",
        ),
        Kind(
            "json-malformed", 422, "The body is not JSON", "Send one JSON object in UTF-8; `detail` names the place where reading stopped."
        ),
        Kind(
            "request-invalid",
            422,
            "The request does not fit its schema",
            "Correct each place in `errors`, and send it again under the same or a new key.",
        ),
        Kind(
            "key-reused",
            422,
            "This Idempotency-Key was used with another body",
            "Send the first body again, or choose a new key for the new one.",
        ),
        Kind("if-match-missing", 428, "If-Match is missing", "Read the thing first, and send its ETag as If-Match."),
        Kind("too-many-requests", 429, "Too many requests", "Wait as long as Retry-After says."),
        Kind("internal-error", 500, "We made a mistake", "Send the same request again with the same key; if it stays, report `instance`."),
        Kind("unavailable", 503, "A part we depend on is away", "Send the same request again with the same key after Retry-After."),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, where, and what to do. Nothing in it repeats what the caller sent."""

    code: str
    status: int
    title: str
    detail: str
    do: str
    errors: Sequence[Mapping[str, str]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, instance: str, trace_id: str) -> dict[str, Any]:
        """The members of the JSON document, in reading order."""
        members: dict[str, Any] = {
            "type": f"/problems/{self.code}", "title": self.title, "status": self.status, "detail": self.detail,
            "instance": instance, "code": self.code, "do": self.do, "trace_id": trace_id,
        }  # fmt: skip
        if self.errors:
            members["errors"] = list(self.errors[:ERRORS_SHOWN_MAX])
        if self.facts:
            members["facts"] = dict(self.facts)
        return members

    def response(self, instance: str, trace_id: str) -> Response:
        """The answer that carries it."""
        body = orjson.dumps(self.document(instance, trace_id), default=str)
        return Response(body, self.status, dict(self.headers), media_type=PROBLEM_JSON)


class Faulty(Exception):
    """A request that the edge itself turns away."""

    def __init__(
        self, code: str, detail: str, *, errors: Sequence[Mapping[str, str]] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        """`code` names a row of KINDS; `detail` never repeats what was sent."""
        self.problem = problem(code, detail, errors=errors, headers=headers)
        super().__init__(code)


def problem(
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    facts: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Problem:
    """A problem of a kind in the table."""
    kind = KINDS[code]
    return Problem(
        code=code, status=kind.status, title=kind.title, detail=detail, do=kind.do, errors=errors, facts=facts or {}, headers=headers or {}
    )


def problem_of(error: BaseException) -> Problem:
    """The one mapping from errors to answers. What is not named here is our own bug: 500, and not a word of its text."""
    match error:
        case Faulty():
            return error.problem
        case Rejected():
            return _refusal(error)
        case Stale():
            return problem("version-stale", f"The current version is {error.current}.", facts={"current_version": error.current})
        case StreamFull():
            return problem("stream-full", "It holds as many events as a record may.")
        case VersionConflict():
            return problem("version-conflict", "Three attempts lost the race for this record.", headers=_retry())
        case KeyReused():
            return problem("key-reused", "The earlier request under this key had another path or another body.")
        case _ if is_away(error):
            return problem("unavailable", "The database or the broker did not answer in time; nothing was lost.", headers=_retry())
        case _:
            return problem("internal-error", "The request was fine; its handling was not. We have been told.")


def _refusal(refusal: Rejected) -> Problem:
    title = " ".join((type(refusal).__doc__ or "A rule said no.").split())
    missing = isinstance(refusal, NotFound) or refusal.slug == NotFound.slug
    return Problem(
        code=refusal.slug,
        status=404 if missing else 409,
        title=title,
        detail=refusal.detail,
        do=refusal.do,
        facts=refusal.facts,
        headers={"Idempotent-Replayed": "true"} if refusal.replayed else {},
    )


def _retry() -> dict[str, str]:
    return {"Retry-After": str(RETRY_AFTER_SECONDS)}


__all__ = ["KINDS", "PROBLEM_JSON", "Faulty", "Kind", "Problem", "problem", "problem_of"]
