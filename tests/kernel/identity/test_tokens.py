"""Tokens: who is believed, and why somebody is not."""

import base64
import hmac
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from joserfc.jwk import ECKey, OctKey

from erbium_kernel.errors import Unavailable
from erbium_kernel.identity import TokenRefused, tokens
from erbium_kernel.identity.key_set import FRESH, REFETCH_AFTER, STALE_MAX
from erbium_kernel.identity.tokens import BELIEVED_SECONDS, LEEWAY_SECONDS
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import WardClock

CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


@pytest.fixture
def clock() -> WardClock:
    return WardClock()


@pytest.fixture
def bearers(clock: WardClock) -> Bearers:
    return Bearers(clock)


async def test_believed(bearers: Bearers) -> None:
    """A token's chain, subject, client, clinics and roles become the principal, and its roles its scopes."""
    clinic, subject = uuid4(), uuid4()
    principal = await bearers.verifier.principal(bearers.token(CHAIN, roles=["nurse"], clinics=[str(clinic)], subject=subject))
    assert (principal.chain_id, principal.actor.kind, principal.actor.id) == (CHAIN, "staff", str(subject))
    assert principal.client == "tests"
    assert principal.covers(clinic)
    assert not principal.covers(uuid4())
    assert "telemetry:treat" in principal.scopes
    assert "screening:decide" not in principal.scopes


async def test_kinds_of_actors(bearers: Bearers) -> None:
    """A laser acts as a device, a chain's program as an integration, everybody else as staff."""
    kinds = {
        role: (await bearers.verifier.principal(bearers.token(CHAIN, roles=[role]))).actor.kind for role in ("device", "integrator", "ops")
    }
    assert kinds == {"device": "device", "integrator": "integration", "ops": "staff"}


async def test_narrowed_by_scope_claim(bearers: Bearers) -> None:
    """A token that names scopes of ours has only those of its roles; scopes of others, like openid, narrow nothing."""
    narrow = await bearers.verifier.principal(bearers.token(CHAIN, roles=["nurse"], scope="openid screening:read screening:decide"))
    assert narrow.scopes == {"screening:read"}
    wide = await bearers.verifier.principal(bearers.token(CHAIN, roles=["nurse"], scope="openid profile"))
    assert "screening:write" in wide.scopes


async def test_subject_that_names_somebody(bearers: Bearers) -> None:
    """A subject that is an e-mail address is replaced by an id that is the same every time: actors stand in the log for ever."""
    token = bearers.token(CHAIN, subject="ann@example.org")
    first, second = [(await bearers.verifier.principal(token)).actor.id for _ in range(2)]
    assert first == second
    assert UUID(first).version == 5


@pytest.mark.parametrize(
    ("what", "claims"),
    [
        ("another issuer", {"iss": "https://elsewhere.test"}),
        ("no issuer", {"iss": None}),
        ("another audience", {"aud": "billing"}),
        ("other audiences", {"aud": ["billing", "mail"]}),
        ("no audience", {"aud": None}),
        ("no expiry", {"exp": None}),
        ("an expiry that is a text", {"exp": "tomorrow"}),
        ("an expiry that is no number", {"exp": True}),
        ("no chain", {"chain": None}),
        ("a chain that is no UUID", {"chain": "laser-clinics-inc"}),
        ("clinics that are no list", {"clinics": "*"}),
        ("clinics that are no UUIDs", {"clinics": ["downtown"]}),
        ("roles that are no list", {"roles": "doctor"}),
        ("no subject", {"sub": None}),
        ("a client that is no text", {"client_id": ["a"]}),
    ],
)
async def test_claims_refused(bearers: Bearers, what: str, claims: dict[str, Any]) -> None:
    """A token is refused for each claim that does not say what it must."""
    with pytest.raises(TokenRefused):
        await bearers.verifier.principal(bearers.token(CHAIN, **claims))


async def test_time_with_leeway(bearers: Bearers, clock: WardClock) -> None:
    """A token is good from nbf to exp by the machine's clock, with a minute's leeway on both sides, and then it has expired."""
    token = bearers.token(CHAIN)
    clock.at += timedelta(seconds=600 + LEEWAY_SECONDS - 1)
    await bearers.verifier.principal(token)
    clock.at += timedelta(seconds=1)
    with pytest.raises(TokenRefused) as late:
        await bearers.verifier.principal(token)
    assert late.value.expired
    early = bearers.token(CHAIN, nbf=int(clock.at.timestamp()) + LEEWAY_SECONDS + 1)
    with pytest.raises(TokenRefused):
        await bearers.verifier.principal(early)


async def test_unsigned(bearers: Bearers) -> None:
    """`alg: none` is refused, with an empty signature and with the one of another token."""
    head, body, signature = bearers.token(CHAIN).split(".")
    none = _encoded(b'{"alg":"none","kid":"key-1"}')
    for token in (f"{none}.{body}.", f"{none}.{body}.{signature}", f"{head}.{body}.", "x.y.z", "", "a" * 9_000, "é.é.é"):
        with pytest.raises(TokenRefused):
            await bearers.verifier.principal(token)


async def test_signed_with_the_public_key(bearers: Bearers) -> None:
    """A token signed by HS256 with the published key as its secret is refused: the algorithms are pinned."""
    body = bearers.token(CHAIN).split(".")[1]
    signed = _encoded(b'{"alg":"HS256","kid":"key-1"}') + "." + body
    for secret in (bearers.key.as_pem(private=False), json.dumps(bearers.key.as_dict(private=False)).encode()):
        with pytest.raises(TokenRefused):
            await bearers.verifier.principal(f"{signed}.{_encoded(hmac.digest(secret, signed.encode(), 'sha256'))}")


