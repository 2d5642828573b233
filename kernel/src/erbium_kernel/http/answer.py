"""A handler's result as its answer: a view, something that fits one, or a response of its own; the version becomes the ETag."""

from collections.abc import Hashable
from functools import cache
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter
from starlette.responses import Response

from erbium_kernel.http.body import Page
from erbium_kernel.http.call import Call
from erbium_kernel.http.request_headers import etag
from erbium_kernel.http.routes import Operation


def answer_of(call: Call, operation: Operation, result: Any) -> Response:
    """What is answered to this call."""
    if isinstance(result, Response):
        return result
    view = _with_version(call, operation, result) if operation.versioned else _as_view(operation.response, result)
    version = getattr(view, "version", None)
    if isinstance(version, int) and "ETag" not in call.headers and call.past is None:
        call.headers["ETag"] = etag(version)
    return Response(_adapter(cast(Hashable, type(view))).dump_json(view), operation.status, media_type="application/json")


def public_answer_of(operation: Operation, result: Any) -> Response:
    """What is answered to anybody, without a call of somebody's."""
    if isinstance(result, Response):
        return result
    return Response(_adapter(operation.response).dump_json(result), operation.status, media_type="application/json")


def _with_version(call: Call, operation: Operation, result: Any) -> Any:
    """What the command answers, at the version that it has written. Why not validated again: the view is whole, and of a base class."""
    wanted = operation.response
    if isinstance(result, wanted):
        return result
    assert issubclass(wanted, type(result)), f"{operation.name}: {type(result).__name__} is no {wanted.__name__}"
    assert call.version is not None, f"{operation.name}: nothing was executed, so there is no version: declare versioned=False"
    return wanted.model_construct(**{**dict(result), "version": call.version})


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
