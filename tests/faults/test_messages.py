"""Records that nobody should have sent: each is kept and told, its key waits where it must, and the partition goes on (R7)."""

import asyncio
import json
import time
import uuid
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaProducer

from tests.faults.compared import rows_of, service_of
from tests.faults.recovery import recovered
from tests.faults.site import Site
from tests.faults.telling import Figures, tell

TOPIC, FACT = "erbium.screening.v1", "erbium.screening.patient-registered"
HEARERS = ("scheduling", "device_telemetry", "aftercare")
KEPT_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.2


class Bad(NamedTuple):
    """A record of a chain that is nobody's. `heard`: it stands in its hearers' logs and its key is parked; else it is kept unread."""

    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    chain: uuid.UUID
    message: uuid.UUID
    heard: bool


def a_record(*, version: int = 1, value: bytes | None = None, chain_in_key: uuid.UUID | None = None, headers: bool = True) -> Bad:
    """As screening would tell of a patient, but for what is asked for."""
    chain, patient, message = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    attributes = {
        "specversion": "1.0", "id": message, "type": f"{FACT}.v{version}",
        "source": f"/chains/{chain}/screening",
        "time": "2026-03-04T09:45:00Z", "chainid": chain, "orderingid": patient, "correlationid": message, "actor": "staff:somebody",
    }  # fmt: skip
    return Bad(
        key=f"{chain_in_key or chain}/{patient}".encode(),
        value=json.dumps({"patient_id": str(patient)}).encode() if value is None else value,
        headers=[(f"ce_{name}", str(text).encode()) for name, text in attributes.items()] if headers else [],
        chain=chain, message=message, heard=headers and chain_in_key is None,
    )  # fmt: skip


BAD = {
    "a poisoned body": lambda: a_record(value=b'{"patient_id": \xff'),
    "no headers": lambda: a_record(headers=False),
    "a version of the future": lambda: a_record(version=99),
    "another chain's key": lambda: a_record(chain_in_key=uuid.uuid4()),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_message(site: Site, figures: Figures, name: str) -> None:
    """What can be heard is heard and its key waits for an operator; what cannot is kept aside; everybody else goes on."""
    bad = BAD[name]()
    before = {service: unread(site, service) for service in HEARERS}
    partition = asyncio.run(_sent(site, bad))
    kept_at = time.monotonic()
    for service in HEARERS:
        while not (heard(site, service, bad) if bad.heard else unread(site, service) > before[service]):
            assert time.monotonic() - kept_at < KEPT_SECONDS_MAX, f"{service} has not kept {name} of partition {partition}"
            time.sleep(LOOK_SECONDS)
    recovery = recovered(site, time.monotonic())
    parked = {service: parked_of(site, service, bad) for service in HEARERS}
    assert parked == {service: waiting(service) if bad.heard else set() for service in HEARERS}
    tell(f"{name}: {'heard, its key parked' if bad.heard else 'kept unread'}; a fresh command was seen everywhere after {recovery:.2f} s")
    figures[name] = {"heard": bad.heard, "subscribers_waiting": {service: len(found) for service, found in parked.items()}}


async def _sent(site: Site, bad: Bad) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=site.kafka)
    await producer.start()
    try:
        sent: Any = await producer.send_and_wait(TOPIC, value=bad.value, key=bad.key, headers=bad.headers)
        return int(sent.partition)
    finally:
        await producer.stop()


def unread(site: Site, service: str) -> int:
    """Records that intake kept aside."""
    return int(rows_of(site, service, "SELECT count(*) FROM unreadable WHERE topic = $1", TOPIC)[0][0])


def waiting(service: str) -> set[str]:
    """Its subscribers that follow such a fact: each of them has to park the key, and where nobody follows it there is nothing to park."""
    return set(service_of(service).subscribers_of(FACT))


def heard(site: Site, service: str, bad: Bad) -> bool:
    """It is in the log, and every subscriber that follows it has parked its key."""
    found = rows_of(site, service, "SELECT 1 FROM log WHERE chain_id = $1 AND event_id = $2", bad.chain, bad.message)
    return bool(found) and parked_of(site, service, bad) == waiting(service)


def parked_of(site: Site, service: str, bad: Bad) -> set[str]:
    """Subscribers in which a key of that chain waits."""
    return {row[0] for row in rows_of(site, service, "SELECT subscriber FROM parked_keys WHERE chain_id = $1", bad.chain)}
