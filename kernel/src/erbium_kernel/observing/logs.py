"""Logs: one JSON object a line, from an allow-list of keys; no personal data can be logged by accident.

Everything else that says something (uvicorn, asyncio, aiokafka, SQLAlchemy) passes the same filter. An exception becomes its class and
place: its text may quote data.
"""

import contextlib
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any
from uuid import UUID

import orjson
import structlog

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


_OF_ERRORS = frozenset({"exc_info", "exception", "stack_info"})
_requests = logging.getLogger("erbium_kernel.http.doorway")
_OF_EVERY_RECORD = frozenset({*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"})


def configure_logs(*, service: str, role: str, level: str = "INFO", stream: IO[str] | None = None) -> None:
    """Sends structlog and the standard library's logging to `stream` (standard output), as JSON lines. Repeating replaces."""
    structlog.configure(
        processors=[structlog.stdlib.PositionalArgumentsFormatter(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _ours.handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_Line(service, role))
    _ours.named = {"service": service, "role": role, "level": "info", "logger": _requests.name, "event": "request"}
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio", "sqlalchemy", "aiokafka", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"  # it would write paths and query strings


class _Ours:
    """Where `configure_logs` sends the lines; None before it was called, or under somebody else's logging."""

    handler: "logging.StreamHandler[Any] | None" = None
    named: Mapping[str, str] = {}


_ours = _Ours()


def request_answered(
    route: str, method: str, status: int, seconds: float, *, request_id: UUID, trace_id: str, chain_id: UUID | None
) -> None:
    """The line of a request: a template, numbers and ids, nothing else, so it needs no filter.

    Why not through a LogRecord: making and formatting one cost more than everything else that a request's end does.
    """
    told: dict[str, Any] = {"route": route, "method": method, "status": status, "seconds": round(seconds, 4), "request_id": request_id,
                            "trace_id": trace_id}  # fmt: skip
    if chain_id is not None:
        told["chain"] = chain_id
    handler = _ours.handler
    if handler is None or logging.root.handlers != [handler]:
        _requests.info("request", extra={name: _short(value) for name, value in told.items()})
    elif _requests.isEnabledFor(logging.INFO):
        line = orjson.dumps({**_ours.named, **told, "timestamp": datetime.now(UTC)}, option=orjson.OPT_UTC_Z).decode()
        with contextlib.suppress(OSError, ValueError):  # as with every other line: one that cannot be written harms no answer
            handler.stream.write(line + "\n")
            handler.stream.flush()


class _Line(logging.Formatter):
    """One record as one line. Why not structlog's formatter: every request writes a line, and its chain cost a tenth of a command."""

    def __init__(self, service: str, role: str) -> None:
        super().__init__()
        self._named = {"service": service, "role": role}

    def format(self, record: logging.LogRecord) -> str:
        """Of structlog's lines the fields, of the others the sentence and what they carry besides."""
        given: Any = record.msg
        said: Mapping[str, Any] = given if isinstance(given, dict) else {"event": _sentence(record), **_extra(record)}
        error = _error(said.get("exc_info")) or _error(record.exc_info)
        line = {**self._named, **said, "level": record.levelname.lower(), "logger": record.name, "timestamp": _instant(record.created)}
        return orjson.dumps(only_allowed({**line, "error": reason_of(error)} if error else line), default=str).decode()


def only_allowed(line: Mapping[str, Any]) -> dict[str, Any]:
    """Drops every key that is not in the list, and says which, so that its author notices."""
    unknown = [key for key in line if key not in ALLOWED and not key.startswith("_") and key not in _OF_ERRORS]
    kept = {key: _short(value) for key, value in line.items() if key in ALLOWED and value is not None}
    if unknown:
        kept["unknown_keys"] = sorted(unknown)[:UNKNOWN_KEYS_NAMED_MAX]
    return kept


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= TEXT_CHARACTERS_MAX and "\n" not in value else value.partition("\n")[0][:TEXT_CHARACTERS_MAX]
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_short(item) for item in list(value)[:UNKNOWN_KEYS_NAMED_MAX]]
    if isinstance(value, BaseException):
        return reason_of(value)
    return str(value).partition("\n")[0][:TEXT_CHARACTERS_MAX]


def _error(given: Any) -> BaseException | None:
    """The exception of an `exc_info` in any of its forms."""
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    return error if isinstance(error, BaseException) else None


def _sentence(record: logging.LogRecord) -> str:
    return record.getMessage() if record.name.partition(".")[0] in WHOLE_SENTENCES else str(record.msg)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in record.__dict__.items() if key not in _OF_EVERY_RECORD}


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
