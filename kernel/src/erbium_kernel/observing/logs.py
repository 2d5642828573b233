"""Logs: one JSON object a line, from an allow-list of keys; no personal data can be logged by accident.

Everything else that says something (uvicorn, asyncio, aiokafka, SQLAlchemy) passes the same filter. An exception becomes its class and
place: its text may quote data.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import IO, Any

import orjson
import structlog
from structlog.typing import Processor

from erbium_kernel.whereabouts import reason_of

TEXT_CHARACTERS_MAX = 300
UNKNOWN_KEYS_NAMED_MAX = 5

# What may stand in a line. A new key is added here by somebody who has thought about what its values can be.
ALLOWED = frozenset(
    {
        "timestamp", "level", "logger", "event", "service", "role", "build", "pid", "env",
        "request_id", "trace_id", "span_id", "chain", "route", "method", "status", "seconds", "client_kind",
        "event_id", "command_id", "correlation_id", "set_by", "stream", "version", "type", "fact", "schema_version",
        "subscriber", "position", "epoch", "tx", "lag_seconds", "lag_events",
        "topic", "partition", "offset", "records", "frames", "cluster_id", "consumer",
        "reason", "error", "where", "attempts", "after_seconds", "deadline_seconds", "retry_in_seconds", "kind", "state", "check",
        "count", "rows", "keys", "batch", "limit", "held_back", "host", "port", "table", "revision", "name", "step", "signal",
        "unknown_keys",
    }
)  # fmt: skip
# These loggers write names and numbers only, so their sentences are shown whole; of others only the text before arguments are put in.
WHOLE_SENTENCES = ("erbium_kernel", "screening", "scheduling", "device_telemetry", "aftercare", "erbium", "aiokafka", "uvicorn", "alembic")


def configure_logs(*, service: str, role: str, level: str = "INFO", stream: IO[str] | None = None) -> None:
    """Sends structlog and the standard library's logging to `stream` (standard output), as JSON lines. Repeating replaces."""
    named = _named(service, role)
    ours: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]
    structlog.configure(
        processors=ours,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    foreign: list[Processor] = [
        structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(), _careful_sentence,
    ]  # fmt: skip
    last: list[Processor] = [structlog.processors.TimeStamper(fmt="iso", utc=True), named, _exception_as_place, only_allowed, _as_json]
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=foreign, processors=last))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio", "sqlalchemy", "aiokafka", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"  # it would write paths and query strings


def only_allowed(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drops every key that is not in the list, and says which, so that its author notices."""
    unknown = [key for key in line if key not in ALLOWED and not key.startswith("_")]
    kept = {key: _short(value) for key, value in line.items() if key in ALLOWED and value is not None}
    if unknown:
        kept["unknown_keys"] = sorted(unknown)[:UNKNOWN_KEYS_NAMED_MAX]
    return kept


def _short(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_short(item) for item in list(value)[:UNKNOWN_KEYS_NAMED_MAX]]
    if isinstance(value, BaseException):
        return reason_of(value)
    return str(value).partition("\n")[0][:TEXT_CHARACTERS_MAX]


def _exception_as_place(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    given = line.pop("exc_info", None)
    record = line.get("_record")
    if not given and record is not None:
        given = record.exc_info
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        line["error"] = reason_of(error)
    line.pop("exception", None)
    line.pop("stack_info", None)
    return line


def _careful_sentence(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record: logging.LogRecord = line["_record"]
    if record.name.partition(".")[0] not in WHOLE_SENTENCES:
        line["event"] = str(record.msg)
    return line


def _named(service: str, role: str) -> Any:
    def add(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {"service": service, "role": role, **line}

    return add


def _as_json(_: Any, __: str, line: MutableMapping[str, Any]) -> str:
    return orjson.dumps(line, default=str).decode()
