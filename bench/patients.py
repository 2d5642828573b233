"""Patients' lives as a clinic's software sends them: registered, then nine facts, each on the version last answered."""

import json
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from bench.ground import Ground
from bench.http_load import Asks, Refused, patiently, request

FACTS: Final = 9
CREATED: Final = 201


def lives(ground: Ground, *, token: str) -> Callable[[int, Asks], Callable[[], Awaitable[object]]]:
    """One caller after the other lives through patients: every tenth command registers the next one.

    So a command finds five events in its stream at the mean, and the load is the same however long it lasts.
    """
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    clinic = str(ground.clinics[0])

    def talk(_: int, connection: Asks) -> Callable[[], Awaitable[object]]:
        patient, version, done = "", b"", FACTS

        async def once() -> None:
            nonlocal patient, version, done
            if done == FACTS:
                patient, version, done = str(uuid4()), b"", 0
                asked = request("POST", "/v1/patients", headers | key_header(), registration(UUID(patient), clinic))
            else:
                done += 1
                asked = request(
                    "POST", f"/v1/patients/{patient}/procedures", headers | key_header() | _match(version), procedure(clinic, done)
                )
            answer = await patiently(connection, asked)
            if answer.status != CREATED:
                raise Refused(f"{answer.status} {answer.body[:300]!r}")
            version = answer.header(b"etag")

        return once

    return talk


def registration(patient: UUID, clinic: str) -> bytes:
    """A new patient; names are made up."""
    return _body(
        {"patient_id": str(patient), "clinic_id": clinic, "name": "Ada Sample", "birth_date": "1986-05-05", "contact": "+34 600 000 000"}
    )


def procedure(clinic: str, n: int) -> bytes:
    """A procedure done elsewhere, long ago: it contradicts nothing."""
    return procedure_on(clinic, date(2024, 1, 15) + timedelta(days=n))


def procedure_on(clinic: str, on: date) -> bytes:
    """Botox on that day."""
    return _body({"clinic_id": clinic, "kind": "botulinum_toxin", "zones": ["forehead"], "on": on.isoformat(), "certainty": "exact"})


def _body(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def key_header() -> dict[str, str]:
    """A key of its own for each command."""
    return {"idempotency-key": str(uuid4())}


def _match(version: bytes) -> dict[str, str]:
    return {"if-match": version.decode()}
