"""Health and metrics on the second port."""

import asyncio
import time

import httpx
import pytest

from erbium_kernel.observing import Health, PortTaken, metrics, observing_app, serving

FINE = {"ok": True, "reason": "fine"}


async def fine() -> None:
    """Nothing to say."""


async def get(health: Health, path: str) -> httpx.Response:
    """One answer of the second port."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=observing_app(health)), base_url="http://ops.test") as client:
        return await client.get(path)


async def test_ready() -> None:
    """A process is ready once it has started and every check is fine; each check has its reason."""
    health = Health({"database": fine})
    assert (await get(health, "/startupz")).status_code == 503
    assert (await get(health, "/readyz")).json()["checks"]["started"] == {"ok": False, "reason": "still starting"}
    health.started()
    answer = await get(health, "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "checks": {"database": FINE, "started": FINE, "accepting": FINE}})
    assert (await get(health, "/startupz")).status_code == 200


async def test_not_ready() -> None:
    """A check that says no, fails, or does not answer makes the process not ready, within its deadline, and alive all the same."""

    async def behind() -> str:
        return "two migrations behind"

    async def fails() -> None:
        raise ConnectionRefusedError("postgresql://user:secret@host")

    async def hangs() -> None:
        await asyncio.sleep(60)

    health = Health({"migrations": behind, "database": fails, "consumer": hangs, "disk": fine})
    health.started()
    began = time.monotonic()
    answer = await get(health, "/readyz")
    assert time.monotonic() - began < 2
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert [checks[name]["reason"] for name in ("migrations", "database", "consumer", "disk")] == [
        "two migrations behind", "ConnectionRefusedError", "no answer within 1 s", "fine",
    ]  # fmt: skip
    assert (await get(health, "/livez")).status_code == 200


async def test_draining() -> None:
    """On SIGTERM readiness turns false first, while the process is still alive."""
    health = Health({})
    health.started()
    health.drain()
    answer = await get(health, "/readyz")
    assert (answer.status_code, answer.json()["checks"]["accepting"]["reason"]) == (503, "shutting down")
    assert (await get(health, "/livez")).status_code == 200


async def test_metrics() -> None:
    """Every series that the handbook names is exported, labelled by templates; an invented method makes no series of its own."""
    metrics.http_request("GET /v1/beds/{bed_id}", "GET", 200, 0.01)
    metrics.http_request("unmatched", "BREW", 404, 0.01)
    metrics.append_conflict()
    metrics.relay_lag(3, 0.5)
    metrics.intake_lag("erbium.ward.v1", 7, 2)
    metrics.follow_lag("ward.beds", 0.1)
    metrics.parked_keys("ward.beds", 1)
    metrics.unreadable("erbium.ward.v1")
    metrics.timers_overdue(0)
    metrics.frames("accepted", 5)
    metrics.frame_gaps_open(0)
    metrics.db_pool_in_use("read_tables_api", lambda: 3)
    text = (await get(Health({}), "/metrics")).text
    assert 'http_request_seconds_count{method="GET",route="GET /v1/beds/{bed_id}",status="200"}' in text
    assert 'method="other"' in text
    assert "BREW" not in text
    for series in (
        "append_conflicts_total", "relay_lag_events", "relay_lag_seconds", 'intake_lag_records{partition="7",topic="erbium.ward.v1"}',
        'follow_lag_seconds{subscriber="ward.beds"}', "parked_keys{", "unreadable_total",
        "timers_overdue", "consumer_last_progress_timestamp",
        "frames_total", "frame_gaps_open", 'db_pool_in_use{pool="read_tables_api"} 3.0',
        "offset_commits_failed_total",
    ):  # fmt: skip
        assert series in text, series


async def test_served_and_drained() -> None:
    """An application is served on a real port inside the running loop, a taken port is a sentence, and a request in flight is finished."""

    async def slow(scope: dict[str, object], receive: object, send: object) -> None:
        await asyncio.sleep(0.3)
        await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    async with httpx.AsyncClient(trust_env=False) as client:
        async with serving(slow, "127.0.0.1", 0) as port:  # type: ignore[arg-type]
            with pytest.raises(PortTaken, match=f"127.0.0.1:{port} cannot be listened on"):
                async with serving(slow, "127.0.0.1", port):  # type: ignore[arg-type]
                    pass
            in_flight = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/"))
            await asyncio.sleep(0.1)
        assert (await in_flight).status_code == 204
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/")
