"""The development issuer: `python -m erbium.issuer --port 8099 --keys .erbium/issuer`. It believes everybody, so it refuses production.

It answers GET /.well-known/jwks.json and /.well-known/openid-configuration, and POST /token (form: role, chain, clinics, subject).
"""

import argparse
import json
import os
import stat
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from erbium_kernel.identity import RIGHTS, ROLES, SCOPES
from erbium_kernel.observing.serving import PortTaken, listening

AUDIENCE = "erbium"
CLIENT = "erbium-workbench"
TOKEN_SECONDS = 12 * 3600  # a working day at the keyboard
FORM_BYTES_MAX = 64 * 1024
JWKS_PATH = "/.well-known/jwks.json"
KEY_FILE = "issuer-es256.jwk"
OWN_MODE = 0o600
ALGORITHM = "ES256"


class IssuerRefused(RuntimeError):
    """The issuer does not start, or does not make this token; the message is one sentence."""


def issuer_url(port: int) -> str:
    """What `iss` says, and where the issuer answers."""
    return f"http://127.0.0.1:{port}"


def jwks_url(port: int) -> str:
    """Where its public keys are."""
    return issuer_url(port) + JWKS_PATH


def mint(
    keys_folder: Path, issuer: str, *, role: str, chain: UUID, clinics: Sequence[str | UUID] = ("*",), subject: UUID | str | None = None
) -> str:
    """A token for one role in one chain. `clinics`: ids, or `*` for every clinic of the chain. Raises: IssuerRefused."""
    refuse_production()
    if role not in ROLES:
        raise IssuerRefused(f"There is no role {role}: choose one of {', '.join(ROLES)}.")
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": issuer, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + TOKEN_SECONDS, "jti": str(uuid4()),
        "sub": str(subject or uuid4()), "client_id": f"{CLIENT}-{role}", "roles": [role], "chain": str(chain),
        "clinics": [str(clinic) for clinic in clinics], "scope": " ".join(sorted(RIGHTS[role])),
    }  # fmt: skip
    key = own_key(keys_folder)
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": "at+jwt"}, claims, key, algorithms=[ALGORITHM])


def own_key(folder: Path) -> ECKey:
    """The signing key, made once, readable by its owner only. Raises: IssuerRefused if others may read it."""
    path = folder / KEY_FILE
    if not path.exists():
        _make(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise IssuerRefused(f"{path} can be read by others: remove it, and the next start makes a new one.")
    key = ECKey.import_key(json.loads(path.read_text()))
    key.ensure_kid()
    return key


def _make(path: Path) -> None:
    """Why by a link: of two that start at once one wins, and nobody reads half a key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWN_MODE), "wb") as file:
        file.write(json.dumps(key.as_dict(private=True)).encode())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def refuse_production() -> None:
    """Raises: IssuerRefused where real patients may be."""
    if os.environ.get("ERBIUM_ENV") == "production":
        raise IssuerRefused("ERBIUM_ENV is production: tokens come from your own identity provider there, never from this issuer.")


def issuer_app(keys_folder: Path, issuer: str) -> Starlette:
    """The issuer as an ASGI application."""
    refuse_production()
    key = own_key(keys_folder)

    async def discovery(_: Request) -> JSONResponse:
        return JSONResponse(
            {
                "issuer": issuer, "jwks_uri": issuer + JWKS_PATH, "token_endpoint": f"{issuer}/token", "scopes_supported": list(SCOPES),
                "response_types_supported": ["token"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [ALGORITHM], "grant_types_supported": ["client_credentials"],
            }
        )  # fmt: skip

    async def jwks(_: Request) -> JSONResponse:
        return JSONResponse({"keys": [key.as_dict(private=False)]}, headers={"Cache-Control": "max-age=600"})

    async def token(request: Request) -> JSONResponse:
        try:
            asked = await _asked(request)
            made = mint(keys_folder, issuer, **asked)
        except (IssuerRefused, ValueError) as error:
            told = str(error) if isinstance(error, IssuerRefused) else "chain and clinics are UUIDs"
            return JSONResponse({"error": "invalid_request", "error_description": told}, 400)
        scope = " ".join(sorted(RIGHTS[asked["role"]]))
        body = {"access_token": made, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": scope}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", discovery),
            Route(JWKS_PATH, jwks),
            Route("/token", token, methods=["POST"]),
            Route("/livez", lambda _: JSONResponse({"alive": True})),
        ]
    )


async def _asked(request: Request) -> dict[str, Any]:
    """The form's fields. Raises: IssuerRefused, ValueError."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise IssuerRefused("The form is too large.")
    form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
    if "role" not in form or "chain" not in form:
        raise IssuerRefused("Send a form with role and chain, and if you like clinics (ids with commas between, or *) and subject.")
    clinics = [clinic.strip() for clinic in form.get("clinics", "*").split(",")]
    return {
        "role": form["role"],
        "chain": UUID(form["chain"]),
        "clinics": [clinic if clinic == "*" else str(UUID(clinic)) for clinic in clinics],
        "subject": form.get("subject"),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until a signal ends it. Returns 1, with a sentence, if it does not start."""
    parser = argparse.ArgumentParser(prog="python -m erbium.issuer", description="Development tokens for everybody; refuses production.")
    parser.add_argument("--port", type=int, required=True, help="listens on 127.0.0.1 only")
    parser.add_argument("--keys", type=Path, required=True, help="folder of the signing key; made if it is not there")
    asked = parser.parse_args(arguments)
    try:
        app = issuer_app(asked.keys, issuer_url(asked.port))
        with listening("127.0.0.1", asked.port) as listener:
            uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning", lifespan="off")).run(sockets=[listener])
    except (IssuerRefused, PortTaken) as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
