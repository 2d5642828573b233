"""Bearer tokens: signature, issuer, audience and time are checked, then the claims say who asks.

Source: RFC 9068 (JWT access tokens), RFC 8725 (best current practice), RFC 6750 (bearer errors).
"""

import hashlib
import math
import warnings
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID, uuid5

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import Key

from erbium_kernel.event import Actor
from erbium_kernel.identity.principal import Principal
from erbium_kernel.identity.rights import scopes_of
from erbium_kernel.ports import Clock

ALGORITHMS = ("RS256", "RS384", "ES256", "ES384", "EdDSA", "Ed25519")  # asymmetric only, pinned
LEEWAY_SECONDS = 60
TOKEN_CHARACTERS_MAX = 8_192
CLINICS_MAX = 1_000
BELIEVED_MAX = 10_000  # tokens whose signature is not checked again for a while
BELIEVED_SECONDS = 60.0  # and for how long; less where they end before, or where the provider's keys are fetched anew
CLIENT_CHARACTERS_MAX = 200
EVERY_CLINIC = "*"
_SUBJECTS = UUID("6f0a3b52-6d5c-5c0e-9d0e-0e5b1f6c2a11")  # namespace of subjects that are no UUIDs themselves

# Providers still sign with the old name of Ed25519; that is no news to whoever reads our log.
warnings.filterwarnings("ignore", category=SecurityWarning, message="EdDSA")


class TokenRefused(Exception):
    """The token does not prove who asks."""

    def __init__(self, reason: str, *, expired: bool = False) -> None:
        """`reason` quotes nothing of the token."""
        self.reason, self.expired = reason, expired
        super().__init__(reason)


class Keys(Protocol):
    """Where public keys come from."""

    async def find(self, key_id: str | None) -> Key | None:
        """The key under this id, None if there is none. Raises: Unavailable."""
        ...

    def fresh(self, key_id: str | None) -> Key | None:
        """The same, if it can be told without asking anybody."""
        ...


class _Believed(NamedTuple):
    """A checked token. `key` is the very object: keys that are fetched anew are other objects, so what they signed is checked again."""

    principal: Principal
    key_id: str | None
    key: Key
    until: float  # Unix time of the machine


class Verifier:
    """Turns a bearer token into a `Principal`. Time is the machine's, never the domain's."""

    def __init__(self, keys: Keys, *, issuer: str, audience: str, clock: Clock) -> None:
        """`issuer` and `audience` are compared exactly."""
        self._keys, self._issuer, self._audience, self._clock = keys, issuer, audience, clock
        self._believed: dict[bytes, _Believed] = {}

    def known(self, token: str) -> Principal | None:
        """Who asks, if this very token was checked a moment ago and nothing has changed since; None = ask `principal`."""
        believed = self._believed.get(_digest(token))
        if believed is None or self._clock.machine().timestamp() >= believed.until:
            return None
        return believed.principal if self._keys.fresh(believed.key_id) is believed.key else None

    async def principal(self, token: str) -> Principal:
        """Who asks. Raises: TokenRefused; Unavailable if the provider's keys cannot be had."""
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise TokenRefused("the token is too long")
        key_id = _key_id(token)
        key = await self._keys.find(key_id)
        if key is None:
            raise TokenRefused("it is signed with a key that the issuer does not publish")
        claims = _verified(token, key)
        self._check(claims)
        principal = _principal(claims, self._issuer)
        until = min(self._clock.machine().timestamp() + BELIEVED_SECONDS, claims["exp"] + LEEWAY_SECONDS)
        while len(self._believed) >= BELIEVED_MAX:
            self._believed.pop(next(iter(self._believed)))
        self._believed[_digest(token)] = _Believed(principal, key_id, key, until)
        return principal

    def _check(self, claims: Mapping[str, Any]) -> None:
        if claims.get("iss") != self._issuer:
            raise TokenRefused("it is of another issuer")
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused("it is made for another audience")
        now = self._clock.machine()
        if _seconds_since(now, claims, "exp", required=True) >= LEEWAY_SECONDS:
            raise TokenRefused("it has expired", expired=True)
        if min(_seconds_since(now, claims, "nbf"), _seconds_since(now, claims, "iat")) < -LEEWAY_SECONDS:
            raise TokenRefused("it is not valid yet")


def _digest(token: str) -> bytes:
    """Why not the token itself: whoever reads our memory should find none that still opens doors."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _key_id(token: str) -> str | None:
    try:
        header = jws.extract_compact(token.encode("ascii")).headers()
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise TokenRefused("it is not a JWT") from None
    if header.get("alg") not in ALGORITHMS:
        raise TokenRefused("its signature algorithm is not accepted")
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise TokenRefused("it is not a JWT")
    return key_id


def _verified(token: str, key: Key) -> Mapping[str, Any]:
    try:
        return jwt.decode(token, key, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError):
        raise TokenRefused("its signature does not fit") from None


def _seconds_since(now: datetime, claims: Mapping[str, Any], name: str, *, required: bool = False) -> float:
    value = claims.get(name)
    if value is None and not required:
        return math.inf
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TokenRefused(f"its claim {name} is not a time")
    return now.timestamp() - value


def _principal(claims: Mapping[str, Any], issuer: str) -> Principal:
    roles = frozenset(_texts(claims, "roles"))
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise TokenRefused("its claim sub is missing")
    client = claims.get("client_id") or claims.get("azp") or subject
    if not isinstance(client, str) or len(client) > CLIENT_CHARACTERS_MAX or not client.isprintable():
        raise TokenRefused("its claim client_id is not a short text")
    return Principal(
        chain_id=_chain(claims),
        actor=Actor(kind=_kind(roles), id=str(_subject_id(subject, issuer))),
        client=client,
        roles=roles,
        scopes=scopes_of(roles, _scope_claim(claims)),
        clinics=_clinics(claims),
    )


def _chain(claims: Mapping[str, Any]) -> UUID:
    try:
        return UUID(claims["chain"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise TokenRefused("its claim chain is not a UUID") from None


def _clinics(claims: Mapping[str, Any]) -> frozenset[UUID] | None:
    named = _texts(claims, "clinics")
    if EVERY_CLINIC in named:
        return None
    try:
        return frozenset(UUID(clinic) for clinic in named)
    except ValueError:
        raise TokenRefused("its claim clinics holds what is not a UUID") from None


def _scope_claim(claims: Mapping[str, Any]) -> frozenset[str]:
    scope = claims.get("scope")
    return frozenset(scope.split()) if isinstance(scope, str) else frozenset()


def _texts(claims: Mapping[str, Any], name: str) -> list[str]:
    value = claims.get(name, [])
    if not isinstance(value, list) or len(value) > CLINICS_MAX or not all(isinstance(item, str) for item in value):
        raise TokenRefused(f"its claim {name} is not a list of texts")
    return value


def _subject_id(subject: str, issuer: str) -> UUID:
    """Why not the subject itself: some providers put an e-mail address there, and actors stand in the log for ever."""
    try:
        return UUID(subject)
    except ValueError:
        return uuid5(_SUBJECTS, f"{issuer}|{subject}")


def _kind(roles: frozenset[str]) -> str:
    if roles == {"device"}:
        return "device"
    return "integration" if roles == {"integrator"} else "staff"
