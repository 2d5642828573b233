"""The request headers that the edge understands."""

import re
from uuid import UUID

from erbium_kernel.http.problem import Faulty

KEY_CHARACTERS_MAX = 255
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_ETAG = re.compile(r'"(\d{1,9})"')
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def idempotency_key(value: str | None) -> str:
    """The key, bare or as a quoted structured-field string; both spellings are the same key. Raises: Faulty (400).

    Source: draft-ietf-httpapi-idempotency-key-header-07.
    """
    if value is None:
        raise Faulty("key-missing", "This command needs the header Idempotency-Key.")
    key = value.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = re.sub(r'\\(["\\])', r"\1", key[1:-1])
    if not _KEY.fullmatch(key):
        raise Faulty("key-malformed", f"Idempotency-Key holds 1 to {KEY_CHARACTERS_MAX} printable ASCII characters.")
    return key


def if_match(value: str | None) -> int | None:
    """The version that the caller has seen. Raises: Faulty (400) unless it is one strong ETag of ours."""
    if value is None:
        return None
    found = _ETAG.fullmatch(value.strip())
    if not found:
        raise Faulty("header-malformed", 'If-Match holds exactly one strong ETag as it was answered, for example "17".')
    return int(found[1])


def etag(version: int) -> str:
    """A stream version as a strong ETag."""
    return f'"{version}"'


def none_match(value: str | None, tag: str) -> bool:
    """True if the caller already has this representation. Source: RFC 9110 section 13.1.2 (weak comparison)."""
    if value is None:
        return False
    return value.strip() == "*" or tag in {seen.strip().removeprefix("W/") for seen in value.split(",")}


def erbium_after(value: str | None) -> UUID | None:
    """The event or message whose effect the caller wants to see. Raises: Faulty (400)."""
    if value is None:
        return None
    try:
        return UUID(value.strip())
    except ValueError:
        raise Faulty("header-malformed", "Erbium-After holds the id from an Erbium-Event or Erbium-Message header.") from None


def trace_id(traceparent: str | None) -> str | None:
    """The trace id of a W3C `traceparent`, None if there is no valid one."""
    found = _TRACEPARENT.fullmatch(traceparent.strip()) if traceparent else None
    return found[1] if found else None
