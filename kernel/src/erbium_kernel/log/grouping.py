"""Many callers, few round trips: who waits for the database at the same time is answered by one statement."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Hashable, Sequence
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import asyncpg

from erbium_kernel.errors import Unavailable
from erbium_kernel.log.doors import Door, in_our_words

GROUP_MAX = 64
WAITING_MAX = 4_096
HANDS = 2  # statements under way at once: while one is answered, the next group gathers
STOP_SECONDS = 5.0


class OfAChain(Protocol):
    """A piece of work of one tenant."""

    @property
    def chain_id(self) -> UUID:
        """The tenant."""
        ...


W = TypeVar("W", bound=OfAChain)
R = TypeVar("R")


class Grouping(ABC, Generic[W, R]):
    """Work waits here for a free hand, which takes all that waits of one chain; each caller is told its own outcome.

    Nobody waits for a group to fill: who comes alone goes alone. A group holds one chain, since its statement sets one tenant.
    """

    def __init__(self, name: str, door: Door) -> None:
        """`name` of the tasks. They begin with the first piece of work, and each then has a connection of its own.

        Why: to borrow one of the pool and give it back costs as much as a short statement.
        """
        self._name, self._door = name, door
        self._waiting: deque[tuple[W, asyncio.Future[R]]] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._called = False  # a hand has been called and has yet to come
        self._hands: list[asyncio.Task[None]] = []
        self._closing = False

    @abstractmethod
    async def _done(self, connection: "asyncpg.Connection[Any]", group: Sequence[W]) -> Sequence[R | Exception]:
        """One outcome for each, by one statement, which has the door's deadline. What is raised instead concerns all of them."""

    @abstractmethod
    def _place(self, work: W) -> Hashable:
        """A group holds each place once."""

    async def do(self, work: W) -> R:
        """The outcome of this one. Raises: as `_done`; Unavailable when too much waits already, or the process is stopping."""
        return await self._put(work)

    async def do_all(self, works: Sequence[W]) -> Sequence[R]:
        """The outcomes of these, which wait beside each other. Raises: as `do`, for the first that fails."""
        return await asyncio.gather(*map(self._put, works))

    def _put(self, work: W) -> "asyncio.Future[R]":
        if self._closing or len(self._waiting) >= WAITING_MAX:
            raise Unavailable("this process is stopping, or too many wait for the database")
        if not self._hands:
            self._hands = [asyncio.create_task(self._work(), name=f"{self._name}-{n}") for n in range(HANDS)]
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        self._call()
        return future

    async def close(self) -> None:
        """What waits is worked off, then the hands rest."""
        self._closing = True
        while self._idle:
            _tell(self._idle.pop(), None)
        if self._hands:
            _, late = await asyncio.wait(self._hands, timeout=STOP_SECONDS)
            for hand in late:
                hand.cancel()

    def _call(self) -> None:
        """One idle hand, if there is one: it takes all that will wait when it comes."""
        if self._idle and not self._called:
            self._called = True
            _tell(self._idle.pop(), None)

    async def _work(self) -> None:
        own: asyncpg.Connection[Any] | None = None
        try:
            while True:
                group = self._next_group()
                self._called = False
                if group:
                    if self._waiting:  # of another chain, or too many
                        self._call()
                    own = await self._answered(own, group)
                elif self._closing:
                    return
                else:
                    idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._idle.append(idle)
                    await idle
        finally:
            if own is not None:
                own.terminate()  # nothing is under way on it, or its outcome is unknown anyhow

    def _next_group(self) -> Sequence[tuple[W, "asyncio.Future[R]"]]:
        """The next pieces of work of one chain, none twice in one place; the others keep their turn."""
        group: dict[Hashable, tuple[W, asyncio.Future[R]]] = {}
        later: list[tuple[W, asyncio.Future[R]]] = []
        chain_id: UUID | None = None
        while self._waiting and len(group) < GROUP_MAX:
            work, future = self._waiting.popleft()
            if future.done():  # its caller has gone
                continue
            place = self._place(work)
            if place in group or work.chain_id != (chain_id or work.chain_id):
                later.append((work, future))
            else:
                group[place], chain_id = (work, future), work.chain_id
        self._waiting.extendleft(reversed(later))
        return list(group.values())

    async def _answered(
        self, own: "asyncpg.Connection[Any] | None", group: Sequence[tuple[W, "asyncio.Future[R]"]]
    ) -> "asyncpg.Connection[Any] | None":
        """Tells everybody in the group; returns the connection, None if it is of no more use."""
        outcomes: Sequence[R | Exception]
        try:
            if own is None or own.is_closed():
                own = await self._door.own()
            outcomes = await self._done(own, [work for work, _ in group])
        except Exception as raised:  # noqa: BLE001  # handed to those who wait
            error = in_our_words(raised)
            if own is not None and isinstance(error, Unavailable):
                own.terminate()  # something may still be under way on it
                own = None
            if len(group) > 1 and not isinstance(error, Unavailable):  # one member took all with it: each alone is told its own error
                for one in group:
                    own = await self._answered(own, [one])
                return own
            outcomes = [error] * len(group)
        for (_, future), outcome in zip(group, outcomes, strict=True):
            _tell(future, outcome)
        return own


def _tell(future: "asyncio.Future[R]", outcome: R | Exception) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
