"""An identity provider inside the test: it signs what it is asked to, and its keys are found without a network."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.jwk import ECKey

from erbium_kernel.identity import ROLES, KeySet, Verifier
from erbium_kernel.ports import Clock

ISSUER = "https://issuer.test"
AUDIENCE = "erbium"


class Bearers:
    """`verifier` believes the tokens of this provider; `token` makes them, by default with every role and every clinic."""

    def __init__(self, clock: Clock) -> None:
        """One ES256 key."""
        self._clock = clock
        self.key = ECKey.generate_key("P-256", {"use": "sig", "kid": "key-1"})
        self.published: list[Any] = [self.key]
        self.fetched = 0
        self.away = False
        self.verifier = Verifier(KeySet(self._fetch, clock), issuer=ISSUER, audience=AUDIENCE, clock=clock)

    async def _fetch(self) -> dict[str, Any]:
        self.fetched += 1
        if self.away:
            raise OSError("away")
        return {"keys": [key.as_dict(private=False) for key in self.published]}

    def token(
        self,
        chain_id: UUID,
        *,
        roles: Sequence[str] = ROLES,
        clinics: Sequence[str] = ("*",),
        subject: UUID | str | None = None,
        key: Any = None,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A signed token; `claims` replace or (None) remove the usual ones."""
        now = int(self._clock.machine().timestamp())
        usual: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 600, "client_id": "tests"}
        who = {"sub": str(subject or uuid4()), "chain": str(chain_id), "clinics": _listed(clinics), "roles": _listed(roles)}
        usual |= who | claims
        found = {name: value for name, value in usual.items() if value is not None}
        return jwt.encode(header or {"alg": "ES256", "kid": "key-1"}, found, key or self.key, algorithms=["ES256", "HS256"])


def _listed(value: Sequence[str]) -> Sequence[str]:
    """A text stays a text: a wrong token is made of one."""
    return value if isinstance(value, str) else list(value)
