"""A stream is bounded: operations hears of a long one in time, and at its bound a command is refused whole, with a sentence."""

from uuid import UUID, uuid4

import httpx
import pytest
from prometheus_client import REGISTRY

from erbium_kernel.errors import StreamFull
from erbium_kernel.execute import execute
from erbium_kernel.folding import state_of
from erbium_kernel.http.app import create_app
from erbium_kernel.runtime import Runtime
from tests.kernel.follow.conftest import clock, runtime, store
from tests.kernel.follow.kitchen import CHAIN, a_nurse
from tests.kernel.http.ward_app import WARD
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import BED, LeaveBed, TakeBed

__all__ = ["clock", "runtime", "store"]
LONG, FULL = 6, 8


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test reaches."""
    monkeypatch.setattr("erbium_kernel.execute.STREAM_EVENTS_LONG", LONG)
    monkeypatch.setattr("erbium_kernel.folding.STREAM_EVENTS_MAX", FULL)


def told() -> float:
    """How many long beds operations has heard of."""
    return REGISTRY.get_sample_value("streams_long_total", {"category": "bed"}) or 0.0


async def slept_in(runtime: Runtime, bed: UUID, nights: int) -> None:
    """Each night is two events."""
    for _ in range(nights):
        take = TakeBed(patient_id=uuid4(), room_id=uuid4(), at=runtime.clock.now())
        for command in (take, LeaveBed()):
            await execute(runtime, CHAIN, BED, bed, command, cause=a_nurse(runtime))


async def test_told_once_in_time(runtime: Runtime) -> None:
    """A stream is told of when it comes near its bound, once, and goes on up to the bound."""
    bed, before = uuid4(), told()
    await slept_in(runtime, bed, 2)
    assert told() == before
    await slept_in(runtime, bed, 2)
    assert told() == before + 1
    assert (await state_of(runtime, CHAIN, BED, bed))[1] == FULL


async def test_refused_whole(runtime: Runtime) -> None:
    """At the bound nothing is written, the caller reads why and what to do, and what stands there can still be read."""
    bed = uuid4()
    await slept_in(runtime, bed, FULL // 2)
    with pytest.raises(StreamFull):
        await slept_in(runtime, bed, 1)
    bearers = Bearers(runtime.clock)
    app = create_app(WARD, runtime, None, bearers.verifier)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ward.test") as client:
        headers = {"Authorization": f"Bearer {bearers.token(CHAIN)}"}
        body = {"bed_id": str(bed), "patient_id": str(uuid4()), "room_id": str(uuid4())}
        answer = await client.post("/v1/beds", json=body, headers={**headers, "Idempotency-Key": "full"})
        assert (answer.status_code, answer.json()["code"]) == (409, "stream-full")
        assert "continued under a new id" in answer.json()["do"]
        assert (await client.get(f"/v1/beds/{bed}", headers=headers)).json()["version"] == FULL
