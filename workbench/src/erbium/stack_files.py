"""The files of a running stack: ports, pids, logs, the secrets of development and its one chain."""

import base64
import json
import secrets
import uuid
from datetime import UTC, datetime
from pathlib import Path

from erbium import provision
from erbium.servers import folder

CLINICS_OF_DEVELOPMENT = 2


def book_file(state: Path) -> Path:
    """Where a running stack keeps its ports."""
    return state / "stack.json"


def pid_file(state: Path, name: str) -> Path:
    """A process's pid file."""
    return state / "run" / f"{name}.pid"


def log_file(state: Path, name: str) -> Path:
    """A process's log file."""
    return state / "logs" / f"{name}.log"


def write_file(path: Path, text: str, mode: int) -> None:
    """By rename, with this mode from the first byte on."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=mode)
    fresh.write_text(text)
    fresh.replace(path)


def tenant_of_development(state: Path) -> tuple[uuid.UUID, list[uuid.UUID]]:
    """One chain with two clinics, made once for this state folder."""
    path = state / "development.json"
    if not path.is_file():
        made = {"chain": str(uuid.uuid4()), "clinics": [str(uuid.uuid4()) for _ in range(CLINICS_OF_DEVELOPMENT)]}
        write_file(path, json.dumps(made, indent=2), 0o644)
    kept = json.loads(path.read_text())
    return uuid.UUID(kept["chain"]), [uuid.UUID(clinic) for clinic in kept["clinics"]]


def secrets_of(state: Path, service: str) -> Path:
    """The folder of a service's secrets, 0700."""
    return state / "secrets" / service


def make_secrets(state: Path) -> None:
    """One master key for all four services (keys travel wrapped by it), a fingerprint key for each. Made once."""
    from erbium_kernel.masters import KEY_BYTES, make_master, spread_masters

    folders = [folder.ensure(secrets_of(state, service), 0o700) for service in provision.SERVICES]
    for own in folders:
        if not (own / "fingerprint.key").is_file():
            write_file(own / "fingerprint.key", base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode(), 0o600)
    spread_masters(folders)
    if not any(list(own.glob("master-*.key")) for own in folders):
        make_master(folders, datetime.now(UTC))
