"""What a handler returns, as the response that carries it."""

from collections.abc import Hashable
from functools import cache
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter
from starlette.responses import Response

from erbium_kernel.http.body import Page
from erbium_kernel.http.call import Call
from erbium_kernel.http.request_headers import etag
from erbium_kernel.http.routes import Operation


def with_headers(response: Response, call: Call) -> Response:
    """With the headers that the call has gathered; they win over the response's own."""
    more = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in call.headers.items()]
    names = {name for name, _ in more}
    response.raw_headers[:] = [own for own in response.raw_headers if own[0] not in names] + more
    return response


def answer_of(call: Call, operation: Operation, result: Any) -> Response:
    """A handler's result as its response: a View, something that fits one, or a Response of its own."""
    if isinstance(result, Response):
        return result
    if operation.versioned and not isinstance(result, operation.response):
        return _with_version(call, operation, result)
    view = _as_view(operation.response, result)
    version = getattr(view, "version", None)
    if isinstance(version, int) and "ETag" not in call.headers and call.past is None:
        call.headers["ETag"] = etag(version)
    return _json(operation, _adapter(cast(Hashable, type(view))).dump_json(view))


def public_answer_of(operation: Operation, result: Any) -> Response:
    """What is answered to anybody, without a call of somebody's."""
    return result if isinstance(result, Response) else _json(operation, _adapter(operation.response).dump_json(result))


def _with_version(call: Call, operation: Operation, result: Any) -> Response:
    """What the command answers, at the version that it has written.

    Why not as another view, validated again: this one is whole and of a base class, which as a rule has every field but the last.
    """
    wanted, own = operation.response, cast(Any, type(result))
    assert issubclass(wanted, own), f"{operation.name}: {own.__name__} is no {wanted.__name__}"
    assert call.version is not None, f"{operation.name}: nothing was executed, so there is no version: declare versioned=False"
    call.headers.setdefault("ETag", etag(call.version))
    if "version" in own.model_fields or not own.model_fields:
        whole = wanted.model_construct(**{**dict(result), "version": call.version})
        return _json(operation, _adapter(wanted).dump_json(whole))
    return _json(operation, b'%s,"version":%d}' % (_adapter(own).dump_json(result)[:-1], call.version))


def _json(operation: Operation, body: bytes) -> Response:
    return Response(body, operation.status, media_type="application/json")


def _as_view(wanted: Any, result: Any) -> Any:
    if isinstance(wanted, type) and isinstance(result, wanted):
        return result
    if isinstance(result, Page):
        result = {"items": result.items, "next_cursor": result.next_cursor}
    elif isinstance(result, BaseModel):
        result = result.model_dump()
    return _adapter(wanted).validate_python(result)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """One for each view that is declared, not for each answer."""
    return TypeAdapter(kind)
