"""How a service declares its endpoints: one decorator each for commands, queries and raw streams."""

import inspect
import typing
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from erbium_kernel.errors import Rejected

H = TypeVar("H", bound=Callable[..., Awaitable[Any]])

BODY_BYTES_MAX = 256 * 1024
RAW_BODY_BYTES_MAX = 8 * 1024 * 1024
ANSWER_SECONDS_MAX = 1.8  # a request is answered in time or with 503: with the way there and back it stays under 2 s
RAW_SECONDS_MAX = 20.0  # a raw stream waits for the broker, whose own deadline is 15 s
COMMAND, QUERY, RAW = "command", "query", "raw"
JSON = "application/json"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One endpoint as declared. `path` starts behind `/v1`; `name` is its operationId for ever; `scope` None = public."""

    kind: str
    method: str
    path: str
    name: str
    scope: str | None
    tag: str
    status: int
    summary: str
    description: str
    handler: Callable[..., Awaitable[Any]]
    response: Any
    request_example: Any = None
    response_example: Any = None
    refusals: tuple[type[Rejected], ...] = ()
    changes: bool = False
    keyed: bool = False
    content_type: str = JSON
    body_bytes_max: int = BODY_BYTES_MAX
    seconds_max: float = ANSWER_SECONDS_MAX
    documented: bool = True

    @property
    def body_type(self) -> Any:
        """The type of the handler's parameter `body`, None if it has none."""
        return typing.get_type_hints(self.handler, include_extras=True).get("body")

    @property
    def route(self) -> str:
        """Method and template: the label of metrics, the scope of Idempotency-Keys."""
        return f"{self.method} /v1{self.path}"


class Routes:
    """The endpoints of one tag, mounted under /v1. Handlers stay plain functions."""

    def __init__(self, tag: str) -> None:
        """`tag` groups them in the documentation."""
        self.tag = tag
        self.operations: list[Operation] = []

    def command(
        self,
        method: str,
        path: str,
        *,
        name: str,
        scope: str,
        status: int = 201,
        summary: str = "",
        request_example: Any = None,
        response_example: Any = None,
        response: Any,
        refusals: Sequence[type[Rejected]] = (),
        changes: bool = False,
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> Callable[[H], H]:
        """A command: needs an Idempotency-Key; with `changes` also If-Match (428 without, 412 stale).

        The handler takes `call: Call`, path parameters by name, and `body: <a Body>` if it has one; it ends in `call.execute`.
        """
        assert method in ("POST", "PUT", "PATCH", "DELETE"), method
        return self._declare(
            COMMAND, method, path, name=name, scope=scope, status=status, summary=summary, request_example=request_example,
            response_example=response_example, response=response, refusals=tuple(refusals), changes=changes, keyed=True,
            body_bytes_max=body_bytes_max,
        )  # fmt: skip

    def query(
        self,
        method: str,
        path: str,
        *,
        name: str,
        scope: str,
        summary: str = "",
        response_example: Any = None,
        response: Any,
    ) -> Callable[[H], H]:
        """A question. The handler takes `call: Call`, path and query parameters by name, `paging: Paging` if it is a list."""
        assert method == "GET", method
        return self._declare(
            QUERY, method, path, name=name, scope=scope, status=200, summary=summary, response_example=response_example, response=response
        )

    def raw(
        self,
        method: str,
        path: str,
        *,
        name: str,
        scope: str,
        status: int = 202,
        summary: str = "",
        request_example: Any = None,
        response_example: Any = None,
        response: Any,
        refusals: Sequence[type[Rejected]] = (),
        content_type: str = NDJSON,
        body_bytes_max: int = RAW_BODY_BYTES_MAX,
        seconds_max: float = RAW_SECONDS_MAX,
    ) -> Callable[[H], H]:
        """A stream with an identity of its own in each line, so without Idempotency-Key.

        The handler takes `call: Call` and `request: Request`; `await request.body()` is bounded by `body_bytes_max` (as sent: a handler
        that decompresses needs a bound of its own), and everything by `seconds_max`.
        """
        return self._declare(
            RAW, method, path, name=name, scope=scope, status=status, summary=summary, request_example=request_example,
            response_example=response_example, response=response, refusals=tuple(refusals), content_type=content_type,
            body_bytes_max=body_bytes_max, seconds_max=seconds_max,
        )  # fmt: skip

    def _declare(self, kind: str, method: str, path: str, *, summary: str, **declared: Any) -> Callable[[H], H]:
        def keep(handler: H) -> H:
            first, _, rest = inspect.cleandoc(handler.__doc__ or "").partition("\n")
            operation = Operation(
                kind=kind, method=method, path=path, tag=self.tag, handler=handler,
                summary=summary or first.rstrip(".") or declared["name"], description=rest.strip(), **declared,
            )  # fmt: skip
            self.operations.append(operation)
            return handler

        return keep
