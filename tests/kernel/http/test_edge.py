"""What the edge does whatever the endpoint: bounds, outages, our own bugs, headers, nothing said that should not be."""

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import sqlalchemy.exc

from erbium_kernel import deadline
from erbium_kernel.errors import Unavailable, Undecodable, VersionConflict
from erbium_kernel.http import doorway, json_body
from erbium_kernel.http.app import create_app
from erbium_kernel.log.memory import MemoryStore
from tests.kernel.http.conftest import CHAIN, Door
from tests.kernel.http.ward_app import WARD


def a_body(**changed: Any) -> dict[str, Any]:
    """A body that takes a bed."""
    return {"patient_id": str(uuid4()), "room_id": str(uuid4()), **changed}


class Troubled(MemoryStore):
    """A store whose calls fail, or never end."""

    trouble: BaseException | None = None
    appended = asyncio.Event()

    async def load(self, *args: Any, **named: Any) -> Any:
        """Fails, or hangs even when it is cancelled, as a frozen connection does."""
        if self.trouble is not None:
            raise self.trouble
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(0.5)
        raise AssertionError("too late")


def troubled(door: Door, trouble: BaseException | None) -> httpx.AsyncClient:
    """A client of a ward on a store in trouble; None = it is frozen."""
    store = Troubled(clock=door.clock)
    store.trouble = trouble
    app = create_app(WARD, dataclasses.replace(door.runtime, store=store), None, door.bearers.verifier)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ward.test")


AWAY = [
    Unavailable("away"),
    ConnectionRefusedError(),
    TimeoutError(),
    asyncpg.CannotConnectNowError("starting up"),
    asyncpg.AdminShutdownError("shutting down"),
    asyncpg.TooManyConnectionsError("too many"),
    asyncpg.QueryCanceledError("statement timeout"),
    asyncpg.InterfaceError("connection is closed"),
    sqlalchemy.exc.TimeoutError("pool"),
    sqlalchemy.exc.DBAPIError("select 1", {}, asyncpg.AdminShutdownError("shutting down")),
    sqlalchemy.exc.DBAPIError("select 1", {}, Exception("gone"), connection_invalidated=True),
]


