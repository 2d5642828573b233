"""The body of a command: read with bounds, parsed once, checked strictly, and reduced to what its fingerprint is taken of."""

import asyncio
import contextlib
from email.message import Message
from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from erbium_kernel.http.doorway import passage
from erbium_kernel.http.odd_json import odd_places
from erbium_kernel.http.problem import Faulty
from erbium_kernel.http.validation import body_faults, fault, nul_pointers

NO_NUMBER = "NaN and Infinity are no numbers in JSON; leave the field out or send null where that is allowed."
TOO_DEEP = "is nested too deep"
BODY_SECONDS_MAX = 20.0  # for all of it: a slow sender does not hold a connection for ever


class Read(NamedTuple):
    """`value`: the validated body; `canonical`: the same for every spelling of the same JSON."""

    value: Any
    canonical: bytes


NO_BODY = Read(None, b"{}")


async def body_bytes(request: Request, limit_bytes: int) -> bytes:
    """The whole body. Raises: Faulty (413 beyond the limit, 408 beyond the time)."""
    announced = passage(request).headers.get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            more = True
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise _too_slow("The connection ended before the body did.")
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > limit_bytes:
                    raise _too_large(limit_bytes)
                chunks.append(chunk)
                more = message.get("more_body", False)
    except TimeoutError:
        raise _too_slow(f"A body has to arrive within {BODY_SECONDS_MAX:g} seconds.") from None
    return b"".join(chunks)


def _too_slow(why: str) -> Faulty:
    return Faulty("body-too-slow", why)


def _too_large(limit_bytes: int) -> Faulty:
    """The server discards what still comes."""
    return Faulty("body-too-large", f"A body here has at most {limit_bytes} bytes.")


async def read_json(request: Request, adapter: TypeAdapter[Any] | None, limit_bytes: int) -> Read:
    """The validated body of a command; `adapter` None = the command has none, so nothing or `{}` may be sent.

    Raises: Faulty (413, 408, 415, 422).
    """
    raw = await body_bytes(request, limit_bytes)
    if not raw and adapter is None:
        return NO_BODY
    _must_be_json(request)
    parsed, canonical = _parsed(raw)
    _not_odd(raw, canonical)
    if adapter is None:
        if parsed != {}:
            raise _unfit([fault("", "must be absent or {}: this command has no body")])
        return NO_BODY
    try:
        value = adapter.validate_json(raw, strict=True)
    except ValidationError as error:
        raise _unfit(body_faults(error.errors(include_url=False), parsed)) from None
    except RecursionError:
        raise _unfit([fault("", TOO_DEEP)]) from None
    if b"\\u0000" in raw:
        _no_nul(parsed)
    return Read(value, canonical)


def _parsed(raw: bytes) -> tuple[Any, bytes]:
    """The values, and their canonical spelling."""
    try:
        parsed = orjson.loads(raw)
        return parsed, orjson.dumps(parsed, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError as error:
        if "depth" in error.msg:
            raise _unfit([fault("", TOO_DEEP)]) from None
        if "infinity" in error.msg:  # 1e999 is JSON all the same, so it is told like every other number that is too great
            with contextlib.suppress(ValueError):
                _not_odd(raw, b"")
        why = f" {NO_NUMBER}" if raw.decode(errors="replace")[error.pos :].startswith(("NaN", "Infinity")) else ""
        raise Faulty("json-malformed", f"Reading stopped at line {error.lineno}, column {error.colno}.{why}") from None
    except orjson.JSONEncodeError:  # what was read can only fail to be written for its depth
        raise _unfit([fault("", TOO_DEEP)]) from None


def _not_odd(raw: bytes, canonical: bytes) -> None:
    try:
        odd = odd_places(raw, canonical)
    except RecursionError:
        raise _unfit([fault("", TOO_DEEP)]) from None
    if odd:
        raise _unfit(odd)


def _must_be_json(request: Request) -> None:
    headers = passage(request).headers
    if headers.get(b"content-type") == b"application/json" and b"content-encoding" not in headers:
        return
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    charset = str(header.get_param("charset", "utf-8")).lower()
    is_json = header.get_content_type() == "application/json" and charset in ("utf-8", "utf8")
    if not is_json or request.headers.get("content-encoding", "identity") != "identity":
        raise Faulty("content-type-wrong", "This address takes application/json in UTF-8, uncompressed.")


def _no_nul(parsed: Any) -> None:
    places = nul_pointers(parsed)
    if places:
        raise _unfit([fault(place, "must not hold U+0000") for place in places])


def _unfit(errors: list[dict[str, str]]) -> Faulty:
    places = "one place" if len(errors) == 1 else f"{len(errors)} places"
    return Faulty("request-invalid", f"The body does not fit its schema in {places}.", errors=errors)
