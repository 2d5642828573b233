"""What every request passes, in this order: token, scope, headers, parameters, body, handler, answer."""

import re
import time
import typing
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import orjson
from fastapi import params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from erbium_kernel.deadline import within
from erbium_kernel.http.answering import with_headers
from erbium_kernel.http.arguments import arguments
from erbium_kernel.http.call import Asked, Call
from erbium_kernel.http.doorway import passage, respond
from erbium_kernel.http.endpoint import Endpoint
from erbium_kernel.http.json_body import NO_BODY, Read, body_bytes, read_json
from erbium_kernel.http.problem import Faulty
from erbium_kernel.http.request_headers import erbium_after, idempotency_key, if_match, none_match
from erbium_kernel.http.routes import AFTER_SECONDS_MAX, COMMAND, QUERY, RAW, Operation
from erbium_kernel.http.validation import parameter_fault
from erbium_kernel.identity.principal import Principal
from erbium_kernel.identity.tokens import TokenRefused
from erbium_kernel.runtime import Runtime

_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")  # as hardly any key is not spelled
AFTER_MARGIN_SECONDS = 0.3  # for the waiting itself to notice

Followed = Callable[[UUID, UUID, float], Coroutine[Any, Any, bool]]
"""(chain, event or message id, seconds at most) -> has everything here followed it? Raises: Unavailable once the database is silent."""


