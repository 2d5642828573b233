"""Logs: nothing personal gets in by accident."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import structlog

from erbium_kernel.observing import configure_logs
from erbium_kernel.observing.logs import ALLOWED, request_answered


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Logging configured as in a service, into a text."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logs(service="ward", role="api", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    """The objects written so far."""
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line(written: io.StringIO) -> None:
    """A line is one JSON object with time, level, logger, service and role."""
    structlog.get_logger("erbium_kernel.relay").info("published", topic="erbium.ward.v1", records=3)
    (line,) = lines(written)
    assert line["event"] == "published"
    assert (line["service"], line["role"], line["level"], line["logger"]) == ("ward", "api", "info", "erbium_kernel.relay")
    assert (line["topic"], line["records"]) == ("erbium.ward.v1", 3)
    assert line["timestamp"].endswith("Z")


def test_unknown_keys(written: io.StringIO) -> None:
    """A key that nobody has allowed is dropped and named, whichever library it comes through."""
    structlog.get_logger("screening").info("registered", name_of_patient="Ann", event_id="e-1")
    logging.getLogger("screening").info("registered", extra={"birth_date": "1980-01-01", "event_id": "e-2"})
    first, second = lines(written)
    assert (first["unknown_keys"], first["event_id"]) == (["name_of_patient"], "e-1")
    assert (second["unknown_keys"], second["event_id"]) == (["birth_date"], "e-2")
    assert "Ann" not in written.getvalue()
    assert "1980-01-01" not in written.getvalue()


def test_exceptions(written: io.StringIO) -> None:
    """An exception is its class and place, never its text, which may quote data; not even in a traceback or a cause."""
    for log in (structlog.get_logger("screening"), logging.getLogger("screening"), logging.getLogger("somebody.else")):
        try:
            try:
                raise KeyError("Ann")
            except KeyError as cause:
                raise ValueError("Ann was born 1980-01-01") from cause
        except ValueError:
            log.exception("failed")
    assert "Ann" not in written.getvalue()
    assert "1980-01-01" not in written.getvalue()
    assert all(line["error"].startswith("ValueError at ") and "test_logs.py" in line["error"] for line in lines(written))


async def test_what_other_libraries_say(written: io.StringIO) -> None:
    """Of others' sentences only the fixed part and the first line is kept: asyncio prints the exception of a forgotten task."""
    logging.getLogger("somebody.else").warning("row %s is odd", "Ann")

    async def fails() -> None:
        raise ValueError("Ann")

    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    import gc

    gc.collect()
    first, second = lines(written)
    assert first["event"] == "row %s is odd"
    assert second["event"] == "Task exception was never retrieved"
    assert "Ann" not in written.getvalue()


def test_a_requests_line(written: io.StringIO) -> None:
    """The line of a request has the keys of every line, all of them allowed, and is left out below its level."""
    told = {"request_id": uuid4(), "trace_id": "5" * 32, "chain_id": uuid4()}
    request_answered("POST /v1/beds", "POST", 201, 0.012345, **told)
    request_answered("unmatched", "GET", 404, 0.5, **{**told, "chain_id": None})
    first, second = lines(written)
    logging.getLogger("erbium_kernel.http.doorway").info("request")
    assert first.keys() <= ALLOWED
    assert first.keys() >= lines(written)[-1].keys()
    assert (first["event"], first["route"], first["status"], first["seconds"]) == ("request", "POST /v1/beds", 201, 0.0123)
    assert (first["request_id"], first["chain"]) == (str(told["request_id"]), str(told["chain_id"]))
    assert first["timestamp"].endswith("Z")
    assert "chain" not in second
    logging.getLogger().setLevel("WARNING")
    request_answered("POST /v1/beds", "POST", 201, 0.01, **told)
    assert len(lines(written)) == 3


def test_under_somebody_elses_logging(written: io.StringIO, caplog: pytest.LogCaptureFixture) -> None:
    """Where other handlers listen too, a request is a record like every other."""
    logging.getLogger().addHandler(caplog.handler)
    request_answered("POST /v1/beds", "POST", 201, 0.01, request_id=uuid4(), trace_id="5" * 32, chain_id=None)
    assert [record.getMessage() for record in caplog.records][-1:] == ["request"]
    assert [line["route"] for line in lines(written)] == ["POST /v1/beds"]


def test_requests_are_not_logged_by_the_server(written: io.StringIO) -> None:
    """uvicorn's access log is off: it would write paths and query strings."""
    logging.getLogger("uvicorn.access").info('"GET /v1/patients?name=Ann"')
    assert written.getvalue() == ""


def test_repeated_configuration(written: io.StringIO) -> None:
    """Configuring twice writes every line once."""
    again = io.StringIO()
    configure_logs(service="ward", role="work", stream=again)
    logging.getLogger("erbium_kernel").info("hello")
    assert written.getvalue() == ""
    assert len(again.getvalue().splitlines()) == 1
