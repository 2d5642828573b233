"""Keeps aiokafka's own log lines readable and free of data, and its tasks alive.

Why: with the broker away it writes about 55 warnings a second and client; a producer whose topic is gone writes 4,800 errors a
second; and its debug lines hold keys and values of messages. [measured on aiokafka 0.14]
Beside it, uvloop answers a write to a connection that has just been closed with a RuntimeError, where the library expects an OSError: its
task for metadata or for the group then dies, and whoever waits for it waits for ever. [seen when a broker was killed under load]
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

QUIET_SECONDS: Final = 10.0  # the same line is let through once in this time
LINES_KEPT_MAX: Final = 500  # different lines remembered; beyond, the memory starts afresh


class OncePerWhile(logging.Filter):
    """Lets a line through once in `QUIET_SECONDS`, with the number of its repetitions since; debug lines never."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Units: `now` in seconds."""
        super().__init__()
        self._now = now
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Told apart by logger, level and the text before its arguments are put in."""
        if record.levelno < logging.INFO:
            return False
        line = record.name, record.levelno, str(record.msg)
        last, held_back = self._seen.get(line, (None, 0))
        now = self._now()
        if last is not None and now - last < QUIET_SECONDS:
            self._seen[line] = last, held_back + 1
            return False
        if len(self._seen) >= LINES_KEPT_MAX:
            self._seen.clear()
        self._seen[line] = now, 0
        if held_back:
            record.msg = f"{record.msg} (and {held_back} times in the seconds before)"
        return True


def calm_aiokafka() -> None:
    """Puts the filter on every logger of aiokafka that there is, and mends its connections. Repeating changes nothing.

    Every client of ours does it when it is made. Why on every logger: a filter of a parent is not asked about records of its children.
    """
    AIOKafkaConnection.send = _send
    calm = OncePerWhile()
    for name in ("aiokafka", *(name for name in logging.root.manager.loggerDict if name.startswith("aiokafka."))):
        logger = logging.getLogger(name)
        if not any(isinstance(known, OncePerWhile) for known in logger.filters):
            logger.addFilter(calm)


_library_send = AIOKafkaConnection.send


def _send(connection: AIOKafkaConnection, request: Any, **options: Any) -> Any:
    """As the library's, but a connection that was closed meanwhile is an error that its callers know."""
    try:
        return _library_send(connection, request, **options)
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError("the connection was closed") from error
