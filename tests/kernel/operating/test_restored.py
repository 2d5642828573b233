"""A service on a restored database answers nobody before it has been told who was erased meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from erbium_kernel.event import Actor, Envelope, Message
from erbium_kernel.log_records import Key
from erbium_kernel.message import outgoing, topic_of
from erbium_kernel.topic.kafka import KafkaOutlet
from tests.kernel.follow.kitchen import CHAIN
from tests.kernel.follow.ward_process import Ward, a_ward
from tests.kernel.ward import SECRETS

SECONDS_MAX = 60.0
NOBODY = "127.0.0.1:9"  # where no Kafka is


@pytest.fixture(scope="module")
async def ward(postgres_url: str, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    """One ward for this file, whose topics are there."""
    async with a_ward(postgres_url, kafka, tmp_path_factory.mktemp("ward")) as ward:
        code, _, err = await ward.command("migrate")
        assert code == 0, err
        async with ward.running("work"):
            pass
        yield ward


async def a_person(ward: Ward) -> UUID:
    """Somebody with a key."""
    async with ward.runtime() as runtime:
        person = uuid4()
        await runtime.vault.sealer(CHAIN, person, patient=True)
        return person


async def erased(ward: Ward, person: UUID) -> None:
    """The authority says so, in a message that no code of ours can read: it must be obeyed all the same."""
    assert SECRETS.current
    async with ward.runtime() as runtime:
        now = runtime.clock.now()
        envelope = Envelope(
            event_id=uuid4(), type="bed-left", schema_version=1, chain_id=CHAIN, stream=f"bed-{uuid4()}", version=1,
            ordering_id=person, origin=None, clinic_id=None, subject_id=None, occurred_at=now, recorded_at=now, command_id=uuid4(),
            correlation_id=uuid4(), causation_id=None, actor=Actor(kind="staff", id="x"), traceparent=None,
        )  # fmt: skip
        outlet = KafkaOutlet(ward.environment["ERBIUM_KAFKA"])
        try:
            await outlet.publish(topic_of(ward.name), [outgoing(ward.name, envelope, Message("bed-left", 9, None), b"\x00 not JSON")])
        finally:
            await outlet.close()


async def key_of(ward: Ward, person: UUID) -> Key:
    """As it stands."""
    async with ward.runtime() as runtime:
        return (await runtime.store.keys(CHAIN, [person]))[person]


async def asked(ward: Ward, statement: str) -> object:
    """One value, as the owner."""
    connection = await asyncpg.connect(ward.urls.owner)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def restored(ward: Ward) -> None:
    """As a dump of this database would look in another one: with the place of the one it was taken from."""
    await asked(ward, "UPDATE installation SET erasures_place = 'another cluster'")


async def test_a_service_that_was_down_is_told(ward: Ward) -> None:
    """Down for the whole erasure, on a database that is its own: the key goes when a worker comes up, whatever else it has to do."""
    person = await a_person(ward)
    await erased(ward, person)
    assert not (await key_of(ward, person)).erased
    async with ward.running("work"), asyncio.timeout(SECONDS_MAX):
        while not (await key_of(ward, person)).erased:  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.1)


async def test_a_restored_one_tells_nobody_before(ward: Ward, unused_ports: tuple[int, int]) -> None:
    """While Kafka is away the door stays shut: not ready, 503 for everything; with Kafka it opens, and the key is gone by then."""
    person, other = await a_person(ward), await a_person(ward)
    await erased(ward, person)
    await restored(ward)
    port, metrics = unused_ports
    settings = {"ERBIUM_HTTP_PORT": str(port), "ERBIUM_METRICS_PORT": str(metrics)}
    process = await ward.spawn("all", **settings, ERBIUM_KAFKA=NOBODY)
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http, asyncio.timeout(SECONDS_MAX):
            answer = await until_answered(http, f"http://127.0.0.1:{port}/v1/meta")
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert "restored" in answer.json()["detail"]
            for asked_port in (port, metrics):
                ready = await http.get(f"http://127.0.0.1:{asked_port}/readyz")
                assert (ready.status_code, ready.json()["checks"]["erasures"]["ok"]) == (503, False)
            assert not (await key_of(ward, person)).erased
    finally:
        process.terminate()
        await process.communicate()
    async with ward.running("all", **settings), httpx.AsyncClient(trust_env=False, timeout=10) as http:
        assert (await key_of(ward, person)).erased, "before it says that it has started"
        assert not (await key_of(ward, other)).erased
        assert (await http.get(f"http://127.0.0.1:{port}/v1/meta")).status_code != 503
        checks = (await http.get(f"http://127.0.0.1:{port}/readyz")).json()["checks"]
        assert checks["database"]["ok"]


async def test_an_api_alone_waits_for_a_worker(ward: Ward, unused_ports: tuple[int, int]) -> None:
    """It has no Kafka: the door opens when a worker of the same service has read the erasures."""
    person = await a_person(ward)
    await erased(ward, person)
    code, out, err = await ward.command("keys", "read-erasures", "--json")
    assert (code, json.loads(out)) == (0, {"behind": ward.name}), err
    port, metrics = unused_ports
    process = await ward.spawn("api", ERBIUM_HTTP_PORT=str(port), ERBIUM_METRICS_PORT=str(metrics))
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http, asyncio.timeout(SECONDS_MAX):
            assert (await until_answered(http, f"http://127.0.0.1:{port}/v1/meta")).status_code == 503
            async with ward.running("work"):
                while (await until_answered(http, f"http://127.0.0.1:{port}/v1/meta")).status_code == 503:  # noqa: ASYNC110  # another process
                    await asyncio.sleep(0.1)
            assert (await key_of(ward, person)).erased
    finally:
        process.terminate()
        await process.communicate()


async def test_what_was_read_is_not_read_again(ward: Ward) -> None:
    """The place in the topic is kept: a database that is restored one day reads only what came after its copy."""
    async with ward.running("work"):
        pass
    read = json.loads(str(await asked(ward, "SELECT erasures_read FROM installation")))
    assert sum(read.values()) >= 1


async def until_answered(http: httpx.AsyncClient, url: str) -> httpx.Response:
    """The first answer at all."""
    while True:
        try:
            return await http.get(url)
        except httpx.TransportError:
            await asyncio.sleep(0.1)


@pytest.fixture
def unused_ports() -> tuple[int, int]:
    """Two that nobody listens on now."""
    from erbium.servers.ports import free_port

    return free_port(), free_port()
