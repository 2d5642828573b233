"""Questions over HTTP: versions, pages, waiting for what was just written."""

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

import httpx
import pytest

from erbium_kernel.errors import Unavailable
from erbium_kernel.http import edge
from erbium_kernel.http.app import create_app
from erbium_kernel.log.memory import MemoryStore
from tests.kernel.http.conftest import CHAIN, OTHER_CHAIN, Door
from tests.kernel.http.ward_app import ODD_WARD


async def a_bed(door: Door) -> str:
    """The address of a bed that somebody lies in."""
    answer = await door.command("/v1/beds", {"patient_id": str(uuid4()), "room_id": str(uuid4()), "name": "Ann"})
    return answer.headers["location"]


async def test_unchanged(door: Door) -> None:
    """A read names its version; who has it already gets 304 without a body, in every spelling of If-None-Match."""
    bed = await a_bed(door)
    answer = await door.get(bed)
    assert (answer.headers["etag"], answer.json()["name"]) == ('"1"', "Ann")
    for seen in ('"1"', 'W/"1"', '"0", "1"', "*"):
        same = await door.get(bed, If_None_Match=seen)
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", '"1"'), seen
    assert (await door.get(bed, If_None_Match='"2"')).status_code == 200


async def test_other_chain(door: Door) -> None:
    """Another chain's record is 404, never 403: its existence is nobody's business."""
    answer = await door.get(await a_bed(door), chain=OTHER_CHAIN)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_pages(door: Door) -> None:
    """The cursor leads through all items once, and so does the Link header."""
    seen: list[str] = []
    path = "/v1/beds?limit=2&floor=3"
    for _ in range(10):
        page = await door.get(path)
        seen += [item["bed_id"] for item in page.json()["items"]]
        if page.json()["next_cursor"] is None:
            assert "link" not in page.headers
            break
        assert page.headers["link"].endswith('; rel="next"')
        path = page.headers["link"].split(">")[0][1:]
        assert page.json()["next_cursor"] in unquote(path)
    assert seen == [str(UUID(int=300 + place)) for place in range(5)]


async def test_a_parameter_twice(door: Door) -> None:
    """A parameter that takes one value is given once; which of two was meant, nobody could say."""
    answer = await door.get("/v1/beds?floor=3&floor=4")
    assert (answer.status_code, answer.json()["errors"]) == (
        422, [{"in": "query", "parameter": "floor", "reason": "is given more than once"}],
    )  # fmt: skip


async def test_cursor_and_filters(door: Door) -> None:
    """A cursor made under other filters is refused with 400, and so is one that somebody made up; another limit is no other filter."""
    cursor = (await door.get("/v1/beds?limit=2&floor=3")).json()["next_cursor"]
    assert (await door.get(f"/v1/beds?limit=3&floor=3&cursor={cursor}")).status_code == 200
    for query in (
        f"limit=2&floor=4&cursor={cursor}",
        f"limit=2&cursor={cursor}",
        "cursor=AAAA",
        f"floor=3&cursor={cursor[:-9]}",
    ):
        answer = await door.get(f"/v1/beds?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor-malformed"), query


async def test_parameters(door: Door) -> None:
    """A wrong parameter is named with what it should be, and its value is not repeated."""
    answer = await door.get("/v1/beds?limit=many&floor=Ann&flor=2")
    assert answer.json()["errors"] == [{"in": "query", "parameter": "flor", "reason": "is not a parameter of this address"}]
    answer = await door.get("/v1/beds?limit=201&floor=Ann")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"in": "query", "parameter": "limit", "reason": "must be at most 200"},
        {"in": "query", "parameter": "floor", "reason": "must be an integer"},
    ]
    assert "Ann" not in answer.text
    nul = await door.get("/v1/beds?floor=%00")
    assert nul.json()["errors"] == [{"in": "query", "parameter": "floor", "reason": "must not hold U+0000"}]


def waiting(door: Door, followed: edge.Followed) -> httpx.AsyncClient:
    """A client of a ward that waits with `followed`."""
    app = create_app(ODD_WARD, door.runtime, None, door.bearers.verifier, followed=followed)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ward.test")


async def test_read_your_write(door: Door) -> None:
    """A read that names an event waits until it has been followed, and says so when it has not; the wait has a deadline."""
    asked: list[Any] = []

    async def followed(chain_id: UUID, id_: UUID, seconds: float) -> bool:
        asked.append((chain_id, id_, seconds))
        return len(asked) == 1

    bed, event = await a_bed(door), uuid4()
    async with waiting(door, followed) as client:
        headers = {**door.headers(), "Erbium-After": str(event)}
        first, second = [await client.get(bed, headers=headers) for _ in range(2)]
    assert asked == [(CHAIN, event, 2.0)] * 2
    assert "erbium-after" not in first.headers
    assert (second.status_code, second.headers["erbium-after"]) == (200, "pending")


