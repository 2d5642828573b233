"""A person's key on the real topic: late, twice, and after the erasure, when nobody may take it in any more."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from erbium_kernel.message import KEYS_TOPIC
from tests.faults.compared import connected, rows_of
from tests.faults.recovery import recovered
from tests.faults.site import Site
from tests.faults.telling import Figures, tell

HEARERS: Final = ("scheduling", "device_telemetry", "aftercare")
HEARD_SECONDS_MAX: Final = 60.0
LOOK_SECONDS: Final = 0.1
FIND_SECONDS_MAX: Final = 20.0


class Held(NamedTuple):
    """What a service's own table says of the person's key."""

    wrapped: bytes | None
    erased: bool


def test_late_twice_and_too_late(site: Site, figures: Figures) -> None:
    """Late: taken in as it was. Twice: nothing changes. After the erasure: it stays erased in all services, and the name unread."""
    recovered(site, time.monotonic())  # whatever the tests before have left
    patient = uuid.uuid4()
    with httpx.Client(timeout=10, trust_env=False) as http:
        etag = _registered(site, http, patient)
        keys = until(lambda: _all_held(site, patient))
        assert set(keys.values()) == {Held(keys["scheduling"].wrapped, False)}, "one key, wrapped once"
        record = asyncio.run(_record_of(site, patient))
        assert record == (_place(site, patient), keys["scheduling"].wrapped)

        asyncio.run(_taken_away(site, patient))  # as if it had not arrived yet
        assert not _held(site, patient)
        for _ in range(2):  # late, and twice
            heard = asyncio.run(_sent(site, record))
            until(lambda heard=heard: _taken_in(site, *heard))
            assert _held(site, patient) == keys

        _erased(site, http, patient, etag)
        gone = dict.fromkeys(HEARERS, Held(None, True))
        until(lambda: _held(site, patient) == gone)
        heard = asyncio.run(_sent(site, record))  # from somebody's copy, or a producer that was away
        until(lambda: _taken_in(site, *heard))
        assert _held(site, patient) == gone
        answer = http.get(f"{site.url('screening')}/v1/patients/{patient}", headers=_bearer(site, "doctor"))
        assert answer.status_code == httpx.codes.NOT_FOUND, answer.text  # the erased are not shown
    recovered(site, time.monotonic())
    unread = {service: rows_of(site, service, "SELECT count(*) FROM unreadable WHERE topic = $1", KEYS_TOPIC)[0][0] for service in HEARERS}
    assert not any(unread.values()), unread
    tell("a key: late, twice and after the erasure")
    figures["a key late, twice, after the erasure"] = {"services": len(HEARERS), "readable_after_the_erasure": 0}


def until(found: Callable[[], Any]) -> Any:
    """What it finds, once it finds something."""
    began = time.monotonic()
    while not (value := found()):
        assert time.monotonic() - began < HEARD_SECONDS_MAX, "not in time"
        time.sleep(LOOK_SECONDS)
    return value


def _bearer(site: Site, role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.token(role)}"}


def _registered(site: Site, http: httpx.Client, patient: uuid.UUID) -> str:
    body = {"patient_id": str(patient), "clinic_id": str(site.clinics[0]), "name": "Ada Sample", "birth_date": "1986-05-05"}
    headers = _bearer(site, "front_desk") | {"Idempotency-Key": str(uuid.uuid4())}
    answer = http.post(f"{site.url('screening')}/v1/patients", json=body, headers=headers)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.headers["etag"])


def _erased(site: Site, http: httpx.Client, patient: uuid.UUID, etag: str) -> None:
    headers = _bearer(site, "privacy_officer") | {"Idempotency-Key": str(uuid.uuid4()), "If-Match": etag}
    url = f"{site.url('screening')}/v1/patients/{patient}/erasure"
    answer = http.post(url, json={"clinic_id": str(site.clinics[0])}, headers=headers)
    assert answer.status_code == httpx.codes.OK, answer.text


def _held(site: Site, patient: uuid.UUID) -> dict[str, Held]:
    question = "SELECT wrapped, erased FROM keys WHERE chain_id = $1 AND subject_id = $2"
    rows = {service: rows_of(site, service, question, site.chain, patient) for service in HEARERS}
    return {service: Held(*found[0]) for service, found in rows.items() if found}


def _all_held(site: Site, patient: uuid.UUID) -> dict[str, Held]:
    found = _held(site, patient)
    return found if len(found) == len(HEARERS) else {}


async def _taken_away(site: Site, patient: uuid.UUID) -> None:
    for service in HEARERS:
        async with connected(site, service) as connection:
            await connection.execute("DELETE FROM keys WHERE chain_id = $1 AND subject_id = $2", site.chain, patient)


def _taken_in(site: Site, partition: int, offset: int) -> bool:
    """Every hearer has read beyond this record."""
    question = "SELECT 1 FROM positions WHERE topic = $1 AND partition = $2 AND next_offset > $3"
    return all(rows_of(site, service, question, KEYS_TOPIC, partition, offset) for service in HEARERS)


def _place(site: Site, patient: uuid.UUID) -> bytes:
    return f"{site.chain}/{patient}".encode()


async def _record_of(site: Site, patient: uuid.UUID) -> tuple[bytes, bytes]:
    """(key, value) of the person's record as it stands on the topic: what anybody who reads the topic may keep."""
    consumer = AIOKafkaConsumer(KEYS_TOPIC, bootstrap_servers=site.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(FIND_SECONDS_MAX):
            while True:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        if record.key == _place(site, patient):
                            return record.key, record.value
    finally:
        await consumer.stop()


async def _sent(site: Site, record: tuple[bytes, bytes]) -> tuple[int, int]:
    """Where it stands: (partition, offset)."""
    key, value = record
    producer = AIOKafkaProducer(bootstrap_servers=site.kafka)
    await producer.start()
    try:
        sent: Any = await producer.send_and_wait(KEYS_TOPIC, value=value, key=key)
        return int(sent.partition), int(sent.offset)
    finally:
        await producer.stop()
