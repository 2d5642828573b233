"""Spans of requests without their query string: filters may name what must not leave the service.

Why here: FastAPI puts `url.query` on its server span verbatim, and its log option records exception texts.
"""

from collections.abc import Mapping
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace

LEFT_OUT = frozenset({"url.query", "url.full"})


def telemetry() -> TelemetryConfig:
    """What `FastAPI(telemetry=…)` gets: spans without queries if an OpenTelemetry SDK is installed, never logs."""
    configured = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider)
    return {
        "logs": False,
        "auto_configure": False,
        "tracing": configured,
        "tracer_provider": WithoutQueries(trace.get_tracer_provider()) if configured else None,
    }


class WithoutQueries(trace.TracerProvider):
    """A tracer provider whose server spans lack `url.query`."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        """`provider` makes the spans."""
        self._provider = provider

    def get_tracer(self, *args: Any, **named: Any) -> trace.Tracer:
        """The provider's tracer, made careful."""
        return _CarefulTracer(self._provider.get_tracer(*args, **named))


class _CarefulTracer(trace.Tracer):
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self.start_as_current_span = tracer.start_as_current_span  # type: ignore[method-assign]

    def start_span(self, name: str, *args: Any, **named: Any) -> trace.Span:
        attributes: Mapping[str, Any] = named.pop("attributes", None) or {}
        named["attributes"] = {key: value for key, value in attributes.items() if key not in LEFT_OUT}
        return self._tracer.start_span(name, *args, **named)

    def start_as_current_span(self, *args: Any, **named: Any) -> Any:
        raise NotImplementedError