async def test_not_found_may_only_mean_not_yet(door: Door) -> None:
    """A 404 after a wait in vain says `pending`, so that nobody takes a record that is on its way for one that is not there."""

    async def followed(*_: Any) -> bool:
        return False

    async with waiting(door, followed) as client:
        answer = await client.get(f"/v1/beds/{uuid4()}", headers={**door.headers(), "Erbium-After": str(uuid4())})
    assert (answer.status_code, answer.headers["erbium-after"]) == (404, "pending")


async def test_read_your_write_through_the_store(door: Door) -> None:
    """With nobody who hears an event, it counts as followed at once; an event that nobody knows stays pending."""
    answer = await door.command("/v1/beds", {"patient_id": str(uuid4()), "room_id": str(uuid4())})
    found = await door.get(answer.headers["location"], Erbium_After=answer.headers["erbium-event"])
    assert "erbium-after" not in found.headers


@pytest.mark.parametrize("trouble", ["away", "frozen"])
async def test_waiting_while_the_database_is_away(door: Door, trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that cannot be done ends in 503, in time."""
    monkeypatch.setattr(edge, "AFTER_SECONDS_MAX", 0.1)

    async def followed(*_: Any) -> bool:
        if trouble == "away":
            raise Unavailable
        await asyncio.sleep(60)
        return True

    async with waiting(door, followed) as client:
        answer = await client.get(f"/v1/beds/{uuid4()}", headers={**door.headers(), "Erbium-After": str(uuid4())})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")


class Freezing(MemoryStore):
    """A store that answers until it is frozen; from then on no call ends, even when it is cancelled."""

    def __init__(self, clock: Any) -> None:
        """Alive."""
        super().__init__(clock=clock)
        self.frozen_at: float | None = None

    async def load(self, *args: Any, **named: Any) -> Any:
        """What a handler reads."""
        await self._ice()
        return await super().load(*args, **named)

    async def place_of(self, *args: Any, **named: Any) -> Any:
        """What a wait asks."""
        await self._ice()
        return await super().place_of(*args, **named)

    async def _ice(self) -> None:
        if self.frozen_at is not None and time.monotonic() >= self.frozen_at:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            await asyncio.sleep(0.5)
            raise AssertionError("too late")


def freezing(door: Door) -> tuple[Freezing, httpx.AsyncClient]:
    """A ward on such a store, and its client; waiting is the kernel's own."""
    store = Freezing(door.clock)
    app = create_app(ODD_WARD, replace(door.runtime, store=store), None, door.bearers.verifier)
    return store, httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ward.test")


@pytest.mark.slow
@pytest.mark.parametrize("freezes_after_seconds", [0.0, 1.0, 1.9, 2.02])
async def test_the_database_freezes_during_a_wait(door: Door, freezes_after_seconds: float) -> None:
    """Whenever it freezes, before, during or right after the wait, the caller has a 503 with Retry-After within 2 s of that moment."""
    store, client = freezing(door)
    async with client:
        store.frozen_at = time.monotonic() + freezes_after_seconds
        answer = await client.get(f"/v1/beds/{uuid4()}", headers={**door.headers(), "Erbium-After": str(uuid4())})
        ended = time.monotonic()
    if freezes_after_seconds < 2.0:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert ended - store.frozen_at < 2.0
    else:  # the wait was over: the handler was answered in time, or the freeze met it, and it has no more time than anybody
        assert answer.status_code in (404, 503)
        assert ended - store.frozen_at < 2.0


@pytest.mark.slow
async def test_the_handler_freezes_after_a_wait(door: Door) -> None:
    """When the database answers the wait and then freezes, the handler's own time counts from there, and no more than that."""
    store = Freezing(door.clock)

    async def followed(*_: Any) -> bool:
        await asyncio.sleep(1.0)
        store.frozen_at = time.monotonic()
        return False

    async with waiting(replace(door, runtime=replace(door.runtime, store=store)), followed) as client:
        answer = await client.get(f"/v1/beds/{uuid4()}", headers={**door.headers(), "Erbium-After": str(uuid4())})
        ended = time.monotonic()
    assert (answer.status_code, answer.headers["erbium-after"]) == (503, "pending")
    assert store.frozen_at is not None
    assert ended - store.frozen_at < 2.0


@pytest.mark.slow
async def test_a_long_wait_is_no_outage(door: Door) -> None:
    """While the database answers, an event that does not come costs its 2 s, and the answer says pending; then the handler answers."""
    _, client = freezing(door)
    began = time.monotonic()
    async with client:
        answer = await client.get(f"/v1/beds/{uuid4()}", headers={**door.headers(), "Erbium-After": str(uuid4())})
    assert (answer.status_code, answer.headers["erbium-after"]) == (404, "pending")
    assert 1.9 < time.monotonic() - began < 2.5
