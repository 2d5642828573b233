"""Waiting for something that tells nobody when it happens, within a bound. Standard library only: rivals import it too."""

import asyncio
from collections.abc import Awaitable, Callable

LOOK_SECONDS = 0.1


async def until(so: Callable[[], Awaitable[bool]], *, seconds_max: float, look_seconds: float = LOOK_SECONDS) -> None:
    """Looks again and again until it is so. Raises: TimeoutError."""
    async with asyncio.timeout(seconds_max):
        while True:
            if await so():
                return
            await asyncio.sleep(look_seconds)
