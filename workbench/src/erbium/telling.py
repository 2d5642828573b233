"""What the command line says about a running stack: everything for programs, the useful part for people."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from erbium import stack as local_stack
from erbium.development_chain import PLACES, erbium_command, working_curl

CALLED_BY = "ERBIUM_CALLED_BY"  # set by the Makefile, so that people are told the command they know


def as_called(command: str) -> str:
    """`make up` for who called make, else `erbium up`."""
    return f"`make {command}`" if os.environ.get(CALLED_BY) == "make" else f"`erbium {command}`"


def token_hours() -> int:
    """How long a token of development is valid."""
    from erbium.issuer import TOKEN_SECONDS  # here, since it takes half a second and not every command needs it

    return TOKEN_SECONDS // 3600


def described(running: local_stack.Stack, *, already: bool) -> dict[str, Any]:
    """Everything about a running stack."""
    return {
        "running": True,
        "already": already,
        "services": {name: {"url": one.url, "docs": one.docs, "metrics": one.metrics} for name, one in sorted(running.services.items())},
        "issuer": running.issuer,
        "kafka": running.servers.kafka,
        "chain": str(running.chain),
        "clinics": [str(clinic) for clinic in running.clinics],
        "tokens": {role: running.token(role) for role in local_stack.ROLES},
        "tokens_valid_hours": token_hours(),
        "new_token": f"{erbium_command()} token --role doctor",
        "curl": working_curl(running),
        "logs": str(running.state / "logs"),
    }


def briefly(found: dict[str, Any]) -> str:
    """Where everything is; no token."""
    return "\n".join(
        [
            "Erbium runs.",
            "",
            *_places(found),
            "",
            f"A token for a role: {found['new_token']}",
            f"{as_called('down')} stops it; the data stays.",
        ]
    )


def at_length(found: dict[str, Any]) -> str:
    """Where everything is, a token for each role, and a first command to paste."""
    hours = found["tokens_valid_hours"]
    until = (datetime.now(UTC) + timedelta(hours=hours)).astimezone()
    return "\n".join(
        [
            "Erbium was running already." if found["already"] else "Erbium runs.",
            "",
            f"Tokens for development, one a role, valid for {hours} hours (until {until:%a %H:%M} here):",
            "",
            *(f"  {role:<21} {token}" for role, token in found["tokens"].items()),
            "",
            *_places(found),
            "",
            f"A new token: {found['new_token']}",
            "",
            "Try this, it shows the two clinics (read with a fresh token of a front desk):",
            "",
            f"  {found['curl']}",
            "",
            f"{as_called('down')} stops it; the data stays.",
        ]
    )


def _places(found: dict[str, Any]) -> list[str]:
    lines = [f"  {name:<17} {where['docs']:<31} metrics {where['metrics']}" for name, where in found["services"].items()]
    lines += [f"  chain             {found['chain']}"]
    lines += [f"  clinic            {clinic}  {name} ({zone})" for clinic, (name, zone) in zip(found["clinics"], PLACES, strict=True)]
    return [*lines, f"  logs              {found['logs']}"]
