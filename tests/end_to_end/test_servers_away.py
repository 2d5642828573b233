"""Kafka away, PostgreSQL away: commands go on or fail in time, and nothing that was answered is lost."""

import asyncio
import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from erbium import servers
from erbium.journey.clinic import Clinic
from erbium.stack import Stack
from tests.end_to_end.scanning import until

ANSWER_SECONDS_MAX = 2.0
RECOVERY_SECONDS_MAX = 5.0  # deadline of a fault test
CHAIN = uuid.uuid4()
CLINICS = [uuid.uuid4()]


@pytest.fixture
def clinic(stack: Stack) -> Iterator[Clinic]:
    """A chain of its own."""
    urls = {name: endpoint.url for name, endpoint in stack.services.items()}

    def mint(role: str, chain: uuid.UUID, clinics: list[uuid.UUID], subject: uuid.UUID) -> str:
        return stack.token(role, chain=chain, clinics=clinics, subject=subject)

    with Clinic(urls, mint, CHAIN, CLINICS) as opened:
        yield opened


def pid_of(state: Path, name: str) -> int:
    """The process id in a pid file."""
    return int(json.loads((state / "run" / f"{name}.pid").read_text())["pid"])


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """Stopped as if the machine had paused it; goes on whatever happens."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def children_of(pid: int) -> list[int]:
    """A process and all that it has started."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def a_clinic(clinic_id: uuid.UUID) -> dict[str, Any]:
    hours = [{"weekday": 1, "opens": "08:00", "closes": "20:00"}]
    return {"clinic_id": str(clinic_id), "name": "Centro", "time_zone": "Europe/Madrid", "opening_hours": hours}


def test_kafka_away(stack: Stack, clinic: Clinic) -> None:
    """While Kafka is frozen commands are answered as ever; when it is back their facts leave by themselves."""
    clinic_id = uuid.uuid4()
    clinic.clinics.append(clinic_id)
    with frozen([pid_of(stack.state, "kafka")]):
        registered = clinic.post("scheduling", "/v1/clinics", a_clinic(clinic_id), role="medical_director")
        assert registered.took_ms < ANSWER_SECONDS_MAX * 1000
        time.sleep(1.0)

    def heard() -> bool:
        reply = clinic.get("device_telemetry", "/v1/devices", role="nurse", after=registered.message)
        return reply.status == 200

    until(RECOVERY_SECONDS_MAX + 15.0, heard)  # the broker's own timeouts end first


def test_postgres_away(stack: Stack, clinic: Clinic) -> None:
    """While PostgreSQL is frozen commands and questions get 503 with Retry-After within 2 s; afterwards the same key has one effect."""
    clinic_id, key = uuid.uuid4(), str(uuid.uuid4())
    clinic.clinics.append(clinic_id)
    clinic.forget("medical_director")
    token = clinic.token("medical_director")
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    url = stack.services["scheduling"].url + "/v1/clinics"
    asked = {"Authorization": f"Bearer {token}"}
    with frozen(children_of(pid_of(stack.state, "postgres"))), httpx.Client(timeout=10, trust_env=False) as client:
        refused = {
            "a command": timed(client, "POST", url, json=a_clinic(clinic_id), headers=headers),
            "a list": timed(client, "GET", url, headers=asked),
            "one": timed(client, "GET", f"{url}/{clinic_id}", headers=asked),
            "one, after an event": timed(client, "GET", f"{url}/{clinic_id}", headers={**asked, "Erbium-After": str(uuid.uuid4())}),
        }
    for what, (answer, took) in refused.items():
        assert answer.status_code == 503, (what, answer.text)
        assert int(answer.headers["retry-after"]) >= 1, what
        assert answer.headers["content-type"].startswith("application/problem+json"), what
        assert took < ANSWER_SECONDS_MAX, what

    def done() -> bool:
        again = httpx.post(url, json=a_clinic(clinic_id), headers=headers, timeout=10, trust_env=False)
        return again.status_code == 201

    until(RECOVERY_SECONDS_MAX, done)
    again = httpx.post(url, json=a_clinic(clinic_id), headers=headers, timeout=10, trust_env=False)
    assert again.headers.get("idempotent-replayed") == "true"


def timed(client: httpx.Client, method: str, url: str, **request: Any) -> tuple[httpx.Response, float]:
    """An answer, and how long it took in seconds."""
    started = time.monotonic()
    answer = client.request(method, url, **request)
    return answer, time.monotonic() - started


def test_postgres_killed(stack: Stack, clinic: Clinic) -> None:
    """A session killed under the services costs no answered command: everything answered 2xx is there afterwards."""
    answered = []
    for round_ in range(3):
        clinic_id = uuid.uuid4()
        clinic.clinics.append(clinic_id)
        clinic.forget("medical_director")
        clinic.post("scheduling", "/v1/clinics", a_clinic(clinic_id), role="medical_director")
        answered.append(clinic_id)
        _kill_sessions(stack, "erbium_scheduling")
        del round_
    for clinic_id in answered:
        until(RECOVERY_SECONDS_MAX, lambda clinic_id=clinic_id: _is_there(clinic, clinic_id))


def _is_there(clinic: Clinic, clinic_id: uuid.UUID) -> bool:
    reply = clinic.get("scheduling", f"/v1/clinics/{clinic_id}", role="front_desk")
    return bool(reply.body["clinic_id"] == str(clinic_id))


def _kill_sessions(stack: Stack, database: str) -> None:
    async def kill() -> None:
        connection = await asyncpg.connect(stack.servers.postgres_url, timeout=5)
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database)
        await connection.close()

    asyncio.run(kill())


def test_servers_are_found(stack: Stack) -> None:
    """The stack that these tests disturb is one of their own."""
    assert servers.attach(stack.state) is not None
