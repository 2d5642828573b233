"""Commands that run at the same time."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def outcomes(*racers: Coroutine[Any, Any, T]) -> tuple[list[T], list[Exception]]:
    """What those that came through returned, and what the others raised."""
    told = await asyncio.gather(*racers, return_exceptions=True)
    for error in told:
        if isinstance(error, BaseException) and not isinstance(error, Exception):
            raise error
    return [one for one in told if not isinstance(one, BaseException)], [one for one in told if isinstance(one, Exception)]
