"""How long it takes, after a fault has ended, until everything works again without anybody's hand."""

import hashlib
import time
import uuid
from typing import Any, Final

import httpx

from tests.faults.load import a_clinic
from tests.faults.site import Site

RECOVERY_SECONDS_MAX: Final = 5.0  # the promise, on a machine that has time for us
PATIENCE_SECONDS_MAX: Final = 90.0  # so that a broken promise is told with the time it took
LOOK_SECONDS: Final = 0.05
YARDSTICK_ROUNDS: Final = 100_000  # some 50 ms of processor time
HEARS_SCREENING: Final = {"scheduling": "/v1/clinics", "device_telemetry": "/v1/devices", "aftercare": "/v1/care-plans"}


def slowdown() -> float:
    """How many times longer than its processor time a piece of work takes at this moment: 1 where a processor is free for it.

    Why a hash: it runs without the interpreter's lock, which the load of this process holds most of the time.
    """
    began, used = time.monotonic(), time.thread_time()
    hashlib.pbkdf2_hmac("sha256", b"yard", b"stick", YARDSTICK_ROUNDS)
    return max(1.0, (time.monotonic() - began) / (time.thread_time() - used))


def recovered(site: Site, ended_at: float, *, seconds_max: float = RECOVERY_SECONDS_MAX) -> float:
    """Seconds from the end of a fault until a fresh command of each kind has been seen by who hears it, and every process says it is ready.

    The fresh commands: a patient in screening, seen in the three other services; a clinic in scheduling, seen in screening; so the
    outgoing and the incoming sides work.

    When does a fault end? Where a process was killed: when its replacement listens (a service has opened its ports, PostgreSQL lets
    clients in, Kafka answers), since before that there is nobody who could recover; how long a program takes to be loaded is the
    machine's affair. Where something was frozen, full, slow or refused: when that is over.

    Where others keep the processors busy, the deadline is longer by as much as everything takes longer then (`slowdown`, of the worse of
    the moments before and after); what is returned are the seconds of the clock on the wall.
    Raises: AssertionError when it takes longer than `seconds_max`.
    """
    slow = slowdown()
    waits = _gone_through(site, ended_at)
    took = time.monotonic() - ended_at
    allowed = seconds_max * max(slow, slowdown())
    assert took <= allowed, f"recovered {took:.2f} s after the end of the fault, allowed are {allowed:.2f} s; waited for {waits}"
    return took


def _gone_through(site: Site, ended_at: float) -> list[tuple[float, str]]:
    """(when after the end of the fault, what was waited for)."""
    waits: list[tuple[float, str]] = []
    with httpx.Client(timeout=3, trust_env=False) as http:
        for step in _steps(site, http):
            while wait := _waits(step):
                after = time.monotonic() - ended_at
                if not waits or waits[-1][1] != wait:
                    waits.append((round(after, 2), wait))
                assert after < PATIENCE_SECONDS_MAX, f"not recovered {after:.0f} s after the end of the fault; waited for {waits}"
                time.sleep(LOOK_SECONDS)
    return waits


def _waits(step: Any) -> str:
    try:
        found: str = step()
    except httpx.HTTPError as error:
        return repr(error)
    return found


def _steps(site: Site, http: httpx.Client) -> Any:
    """Each step is asked until it returns an empty text."""
    patient_id, clinic_id = uuid.uuid4(), uuid.uuid4()
    patient = {"patient_id": str(patient_id), "clinic_id": str(site.clinics[0]), "name": "Ada Sample", "birth_date": "1986-05-05"}
    messages: dict[str, str] = {}

    def post(service: str, path: str, body: Any, role: str, key: str) -> str:
        headers = {"Authorization": f"Bearer {site.token(role)}", "Idempotency-Key": key}
        answer = http.post(site.url(service) + path, json=body, headers=headers)
        if answer.status_code != httpx.codes.CREATED:
            return f"POST {service}{path}: {answer.status_code}"
        messages[service] = answer.headers["erbium-message"]
        return ""

    def seen(service: str, path: str, sender: str) -> str:
        headers = {"Authorization": f"Bearer {site.token('doctor')}", "Erbium-After": messages[sender]}
        answer = http.get(site.url(service) + path, headers=headers)
        if answer.status_code not in (httpx.codes.OK, httpx.codes.NOT_FOUND):
            return f"GET {service}{path}: {answer.status_code}"
        return f"{service} has not heard {sender}" if answer.headers.get("erbium-after") == "pending" else ""

    here = {service for service in ("screening", "scheduling", "device_telemetry", "aftercare") if f"{service}-api" in site.programs}
    keys = str(uuid.uuid4()), str(uuid.uuid4())
    yield lambda: post("screening", "/v1/patients", patient, "front_desk", keys[0])
    yield lambda: post("scheduling", "/v1/clinics", a_clinic(clinic_id), "medical_director", keys[1])
    for service, path in HEARS_SCREENING.items():
        if service in here:
            yield lambda service=service, path=path: seen(service, path, "screening")
    yield lambda: seen("screening", "/v1/patients", "scheduling")
    yield lambda: "; ".join(site.not_ready())
