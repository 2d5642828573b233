"""Keyset pages: a cursor is the sort key of the last row seen, tied to the filters it was made under."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import orjson
from fastapi import Query
from starlette.requests import Request

from erbium_kernel.http.body import Page
from erbium_kernel.http.doorway import passage
from erbium_kernel.http.problem import Faulty

R = TypeVar("R")

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
CURSOR_CHARACTERS_MAX = 2_000
_FILTER_HASH_BYTES = 12


class Paging:
    """The page that a list request asks for. Sort keys appear in URLs: never personal data."""

    def __init__(self, request: Request, limit: int, cursor: str | None) -> None:
        """Raises: Faulty (400) if the cursor was made under other filters, or is none of ours."""
        self.limit = limit
        self._request = request
        self._filters = _filter_hash(request)
        self.after: tuple[Any, ...] | None = _opened(cursor, self._filters) if cursor else None
        """The sort key after which this page starts (UUID, date, datetime, str, int as they were given to `page`); None on the first."""

    def page(self, rows: Sequence[R], key: Callable[[R], tuple[Any, ...]]) -> Page[Any]:
        """The first `limit` of these rows, and the cursor to the next page.

        Fetch `limit` rows, or `limit + 1` to know exactly whether there are more; a full page names a next one, which may then be empty.
        """
        shown = list(rows[: self.limit])
        cursor = _sealed(key(shown[-1]), self._filters) if shown and len(rows) >= self.limit else None
        if cursor:
            passage(self._request).call.headers["Link"] = f'<{self._address(cursor)}>; rel="next"'
        return Page[Any](items=shown, next_cursor=cursor)

    def _address(self, cursor: str) -> str:
        kept = [(name, value) for name, value in self._request.query_params.multi_items() if name != "cursor"]
        return f"{self._request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"


async def paging_of(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many items a page has at most.")] = LIMIT_DEFAULT,
    cursor: Annotated[
        str | None, Query(max_length=CURSOR_CHARACTERS_MAX, description="`next_cursor` of the page before, under the same filters.")
    ] = None,
) -> Paging:
    """The dependency behind a handler's parameter of type `Paging`. Why async: FastAPI runs others in a thread each."""
    return Paging(request, limit, cursor)


def _filter_hash(request: Request) -> str:
    filters = sorted((name, value) for name, value in request.query_params.multi_items() if name not in ("cursor", "limit"))
    digest = hashlib.sha256(orjson.dumps([request.url.path, filters])).digest()
    return base64.urlsafe_b64encode(digest[:_FILTER_HASH_BYTES]).decode()


def _sealed(key: tuple[Any, ...], filters: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([filters, *map(_written, key)])).decode().rstrip("=")


def _opened(cursor: str, filters: str) -> tuple[Any, ...]:
    try:
        made_under, *key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        after = tuple(map(_read, key))
    except (ValueError, TypeError):
        raise Faulty("cursor-malformed", "The cursor is not one of ours.") from None
    if made_under != filters or not after:
        raise Faulty("cursor-malformed", "The cursor was made under other filters.")
    return after


def _written(value: Any) -> Any:
    match value:
        case UUID():
            return ["uuid", str(value)]
        case datetime():
            return ["instant", value.isoformat()]
        case date():
            return ["date", value.isoformat()]
        case str() | int() | float() | bool() | None:
            return value
        case _:
            raise TypeError(f"no cursor form for {type(value).__name__}")


_READERS: dict[str, Callable[[str], Any]] = {"uuid": UUID, "instant": datetime.fromisoformat, "date": date.fromisoformat}


def _read(value: Any) -> Any:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError
        return value
    if not isinstance(value, list):
        return value
    kind, text = value
    if kind not in _READERS or not isinstance(text, str):
        raise ValueError
    return _READERS[kind](text)