@pytest.mark.parametrize("trouble", AWAY, ids=lambda error: type(error).__name__)
async def test_database_away(door: Door, trouble: BaseException) -> None:
    """However the database is away, the answer is 503 with Retry-After."""
    async with troubled(door, trouble) as client:
        answer = await client.post("/v1/beds", json=a_body(), headers={**door.headers(), "Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")


async def test_database_frozen(door: Door) -> None:
    """A database that does not answer at all costs a caller less than two seconds, even if the query cannot be cancelled."""
    async with troubled(door, None) as client:
        began = time.monotonic()
        answer = await client.post("/v1/beds", json=a_body(), headers={**door.headers(), "Idempotency-Key": "k"})
        assert time.monotonic() - began < 2.0
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_unfinished_work_is_bounded(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too much work is still ending after its answers went out, new requests are turned away at once."""
    monkeypatch.setattr(deadline, "ABANDONED_MAX", 0)
    answer = await door.command("/v1/beds", a_body())
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_too_many_at_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound of requests at once a caller is told to come back, and the count goes down again."""
    monkeypatch.setattr(doorway, "REQUESTS_AT_ONCE_MAX", 0)
    for _ in range(3):
        answer = await door.client.get("/v1/meta")
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    monkeypatch.setattr(doorway, "REQUESTS_AT_ONCE_MAX", 1)
    assert (await door.client.get("/v1/meta")).status_code == 200


async def test_lost_race(door: Door) -> None:
    """A race lost three times is 409 with Retry-After: nothing was recorded, so the same key may be sent again."""
    async with troubled(door, VersionConflict()) as client:
        answer = await client.post("/v1/beds", json=a_body(), headers={**door.headers(), "Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (409, "version-conflict", "1")


@pytest.mark.parametrize(
    "bug",
    [
        RuntimeError("Ann's secret"),
        FileNotFoundError("Ann's secret"),
        Undecodable("Ann's secret"),
        asyncpg.UniqueViolationError("Ann's secret"),
    ],
)
async def test_our_own_bug(door: Door, bug: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """What we did not foresee is 500 without a word of it; the log has its class and place, under the request's id."""
    with caplog.at_level(logging.INFO, logger="erbium_kernel"):
        async with troubled(door, bug) as client:
            answer = await client.post("/v1/beds", json=a_body(), headers={**door.headers(), "Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "secret" not in answer.text + caplog.text
    (line,) = [record for record in caplog.records if record.getMessage() == "request failed"]
    assert line.__dict__["reason"].startswith(type(bug).__name__)
    assert answer.json()["instance"] == f"urn:uuid:{line.__dict__['request_id']}"


async def test_bug_in_a_handler(door: Door) -> None:
    """An exception in a handler leaves nothing of its text in the answer."""
    answer = await door.get("/v1/fault")
    assert (answer.status_code, "Ann" in answer.text) == (500, False)


async def test_headers_of_every_answer(door: Door) -> None:
    """Every answer, also one at an address that does not exist, has the request's id and may be neither cached nor embedded."""
    for path in ("/v1/meta", "/v1/nothing", "/v1/beds", "/docs", "/openapi.json"):
        answer = await door.client.get(path)
        assert UUID(answer.headers["x-request-id"])
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_request_id(door: Door) -> None:
    """A caller's request id is kept if it is a UUID, and replaced if it is anything else: it goes into the log."""
    given = str(uuid4())
    kept = await door.client.get("/v1/meta", headers={"X-Request-Id": given})
    other = await door.client.get("/v1/meta", headers={"X-Request-Id": "Ann"})
    assert kept.headers["x-request-id"] == given
    assert UUID(other.headers["x-request-id"])


async def test_trace(door: Door) -> None:
    """A caller's trace goes into the problem and, with the command, into the log; without one a trace begins here."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {**door.headers(), "Idempotency-Key": "k", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert (await door.client.post("/v1/beds", json={}, headers=headers)).json()["trace_id"] == trace
    taken = await door.client.post("/v1/beds", json=a_body(), headers=headers)
    rows = (await door.runtime.store.load(CHAIN, f"bed-{taken.json()['bed_id']}")).rows
    assert rows[0].envelope.traceparent == headers["traceparent"]
    begun = await door.command("/v1/beds", {})
    assert len(begun.json()["trace_id"]) == 32


async def test_no_route(door: Door) -> None:
    """An address that does not exist is 404, a slash too many too, and a method that is not known 405 with Allow."""
    for path in ("/v1/nothing", "/v1/beds/", "/", "/v1"):
        answer = await door.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "no-such-route"), path
    answer = await door.client.put("/v1/beds")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"] or "GET" in answer.headers["allow"]


async def test_too_large_without_a_length(door: Door) -> None:
    """A body that does not announce its length is cut off at the limit."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b" " * 1_024

    headers = {**door.headers(), "Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = await door.client.post("/v1/beds", content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_too_slow(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not arrive in time is 408."""
    monkeypatch.setattr(json_body, "BODY_SECONDS_MAX", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    headers = {**door.headers(), "Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = await door.client.post("/v1/beds", content=slow(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (408, "body-too-slow")


async def test_raw(door: Door) -> None:
    """A raw stream needs no Idempotency-Key; its handler gets the bytes within the route's own limit, of the route's own type."""
    path, lines = f"/v1/beds/{uuid4()}/breaths", b'{"n":1}\n{"n":2}\n'
    ndjson = {**door.headers(), "Content-Type": "application/x-ndjson"}
    assert (await door.client.post(path, content=lines, headers=ndjson)).json() == {"lines": 2}
    assert (await door.client.post(path, content=lines * 1_000, headers=ndjson)).status_code == 413
    assert (await door.client.post(path, content=lines, headers={**ndjson, "Content-Type": "text/csv"})).status_code == 415
    assert (await door.client.post(path, content=lines)).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer", "reason"),
    [
        (a_body(pillows=[{"height_cm": 12}, {"height_cm": 41}]), "/pillows/1/height_cm", "must be at most 40.0"),
        (a_body(pillows=[{"height_cm": "12"}]), "/pillows/0/height_cm", "must be a number"),
        (a_body(pillows=[{"height_cm": True}]), "/pillows/0/height_cm", "must be a number"),
        (a_body(pillows=[{"height_cm": 12, "a/b~c": 1}]), "/pillows/0/a~1b~0c", "is not a field of this body"),
        (a_body(pillows=[{"height_cm": 1}] * 4), "/pillows", "must have at most 3 items"),
        (a_body(pillows={}), "/pillows", "must be an array"),
        (a_body(name=""), "/name", "must have at least 1 characters"),
        (a_body(name="x" * 101), "/name", "must have at most 100 characters"),
        (a_body(name="A\0nn"), "/name", "must not hold U+0000"),
        (a_body(at="2026-03-03T20:00:00"), "/at", "must name its offset, like 2026-05-01T09:30:00Z"),
        (
            a_body(at="2026-02-30T20:00:00Z"),
            "/at",
            "is no instant that calendar and clock have; an instant looks like 2026-05-01T09:30:00Z",
        ),
        (a_body(at=1_772_568_000), "/at", "must be an instant like 2026-05-01T09:30:00Z"),
        (a_body(patient_id="Ann"), "/patient_id", "must be a UUID"),
        ({"patient_id": str(uuid4())}, "/room_id", "is required"),
    ],
)
async def test_places_and_reasons(door: Door, body: Any, pointer: str, reason: str) -> None:
    """A body that does not fit is 422 with the place as a JSON Pointer and the reason in words."""
    answer = await door.command("/v1/beds", body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": pointer, "reason": reason}]


async def test_headers_sent_twice(door: Door) -> None:
    """A header that decides about the request is sent once: nobody could say which of two was meant."""
    for name in ("Idempotency-Key", "If-Match"):
        headers = [*door.headers().items(), ("Idempotency-Key", "k"), (name, '"1"'), (name, '"1"')]
        answer = await door.client.post(f"/v1/beds/{uuid4()}/leaving", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "header-malformed")
        assert name in answer.json()["detail"]
    twice = [*door.headers().items(), *[("Erbium-After", str(uuid4()))] * 2]
    assert (await door.client.get("/v1/beds", headers=twice)).json()["code"] == "header-malformed"


async def test_many_faults(door: Door) -> None:
    """A body with a thousand faults is answered with twenty of them."""
    answer = await door.command("/v1/beds", {f"field-{place}": 1 for place in range(1_000)})
    assert len(answer.json()["errors"]) == 20


async def test_token_words(door: Door) -> None:
    """401 says what is wrong with the token in WWW-Authenticate; an expired one is told apart, a missing scope is named."""
    expired = await door.client.get("/v1/beds", headers=door.headers(exp=1))
    assert expired.json()["code"] == "token-expired"
    assert 'error="invalid_token"' in expired.headers["www-authenticate"]
    basic = await door.client.get("/v1/beds", headers={"Authorization": "Basic YTpi"})
    assert (basic.status_code, basic.json()["code"]) == (401, "token-missing")
    scope = await door.client.get("/v1/beds", headers=door.headers(roles=["device"]))
    assert 'error="insufficient_scope", scope="screening:read"' in scope.headers["www-authenticate"]


async def test_issuer_away(door: Door) -> None:
    """While nobody can be checked the answer is 503, not 401: the caller's token may be fine."""
    door.bearers.away = True
    answer = await door.get("/v1/beds")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_one_command_a_request(door: Door) -> None:
    """A handler that runs two commands under one key is our bug, and says so when it is written."""
    assert (await door.command("/v1/both")).status_code == 500
