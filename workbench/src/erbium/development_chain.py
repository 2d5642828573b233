"""The chain of development: two clinics, registered through the API like those of any other chain, so that every id printed exists."""

import json
import shlex
import sys
import uuid
from pathlib import Path
from typing import Any

import httpx

from erbium.journey.clinic import Clinic, JourneyFailed
from erbium.servers import LocalServerError
from erbium.servers.errors import STATE
from erbium.servers.folder import named_state
from erbium.stack import Stack

PLACES = (("Madrid Centro", "Europe/Madrid"), ("Las Palmas", "Atlantic/Canary"))
OPENING_HOURS = [{"weekday": day, "opens": "08:00", "closes": "20:00"} for day in range(1, 7)]


def register(stack: Stack) -> None:
    """Both clinics, once: a second time nothing changes. Raises: LocalServerError."""

    def mint(role: str, chain: uuid.UUID, clinics: list[uuid.UUID], subject: uuid.UUID) -> str:
        return stack.token(role, chain=chain, clinics=clinics, subject=subject)

    urls = {name: endpoint.url for name, endpoint in stack.services.items()}
    with Clinic(urls, mint, stack.chain, list(stack.clinics)) as clinic:
        try:
            for body in bodies(stack):
                _register(clinic, body)
        except JourneyFailed as failed:
            raise LocalServerError(f"The clinics of the development chain could not be registered: {failed}.") from failed


def bodies(stack: Stack) -> list[dict[str, Any]]:
    """What the API is sent for each clinic."""
    return [
        {"clinic_id": str(clinic_id), "name": name, "time_zone": zone, "opening_hours": OPENING_HOURS}
        for clinic_id, (name, zone) in zip(stack.clinics, PLACES, strict=True)
    ]


def _register(clinic: Clinic, body: dict[str, Any]) -> None:
    """Under a key made of what is sent: the same command gets the answer of the first time. A clinic that stands is left as it is."""
    key = uuid.uuid5(clinic.chain, json.dumps(body, sort_keys=True))
    try:
        registered = clinic.post("scheduling", "/v1/clinics", body, role="medical_director", key=str(key))
    except JourneyFailed as failed:
        if failed.status != httpx.codes.CONFLICT:
            raise
    else:
        clinic.get("scheduling", "/v1/clinics", after=registered.event)  # whoever lists them now finds them


def erbium_command() -> str:
    """How this very program is called from anywhere, on this very state."""
    script = Path(sys.executable).with_name("erbium")
    program = [str(script)] if script.is_file() else [sys.executable, "-m", "erbium"]
    state = named_state()
    return " ".join([*([f"{STATE}={shlex.quote(str(state))}"] if state else []), *map(shlex.quote, program)])


def working_curl(stack: Stack) -> str:
    """A command that shows something when it is pasted: the two clinics, read with a token that is made at that moment."""
    url = f"{stack.services['scheduling'].url}/v1/clinics"
    return f'curl -sS -H "Authorization: Bearer $({erbium_command()} token --role front_desk)" {url}'
