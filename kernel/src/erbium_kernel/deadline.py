"""A request is answered in time, whatever becomes of its work."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from erbium_kernel.errors import Unavailable

T = TypeVar("T")

ABANDONED_MAX = 1_000  # pieces of work that are still ending after their answer went out; beyond, new ones are turned away

_abandoned: set[asyncio.Task[Any]] = set()


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. Raises: Unavailable when it takes longer; the work is then cancelled and ends by itself.

    A bound that has passed already is one too.

    Why not asyncio.timeout: cancelling a query on a frozen connection waits for that connection, and with it would the caller.
    """
    if len(_abandoned) >= ABANDONED_MAX:
        work.close()
        raise Unavailable("too much unfinished work")
    loop = asyncio.get_running_loop()
    task, over = loop.create_task(work), loop.create_future()
    timer = loop.call_later(max(seconds, 0.0), _end, over)
    task.add_done_callback(partial(_end, over))
    try:
        await over  # not asyncio.wait: for one task it costs three times as much
    except asyncio.CancelledError:
        _abandon(task)
        raise
    finally:
        timer.cancel()
    if not task.done():
        _abandon(task)
        raise Unavailable("not done in time")
    return task.result()


def _end(over: "asyncio.Future[None]", _: object = None) -> None:
    if not over.done():
        over.set_result(None)


def _abandon(task: asyncio.Task[Any]) -> None:
    _abandoned.add(task)
    task.add_done_callback(_forget)
    task.cancel()


def _forget(task: asyncio.Task[Any]) -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()  # marked as seen: it was answered with 503 already
