"""RFC 9457 problem documents: every kind of problem in one table, every error mapped to its kind once.

Why the type is a path: it is stable, needs nobody's domain, and every service answers it with the page that explains it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from erbium_kernel.away import is_away
from erbium_kernel.errors import (
    KeyNotHere,
    KeyReused,
    LostLease,
    NotFound,
    ReferenceNotFound,
    Rejected,
    Stale,
    StreamFull,
    Unavailable,
    VersionConflict,
)

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 1
ERRORS_SHOWN_MAX = 20
AWAY = "The database, the broker or the identity provider did not answer in time. What was answered before is not lost."


class Kind(NamedTuple):
    """One kind of problem: its machine word, its status, its title, and what the caller does about it."""

    code: str
    status: int
    title: str
    do: str


_ROWS = (
    Kind("key-missing", 400, "Idempotency-Key is missing",
         "Send a new Idempotency-Key with each new command, the same one with a repetition."),
    Kind("key-malformed", 400, "Idempotency-Key is malformed", "Send one key of 1 to 255 printable ASCII characters, for example a UUID."),
    Kind("header-malformed", 400, "A header is malformed", "Correct the header that `detail` names."),
    Kind("cursor-malformed", 400, "The cursor does not belong to this list",
         "Start again without `cursor`, or keep the filters of the first page."),
    Kind("token-missing", 401, "No access token", "Send `Authorization: Bearer <token>` with a token of your identity provider."),
    Kind("token-invalid", 401, "The access token is not accepted", "Fetch a new token for this audience and send the request again."),
    Kind("token-expired", 401, "The access token has expired", "Fetch a new token and send the request again."),
    Kind("scope-missing", 403, "The token lacks a scope", "Use a token of somebody whose role has the scope that `detail` names."),
    Kind("clinic-not-yours", 403, "The token does not cover this clinic", "Use a token whose claim `clinics` names this clinic."),
    Kind(NotFound.slug, NotFound.status, NotFound.heading(), NotFound.do),
    Kind("no-such-route", 404, "There is no such address", "Compare the path with /openapi.json; no path ends in a slash."),
    Kind("method-not-allowed", 405, "This address does not know the method", "Use one of the methods in the header `Allow`."),
    Kind("body-too-slow", 408, "The body did not arrive in time", "Send the request again over a better connection, or a smaller body."),
    Kind("version-conflict", 409, "Somebody else changed this a moment ago", "Send the same request again with the same Idempotency-Key."),
    Kind("stream-full", 409, "This record has reached its greatest length",
         "Tell the people who run Erbium: it has to be continued under a new id."),
    Kind("version-stale", 412, "If-Match names an old version", "Read the record again, decide anew, and send the ETag you then see."),
    Kind("body-too-large", 413, "The body is too large", "Send less at once; `detail` names the limit."),
    Kind("content-type-wrong", 415, "The content type is not accepted",
         "Send the content type that `detail` names, uncompressed unless the address says otherwise."),
    Kind("json-malformed", 422, "The body is not JSON", "Send one JSON object in UTF-8; `detail` names the place where reading stopped."),
    Kind("request-invalid", 422, "The request does not fit its schema",
         "Correct each place in `errors`, and send it again under the same or a new key."),
    Kind(ReferenceNotFound.slug, ReferenceNotFound.status, ReferenceNotFound.heading(), ReferenceNotFound.do),
    Kind("key-reused", 422, "This Idempotency-Key was used for another request",
         "Send the first request again, or choose a new key for the new one."),
    Kind("if-match-missing", 428, "If-Match is missing", "Read the record first, and send its ETag as If-Match."),
    Kind("too-many-requests", 429, "Too many requests", "Wait as many seconds as Retry-After says."),
    Kind("internal-error", 500, "An error in Erbium itself",
         "Send the same request again, a command with the same Idempotency-Key; if it fails again, report `instance`."),
    Kind("unavailable", 503, "Not available at the moment",
         "Wait as many seconds as Retry-After says, then send the same request again, a command with the same Idempotency-Key."),
)  # fmt: skip
KINDS = {kind.code: kind for kind in _ROWS}


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
        case HTTPException(status_code=404):  # the router's
            return problem("no-such-route", "Nothing answers at this address.")
        case HTTPException(status_code=405):
            return problem("method-not-allowed", "This address answers other methods.", headers=error.headers)
        case Rejected():
            return _refusal(error)
        case Stale():
            return problem("version-stale", f"The current version is {error.current}.", facts={"current_version": error.current})
        case StreamFull():
            return problem("stream-full", "It holds as many events as one record may; nothing was written.")
        case VersionConflict():
            told = "Others changed this record each of the three times that the request was decided; nothing of it was recorded."
            return problem("version-conflict", told, headers=retry())
        case KeyReused():
            return problem("key-reused", "The earlier request under this key had another path or another body.")
        case KeyNotHere():
            return problem("unavailable", "What seals this patient's personal data has not arrived in this service yet.", headers=retry())
        case Unavailable() | LostLease():
            return problem("unavailable", AWAY, headers=retry())
        case _ if is_away(error):
            return problem("unavailable", AWAY, headers=retry())
        case _:
            return problem("internal-error", "The place of the error is in the service's log under the id in `instance`.")


def kind_of(refusal: type[Rejected]) -> Kind:
    """A rule's refusal as a kind of problem."""
    return Kind(refusal.slug, refusal.status, refusal.heading(), refusal.do)


def refused(refusal: type[Rejected], detail: str = "", facts: Mapping[str, Any] | None = None) -> Problem:
    """The problem that a rule's refusal becomes; without `detail` as the rule itself says it."""
    told = dict(facts or {})
    return Problem(
        code=refusal.slug, status=refusal.status, title=refusal.heading(), detail=detail or refusal.sentence(), do=refusal.do,
        errors=_places(told) if issubclass(refusal, ReferenceNotFound) else (), facts=told,
    )  # fmt: skip


def _refusal(refusal: Rejected) -> Problem:
    found = refused(type(refusal), refusal.detail, refusal.facts)
    headers = {"Idempotent-Replayed": "true"} if refusal.replayed else {}
    return replace(found, code=refusal.slug, headers=headers)


def _places(facts: dict[str, Any]) -> list[dict[str, str]]:
    """Where the id stands that nothing has; taken out of the facts."""
    reason = "names nothing that there is in this chain"
    if "parameter" in facts:
        return [{"in": "query", "parameter": str(facts.pop("parameter")), "reason": reason}]
    return [{"pointer": str(facts.pop("pointer", "")), "reason": reason}]


def retry() -> dict[str, str]:
    """The header that tells when to come back."""
    return {"Retry-After": str(RETRY_AFTER_SECONDS)}


__all__ = ["KINDS", "PROBLEM_JSON", "Faulty", "Kind", "Problem", "kind_of", "problem", "problem_of", "refused", "retry"]
