"""The development issuer."""

import os
import stat
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from erbium import issuer
from erbium_kernel.clock import SystemClock
from erbium_kernel.identity import ROLES, KeySet, Verifier


def verifier(folder: Path) -> Verifier:
    async def published() -> dict[str, object]:
        return {"keys": [issuer.own_key(folder).as_dict(private=False)]}

    return Verifier(KeySet(published, SystemClock()), issuer=issuer.issuer_url(8099), audience=issuer.AUDIENCE, clock=SystemClock())


@pytest.mark.parametrize("role", ROLES)
async def test_mint(tmp_path: Path, role: str) -> None:
    """What it makes for each role, a service believes."""
    chain, clinic, subject = uuid4(), uuid4(), uuid4()
    token = issuer.mint(tmp_path, issuer.issuer_url(8099), role=role, chain=chain, clinics=[clinic], subject=subject)
    principal = await verifier(tmp_path).principal(token)
    assert (principal.chain_id, principal.roles, principal.clinics) == (chain, {role}, {clinic})
    assert principal.actor.id == str(subject)


def test_key_is_made_once(tmp_path: Path) -> None:
    """The key survives restarts, only its owner can read it, and a key that others can read is refused."""
    first = issuer.own_key(tmp_path / "keys")
    file = tmp_path / "keys" / issuer.KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert issuer.own_key(tmp_path / "keys").kid == first.kid
    assert os.listdir(tmp_path / "keys") == [issuer.KEY_FILE]
    file.chmod(0o644)
    with pytest.raises(issuer.IssuerRefused, match="read by others"):
        issuer.own_key(tmp_path / "keys")


def test_refuses_production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In production it makes no token and does not start, and says why."""
    monkeypatch.setenv("ERBIUM_ENV", "production")
    with pytest.raises(issuer.IssuerRefused):
        issuer.mint(tmp_path, issuer.issuer_url(1), role="doctor", chain=uuid4())
    assert issuer.main(["--port", "0", "--keys", str(tmp_path)]) == 1
    assert "production" in capsys.readouterr().err


async def test_over_http(tmp_path: Path) -> None:
    """Discovery leads to the keys and the token endpoint; the token is believed; a wrong form is told what is right."""
    app = issuer.issuer_app(tmp_path, issuer.issuer_url(8099))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=issuer.issuer_url(8099)) as client:
        found = (await client.get("/.well-known/openid-configuration")).json()
        assert found["issuer"] == issuer.issuer_url(8099)
        assert (await client.get(found["jwks_uri"])).json()["keys"][0]["kid"] == issuer.own_key(tmp_path).kid
        assert "d" not in (await client.get(found["jwks_uri"])).json()["keys"][0]
        chain = uuid4()
        answer = await client.post(found["token_endpoint"], data={"role": "doctor", "chain": str(chain)})
        principal = await verifier(tmp_path).principal(answer.json()["access_token"])
        assert (principal.chain_id, principal.clinics) == (chain, None)
        for form in ({}, {"role": "emperor", "chain": str(chain)}, {"role": "doctor", "chain": "x"}):
            wrong = await client.post(found["token_endpoint"], data=form)
            assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_request")
