"""Spans: what a request asked for does not leave the service with them."""

from typing import Any

import httpx
import pytest
from opentelemetry import trace

from erbium_kernel.http.app import create_app
from erbium_kernel.log.memory import MemoryStore
from tests.kernel.http.conftest import CHAIN
from tests.kernel.http.ward_app import ODD_WARD
from tests.kernel.identity.bearers import Bearers
from tests.kernel.ward import WardClock, ward


class Spans(trace.TracerProvider):
    """A provider that remembers what spans were begun with, standing in for an SDK."""

    def __init__(self) -> None:
        """No spans yet."""
        self.begun: list[dict[str, Any]] = []

    def get_tracer(self, *_: Any, **__: Any) -> trace.Tracer:
        """A tracer that tells this provider."""
        return _Telling(self.begun)


class _Telling(trace.NoOpTracer):
    def __init__(self, begun: list[dict[str, Any]]) -> None:
        self._begun = begun

    def start_span(self, name: str, *args: Any, **named: Any) -> trace.Span:
        self._begun.append(dict(named.get("attributes") or {}))
        return trace.INVALID_SPAN


async def test_no_query_on_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an OpenTelemetry SDK installed, a request has its span, and the span has no query string."""
    spans, clock = Spans(), WardClock()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: spans)
    bearers = Bearers(clock)
    app = create_app(ODD_WARD, ward(MemoryStore(clock=clock), clock), None, bearers.verifier)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ward.test") as client:
        answer = await client.get("/v1/beds?floor=2", headers={"Authorization": f"Bearer {bearers.token(CHAIN)}"})
    assert answer.status_code == 200
    server = [attributes for attributes in spans.begun if "url.path" in attributes]
    assert server
    assert server[0]["url.path"] == "/v1/beds"
    assert "url.query" not in server[0]
    assert "floor=2" not in str(spans.begun)
