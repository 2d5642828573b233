"""The outermost layer: every request gets an id, every answer the same headers, every error a problem document, every route its time."""

import logging
import time
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID, uuid4

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from erbium_kernel.http.problem import Faulty, Problem, problem_of, retry
from erbium_kernel.http.request_headers import trace_id
from erbium_kernel.observing import metrics
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

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Passage:
    """One request on its way through. `route` is the template, never the path."""

    request_id: UUID = field(default_factory=uuid4)
    traceparent: str = ""
    route: str = UNMATCHED
    chain_id: UUID | None = None
    status: int = 0

    @property
    def trace_id(self) -> str:
        """The caller's trace, else one that begins here."""
        return trace_id(self.traceparent) or self.request_id.hex


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
    headers = Headers(scope=scope)
    here = Passage(traceparent=headers.get("traceparent", ""))
    try:
        here.request_id = UUID(headers.get("x-request-id", ""))
    except ValueError:
        pass
    if trace_id(here.traceparent) is None:
        here.traceparent = f"00-{here.request_id.hex}-{here.request_id.hex[16:]}-01"
    return here


def _dress(message: Message, here: Passage) -> None:
    """What the answer says of itself stays: a page has a policy of its own."""
    headers = message["headers"]
    said = {name for name, _ in headers}
    message["headers"] = [
        *headers,
        (b"x-request-id", str(here.request_id).encode()),
        *((name, value) for name, value in _SECURITY_HEADERS if name not in said),
    ]


def _measured(here: Passage, scope: Scope, seconds: float) -> None:
    method, probed = scope["method"], scope["path"] in PROBED
    if probed:
        here.route = f"GET {scope['path']}"
    metrics.http_request(here.route, method, here.status, seconds)
    measured = {"route": here.route, "method": metrics.method_label(method), "status": here.status, "seconds": round(seconds, 4)}
    if not probed:
        log.info("request", extra={**measured, **_ids(here)})


def _ids(here: Passage) -> dict[str, str]:
    chain = {"chain": str(here.chain_id)} if here.chain_id else {}
    return {"request_id": str(here.request_id), "trace_id": here.trace_id, **chain}
