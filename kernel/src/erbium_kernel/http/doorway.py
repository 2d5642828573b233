"""The outermost layer: every request gets an id, every answer the same headers, every error a problem document, every route its time."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from erbium_kernel.http.problem import Faulty, Problem, problem_of, retry
from erbium_kernel.http.request_headers import trace_id
from erbium_kernel.observing import metrics
from erbium_kernel.observing.logs import request_answered
from erbium_kernel.whereabouts import reason_of

REQUESTS_AT_ONCE_MAX = 500
UNMATCHED = "unmatched"
PROBED = frozenset({"/livez", "/readyz", "/startupz"})  # asked every few seconds: measured, not written down
_SCOPE_KEY = "erbium.passage"
_SERVER_FAULT = 500

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}

_SECURITY_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_SECURED = frozenset(name for name, _ in _SECURITY_HEADERS)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Passage:
    """One request on its way through. `route` is the template, never the path; `headers` has the first of each name, in lower case.

    `trace_id`: the caller's trace, else one that begins here.
    """

    headers: Mapping[bytes, bytes]
    repeated: bool  # is any header there more than once?
    request_id: UUID
    traceparent: str
    trace_id: str
    route: str = UNMATCHED
    chain_id: UUID | None = None
    status: int = 0
    call: Any = None  # what the handler gets, once it is known who asks

    def header(self, name: bytes) -> str | None:
        """The header's first value."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


def passage(request: Request) -> Passage:
    """This request's passage."""
    return cast(Passage, request.scope[_SCOPE_KEY])


def respond(request: Request, error: Exception) -> Problem:
    """The problem that an error becomes; our own bugs are written down, as class and place."""
    found = problem_of(error)
    if found.status == _SERVER_FAULT:
        here = passage(request)
        log.error("request failed", extra={"route": here.route, **_ids(here), "reason": reason_of(error)})
    return found


class Doorway:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` is what answers."""
        self._app, self._inside = app, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Nothing that is raised inside leaves it, except cancellation."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        here = scope[_SCOPE_KEY] = _entered(scope)
        began, started = time.perf_counter(), False
        self._inside += 1

        async def send_dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                here.status = message["status"]
                _dress(message, here)
            await send(message)

        try:
            if self._inside > REQUESTS_AT_ONCE_MAX and scope["path"] not in PROBED:  # a busy process is no dead one
                raise Faulty("unavailable", "This process has as many requests under way as it takes.", headers=retry())
            await self._app(scope, receive, send_dressed)
        except Exception as error:  # noqa: BLE001  # the last net: the caller gets a problem document, the log class and place
            found = respond(Request(scope), error)
            if not started:
                await found.response(here.request_id.urn, here.trace_id)(scope, receive, send_dressed)
        finally:
            self._inside -= 1
            _measured(here, scope, time.perf_counter() - began)


def _entered(scope: Scope) -> Passage:
    given = scope["headers"]
    headers = dict(reversed(given))
    request_id = _request_id(headers.get(b"x-request-id"))
    traceparent = headers.get(b"traceparent", b"").decode("latin-1")
    trace = trace_id(traceparent)
    if trace is None:
        trace = request_id.hex
        traceparent = f"00-{trace}-{trace[16:]}-01"
    return Passage(headers, len(headers) != len(given), request_id, traceparent, trace)


def _request_id(given: bytes | None) -> UUID:
    try:
        return UUID(given.decode("latin-1")) if given else uuid4()
    except ValueError:
        return uuid4()


def _dress(message: Message, here: Passage) -> None:
    """What the answer says of itself stays: a page has a policy of its own."""
    said = message["headers"]
    own = (b"x-request-id", str(here.request_id).encode())
    if _SECURED.isdisjoint([name for name, _ in said]):
        message["headers"] = [*said, own, *_SECURITY_HEADERS]
    else:
        names = {name for name, _ in said}
        message["headers"] = [*said, own, *((name, value) for name, value in _SECURITY_HEADERS if name not in names)]


def _measured(here: Passage, scope: Scope, seconds: float) -> None:
    method, probed = metrics.method_label(scope["method"]), scope["path"] in PROBED
    if probed:
        here.route = f"GET {scope['path']}"
    metrics.http_request(here.route, method, here.status, seconds)
    if not probed:
        request_answered(
            here.route, method, here.status, seconds, request_id=here.request_id, trace_id=here.trace_id, chain_id=here.chain_id
        )


def _ids(here: Passage) -> dict[str, str]:
    chain = {"chain": str(here.chain_id)} if here.chain_id else {}
    return {"request_id": str(here.request_id), "trace_id": here.trace_id, **chain}
