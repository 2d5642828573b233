"""Roles for tests of the driver: steps that answer as told, driven until the block ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from erbium_kernel.clock import SystemClock
from erbium_kernel.driver import Driver, Role, Step, Wake
from erbium_kernel.progress import Progress

SECONDS_MAX = 5.0


def a_role(
    name: str,
    step: Callable[[], Awaitable[Progress]] | None,
    *,
    poll_seconds: float = 60.0,
    woken: bool = True,
    hears: frozenset[str] | None = None,
) -> Role:
    """A role whose lease is always to be had, or never (step None)."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Step | None]:
        yield step

    return Role(name=name, opened=opened, poll_seconds=poll_seconds, woken=woken, hears=hears)


@asynccontextmanager
async def driven(*roles: Role, wake: Wake | None = None, fatal: tuple[type[Exception], ...] = ()) -> AsyncIterator[Driver]:
    """These roles, running; stopped at the end within its bound."""
    stop = asyncio.Event()
    driver = Driver(roles, wake or Wake(), SystemClock(), fatal)
    task = asyncio.create_task(driver.run(stop))
    try:
        yield driver
    finally:
        stop.set()
        await asyncio.wait_for(task, SECONDS_MAX)


async def until(true: Callable[[], bool]) -> None:
    """Waits for it, within a deadline."""
    async with asyncio.timeout(SECONDS_MAX):
        while not true():  # noqa: ASYNC110  # whatever makes it true tells nobody
            await asyncio.sleep(0.002)


class Counting:
    """A step that counts its calls and answers as told; the last answer is repeated."""

    def __init__(self, *answers: Progress | BaseException) -> None:
        """At least one answer."""
        self._answers = list(answers)
        self.calls = 0

    async def __call__(self) -> Progress:
        """One step."""
        self.calls += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer
