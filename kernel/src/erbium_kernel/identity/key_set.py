"""The identity provider's public keys: fetched with a deadline, kept for a while, asked for again when a key is unknown."""

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from erbium_kernel.errors import Unavailable
from erbium_kernel.ports import Clock

FRESH = timedelta(minutes=10)
REFETCH_AFTER = timedelta(minutes=1)  # at most one fetch in this time for the sake of unknown key ids
RETRY_AFTER = timedelta(seconds=5)  # after a fetch that failed
STALE_MAX = timedelta(hours=1)  # how long keys serve on while the provider is away
FETCH_SECONDS_MAX = 1.5
KEYS_MAX = 100
JWKS_BYTES_MAX = 256 * 1024

Fetch = Callable[[], Awaitable[dict[str, Any]]]
_log = logging.getLogger(__name__)


class KeySet:
    """Finds the key that a token names."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        """Nothing is fetched yet. Times are machine times."""
        self._fetch, self._clock = fetch, clock
        self._keys: dict[str, Key] = {}
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._one_fetch = asyncio.Lock()

    async def find(self, key_id: str | None) -> Key | None:
        """The public key; None if the provider does not publish it. Raises: Unavailable if it cannot be asked and nothing is kept."""
        if self._age() > FRESH or (self._named(key_id) is None and self._may_ask_again()):
            await self._refresh(key_id)
        return self._named(key_id)

    def fresh(self, key_id: str | None) -> Key | None:
        """The public key, if it can be told without asking anybody."""
        return self._named(key_id) if self._age() <= FRESH else None

    def _named(self, key_id: str | None) -> Key | None:
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    def _age(self) -> timedelta:
        return timedelta.max if self._fetched_at is None else self._clock.machine() - self._fetched_at

    def _may_ask_again(self) -> bool:
        return self._tried_at is None or self._clock.machine() - self._tried_at >= REFETCH_AFTER

    async def _refresh(self, key_id: str | None) -> None:
        """One fetch at a time; who waited for it does not fetch again."""
        asked_at = self._tried_at
        async with self._one_fetch:
            if self._tried_at != asked_at and self._fetched_at is not None:
                return
            if self._tried_at is None or self._fetched_at == self._tried_at or self._clock.machine() - self._tried_at >= RETRY_AFTER:
                await self._fetch_now()
        if self._age() > STALE_MAX:
            raise Unavailable("the identity provider's keys cannot be fetched")

    async def _fetch_now(self) -> None:
        self._tried_at = self._clock.machine()
        try:
            async with asyncio.timeout(FETCH_SECONDS_MAX):
                published = await self._fetch()
            self._keys = _public_keys(published)
            self._fetched_at = self._tried_at
        except (httpx.HTTPError, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
            _log.warning("jwks_unreachable", extra={"error": type(error).__name__})


def _public_keys(published: dict[str, Any]) -> dict[str, Key]:
    """Why no `oct`: a shared secret among public keys would let anybody sign. What we cannot read is skipped (RFC 7517 section 5)."""
    found: dict[str, Key] = {}
    for data in published["keys"][:KEYS_MAX]:
        if data.get("kty") in ("RSA", "EC", "OKP") and data.get("use", "sig") == "sig":
            try:
                key = JWKRegistry.import_key(data)
                key.ensure_kid()
            except (JoseError, ValueError):
                continue
            found[str(key.kid)] = key
    return found


def over_http(url: str) -> Fetch:
    """Fetches the JWKS from `url`. Raises, when called: httpx.HTTPError, ValueError."""
    own_machine = _is_loopback(urlsplit(url).hostname or "")

    async def fetch() -> dict[str, Any]:
        async with httpx.AsyncClient(timeout=FETCH_SECONDS_MAX, trust_env=not own_machine) as client:
            answer = await client.get(url, headers={"Accept": "application/json"})
        answer.raise_for_status()
        if len(answer.content) > JWKS_BYTES_MAX:
            raise ValueError("the JWKS is too large")
        found = answer.json()
        if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
            raise TypeError("this is no JWKS")
        return found

    return fetch


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