async def test_signed_with_a_published_secret(bearers: Bearers) -> None:
    """A shared secret among the published keys is no key of ours."""
    secret = OctKey.import_key({"kty": "oct", "k": _encoded(b"s" * 32), "kid": "key-2"})
    bearers.published.append(secret)
    with pytest.raises(TokenRefused):
        await bearers.verifier.principal(bearers.token(CHAIN, key=secret, header={"alg": "HS256", "kid": "key-2"}))


async def test_another_ones_key_under_our_name(bearers: Bearers) -> None:
    """A token that names a published key but is signed with another is refused."""
    other = ECKey.generate_key("P-256", {"kid": "key-1"})
    with pytest.raises(TokenRefused):
        await bearers.verifier.principal(bearers.token(CHAIN, key=other))


async def test_new_key(bearers: Bearers, clock: WardClock) -> None:
    """A key that the provider published meanwhile is found by one new fetch; made-up names cause one fetch a minute at most."""
    await bearers.verifier.principal(bearers.token(CHAIN))
    new = ECKey.generate_key("P-256", {"kid": "key-2"})
    bearers.published.append(new)
    clock.at += REFETCH_AFTER
    await bearers.verifier.principal(bearers.token(CHAIN, key=new, header={"alg": "ES256", "kid": "key-2"}))
    assert bearers.fetched == 2
    for name in range(20):
        with pytest.raises(TokenRefused):
            await bearers.verifier.principal(bearers.token(CHAIN, header={"alg": "ES256", "kid": f"made-up-{name}"}))
    assert bearers.fetched == 2


async def test_withdrawn_key(bearers: Bearers, clock: WardClock) -> None:
    """A key that is no longer published is believed for ten minutes at most."""
    await bearers.verifier.principal(bearers.token(CHAIN))
    bearers.published[:] = [ECKey.generate_key("P-256", {"kid": "key-2"})]
    clock.at += FRESH + timedelta(seconds=1)
    with pytest.raises(TokenRefused):
        await bearers.verifier.principal(bearers.token(CHAIN))


async def test_provider_away(bearers: Bearers, clock: WardClock) -> None:
    """While the provider is away its known keys serve on, for an hour at most; with none known nobody can be checked."""
    bearers.away = True
    with pytest.raises(Unavailable):
        await bearers.verifier.principal(bearers.token(CHAIN))
    bearers.away = False
    clock.at += timedelta(seconds=6)
    await bearers.verifier.principal(bearers.token(CHAIN))
    bearers.away = True
    clock.at += FRESH + timedelta(seconds=1)
    await bearers.verifier.principal(bearers.token(CHAIN))
    clock.at += STALE_MAX
    with pytest.raises(Unavailable):
        await bearers.verifier.principal(bearers.token(CHAIN))


async def test_provider_away_is_not_hammered(bearers: Bearers) -> None:
    """While nothing is known and the provider is away, it is asked once in five seconds, however many come."""
    bearers.away = True
    for _ in range(10):
        with pytest.raises(Unavailable):
            await bearers.verifier.principal(bearers.token(CHAIN))
    assert bearers.fetched == 1


async def test_known_for_a_moment(bearers: Bearers, clock: WardClock) -> None:
    """A checked token is known without checking it again, to the letter, for a minute at most; one that nobody checked is not."""
    token, other = bearers.token(CHAIN), bearers.token(CHAIN)
    principal = await bearers.verifier.principal(token)
    assert bearers.verifier.known(token) == principal
    assert bearers.verifier.known(other) is None
    assert bearers.verifier.known(token + "A") is None
    clock.at += timedelta(seconds=BELIEVED_SECONDS)
    assert bearers.verifier.known(token) is None


async def test_known_no_longer_than_it_lasts(bearers: Bearers, clock: WardClock) -> None:
    """A token that ends within the minute is not known beyond its end and the leeway."""
    token = bearers.token(CHAIN, exp=int(clock.machine().timestamp()) - LEEWAY_SECONDS + 5)
    await bearers.verifier.principal(token)
    clock.at += timedelta(seconds=4)
    assert bearers.verifier.known(token) is not None
    clock.at += timedelta(seconds=1)
    assert bearers.verifier.known(token) is None


async def test_known_until_the_keys_are_fetched_anew(bearers: Bearers, clock: WardClock) -> None:
    """Keys that are fetched again end what was known of tokens: their key may have been withdrawn, or be another one under that name."""
    await bearers.verifier.principal(bearers.token(CHAIN))
    clock.at += REFETCH_AFTER
    token = bearers.token(CHAIN)
    await bearers.verifier.principal(token)
    assert bearers.verifier.known(token) is not None
    new = ECKey.generate_key("P-256", {"use": "sig", "kid": "key-2"})
    bearers.published[:] = [ECKey.generate_key("P-256", {"use": "sig", "kid": "key-1"}), new]
    await bearers.verifier.principal(bearers.token(CHAIN, key=new, header={"alg": "ES256", "kid": "key-2"}))
    assert bearers.verifier.known(token) is None
    with pytest.raises(TokenRefused):
        await bearers.verifier.principal(token)


async def test_few_are_known(bearers: Bearers, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tokens come, so many are known: the oldest is forgotten first."""
    monkeypatch.setattr(tokens, "BELIEVED_MAX", 2)
    made = [bearers.token(CHAIN) for _ in range(3)]
    for token in made:
        await bearers.verifier.principal(token)
    assert [bearers.verifier.known(token) is not None for token in made] == [False, True, True]
