"""How a service declares its endpoints: one decorator each for commands, queries and raw streams."""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from erbium_kernel.errors import Rejected
from erbium_kernel.http.body import versioned as with_version
from erbium_kernel.looking_back import AsRecorded

H = TypeVar("H", bound=Callable[..., Awaitable[Any]])

BODY_BYTES_MAX = 256 * 1024
RAW_BODY_BYTES_MAX = 8 * 1024 * 1024
# How long a caller waits: of a GET as of a command, 2 s after the database fell silent there is a 503, the way there and back included.
# A GET that names an event first waits for it; when that wait is over the database has just answered, so the handler has its whole time.
ANSWER_SECONDS_MAX = 1.8  # for the token and the handler
AFTER_SECONDS_MAX = 2.0  # for the event that Erbium-After names; then the answer says "pending"
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
    versioned: bool = False
    content_type: str = JSON
    answers: tuple[str, ...] = (JSON,)
    body_bytes_max: int = BODY_BYTES_MAX
    seconds_max: float = ANSWER_SECONDS_MAX
    documented: bool = True
    as_recorded: AsRecorded | None = None

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
        versioned: bool = True,
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> Callable[[H], H]:
        """A command: needs an Idempotency-Key; with `changes` also If-Match (428 without, 412 stale).

        The handler takes `call: Call`, path parameters by name, and `body: <a Body>` if it has one; it ends in `call.execute`.
        Its answer has `version` and ETag of the stream that was written, unless what it speaks of is another one: `versioned=False`.
        """
        assert method in ("POST", "PUT", "PATCH", "DELETE"), method
        return self._declare(
            COMMAND, method, path, name=name, scope=scope, status=status, summary=summary, request_example=request_example,
            response_example=response_example, response=with_version(response) if versioned else response, refusals=tuple(refusals),
            changes=changes, keyed=True, versioned=versioned, body_bytes_max=body_bytes_max,
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
        answers: Sequence[str] = (JSON,),
        refusals: Sequence[type[Rejected]] = (),
        as_recorded: AsRecorded | None = None,
    ) -> Callable[[H], H]:
        """A question. The handler takes `call: Call`, path and query parameters by name, `paging: Paging` if it is a list.

        `answers`: the content types it answers in; in another one than JSON it returns a `Response` of its own. The example is the first's.
        `as_recorded`: it can be asked how it was recorded at an instant; the handler does not know the difference.
        """
        assert method == "GET", method
        return self._declare(
            QUERY, method, path, name=name, scope=scope, status=200, summary=summary, response_example=response_example, response=response,
            answers=tuple(answers), refusals=tuple(refusals), as_recorded=as_recorded,
        )  # fmt: skip

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
            told = inspect.cleandoc(handler.__doc__ or declared["name"])
            first, rest = ("", told) if summary else _first_clause(told)
            operation = Operation(
                kind=kind, method=method, path=path, tag=self.tag, handler=handler, summary=summary or first, description=rest, **declared
            )
            self.operations.append(operation)
            return handler

        return keep


def _first_clause(told: str) -> tuple[str, str]:
    """(what it does, in a few words; all else)."""
    first, *rest = re.split(r"[.;:](?:\s+|$)", told, maxsplit=1)
    more = rest[0] if rest else ""
    return " ".join(first.split()), more[:1].upper() + more[1:]