class Bearers(Protocol):
    """Who checks tokens."""

    def principal(self, token: str) -> Coroutine[Any, Any, Principal]:
        """Raises: TokenRefused, Unavailable."""
        ...

    def known(self, token: str) -> Principal | None:
        """The same at once, if this token was checked a moment ago."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What the endpoints of one service share."""

    runtime: Runtime
    bearers: Bearers
    engine: AsyncEngine | None
    followed: Followed

    async def asker(self, request: Request, scope: str, seconds: float) -> Principal:
        """The bearer of the request's token, told within so many seconds. Raises: Faulty (401, 403), Unavailable."""
        scheme, _, token = (passage(request).header(b"authorization") or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Faulty("token-missing", "This address needs an access token.", headers={"WWW-Authenticate": 'Bearer realm="erbium"'})
        try:
            principal = self.bearers.known(token)
            if principal is None:
                principal = await within(seconds, self.bearers.principal(token))
        except TokenRefused as refused:
            raise _not_let_in(refused) from None
        if scope not in principal.scopes:
            wanted = f'Bearer realm="erbium", error="insufficient_scope", scope="{scope}"'
            raise Faulty("scope-missing", f"The token lacks the scope {scope}.", headers={"WWW-Authenticate": wanted})
        return principal


class Guarded(APIRoute):
    """A route of ours. FastAPI describes its path and query parameters, everything else is done here."""

    def __init__(self, *told: Any, **named: Any) -> None:
        """As FastAPI's. Why `app` is another one: nothing here has to be closed behind an answer, and no error leaves `handle`."""
        super().__init__(*told, **named)
        self.app = _application(self.get_route_handler())

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the checks."""
        assert isinstance(self.endpoint, Endpoint)
        operation, adapter = self.endpoint.operation, self.endpoint.body
        dependant, endpoint = self.dependant, self.endpoint
        asked = [field for field in get_flat_params(self.dependant) if isinstance(field.field_info, params.Query)]
        known = {field.alias: _takes_many(field.field_info.annotation) for field in asked}

        async def handler(request: Request) -> Response:
            return await endpoint(**await arguments(dependant, request))

        async def handle(request: Request) -> Response:
            try:
                return await answered(request)
            except Exception as error:  # noqa: BLE001  # mapped once, in problem_of; what it does not name is a 500 and logged
                here = passage(request)
                answer = respond(request, error).response(here.request_id.urn, here.trace_id)
                call = here.call
                if call is not None and "Erbium-After" in call.headers:  # "not found" may only mean "not yet"
                    answer.headers["Erbium-After"] = call.headers["Erbium-After"]
                return answer

        async def answered(request: Request) -> Response:
            edge: Edge = request.app.state.edge
            here = passage(request)
            here.route = operation.route
            if operation.scope is None:
                _check_parameters(request, known)
                return await within(operation.seconds_max, handler(request))
            began = time.monotonic()
            principal = await edge.asker(request, operation.scope, operation.seconds_max)
            seconds_left = operation.seconds_max - (time.monotonic() - began)
            here.chain_id = principal.chain_id
            _check_parameters(request, known)
            read, request = await _body(request, operation, adapter)
            call = _call(edge, request, operation, principal, read)
            here.call = call
            if operation.kind == QUERY:  # ends in an answer of the database, so from here on it may be silent as long as for a command
                await _wait_for(edge, request, call)
            return with_headers(await within(seconds_left, _answered(handler, request, call)), call)

        return handle


def _application(handle: Callable[[Request], Coroutine[Any, Any, Response]]) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        response = await handle(Request(scope, receive, send))
        await response(scope, receive, send)

    return application


async def _answered(handler: Callable[[Request], Coroutine[Any, Any, Response]], request: Request, call: Call) -> Response:
    response = await handler(request)
    if call.past:
        del response.headers["ETag"]  # it would name the past, and no change may be built on that
        call.headers.pop("ETag", None)
    tag = call.headers.get("ETag")
    if tag and request.scope["method"] == "GET" and none_match(passage(request).header(b"if-none-match"), tag):
        return Response(status_code=304)
    return response


async def _body(request: Request, operation: Operation, adapter: TypeAdapter[Any] | None) -> tuple[Read, Request]:
    """The body, and the request as the handler gets it: a raw handler reads the bounded bytes again."""
    if operation.kind == COMMAND:
        return await read_json(request, adapter, operation.body_bytes_max), request
    if operation.kind == RAW:
        _must_be(request, operation.content_type)
        return NO_BODY, Request(request.scope, _once(await body_bytes(request, operation.body_bytes_max)))
    return NO_BODY, request


def _once(body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _must_be(request: Request, content_type: str) -> None:
    if (passage(request).header(b"content-type") or "").partition(";")[0].strip().lower() != content_type:
        raise Faulty("content-type-wrong", f"This address takes {content_type}.")


def _call(edge: Edge, request: Request, operation: Operation, principal: Principal, read: Read) -> Call:
    here = passage(request)
    asked = Asked(
        request_id=here.request_id,
        traceparent=here.traceparent,
        route=operation.route,
        status=operation.status,
        changes=operation.changes,
        versioned=operation.versioned,
        key=_kept_key(edge, idempotency_key(_only(request, "Idempotency-Key"))) if operation.keyed else None,
        fingerprint=edge.runtime.vault.fingerprint(_fingerprinted(request, read)) if operation.keyed else b"",
        if_match=if_match(_only(request, "If-Match")),
    )
    return Call(runtime=edge.runtime, principal=principal, asked=asked, engine=edge.engine, body=read.value)


def _only(request: Request, name: str) -> str | None:
    """The header's one value. Raises: Faulty (400) if it is sent more than once: nobody could say which was meant."""
    here = passage(request)
    if here.repeated and len(request.headers.getlist(name)) > 1:
        raise Faulty("header-malformed", f"{name} is sent more than once.")
    return here.header(name.lower().encode())


def _kept_key(edge: Edge, key: str) -> str:
    """A key as it may stand in the database for ever: an id as it is; anything else could hold a name, and only its HMAC is kept."""
    if _ID.fullmatch(key):
        return key
    try:
        UUID(key)
    except ValueError:
        return edge.runtime.vault.fingerprint(b"key|" + key.encode()).hex()
    return key


def _fingerprinted(request: Request, read: Read) -> bytes:
    """Why the path: the same body for another patient is another request."""
    return orjson.dumps(request.scope["path"]) + read.canonical


async def _wait_for(edge: Edge, request: Request, call: Call) -> None:
    wanted = erbium_after(_only(request, "Erbium-After"))
    if wanted is None:
        return
    waiting = edge.followed(call.principal.chain_id, wanted, AFTER_SECONDS_MAX)
    if not await within(AFTER_SECONDS_MAX + AFTER_MARGIN_SECONDS, waiting):
        call.headers["Erbium-After"] = "pending"


def _takes_many(annotation: Any) -> bool:
    """Is it a list, or one that may be absent?"""
    return any(typing.get_origin(each) is list for each in (annotation, *typing.get_args(annotation)))


def _check_parameters(request: Request, known: Mapping[str, bool]) -> None:
    """`known`: name -> may it be given more than once?"""
    if not request.scope["query_string"] and "\0" not in request.scope["path"]:
        return
    query: Sequence[tuple[str, str]] = request.query_params.multi_items()
    times = Counter(name for name, _ in query)
    twice = [name for name, many in known.items() if not many and times[name] > 1]
    faults = [parameter_fault("query", name, "is given more than once") for name in twice]
    faults += [parameter_fault("query", name, "is not a parameter of this address") for name, _ in query if name not in known]
    faults += [parameter_fault("query", name, "must not hold U+0000") for name, value in query if name in known and "\0" in value]
    faults += [parameter_fault("path", name, "must not hold U+0000") for name, value in request.path_params.items() if "\0" in str(value)]
    if faults:
        raise Faulty("request-invalid", "A parameter does not fit.", errors=faults)


def _not_let_in(refused: TokenRefused) -> Faulty:
    told = f'Bearer realm="erbium", error="invalid_token", error_description="{refused.reason}"'
    code = "token-expired" if refused.expired else "token-invalid"
    return Faulty(code, f"The access token is not accepted: {refused.reason}.", headers={"WWW-Authenticate": told})
