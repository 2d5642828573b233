"""Read your writes: waits until an event or a message, and all that followed from it here, has had its effect."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from erbium_kernel.deadline import within
from erbium_kernel.event import Cursor
from erbium_kernel.ports import Store
from erbium_kernel.runtime import Runtime

if TYPE_CHECKING:
    from erbium_kernel.service import Service

POLL_SECONDS_MIN = 0.005
POLL_SECONDS_MAX = 0.025  # the longer it takes, the rarer it is asked: many waiting readers must not starve commands
WAITING_MAX = 32  # readers of one process that wait at once; one more is told "pending" at once
DEADLINE_SECONDS = 2.0
SILENT_SECONDS_MAX = 1.5  # so long the database may say nothing; the caller is then told within 2 s of its going away, not of the deadline
CONSEQUENCES_MAX = 200  # events that one message leads to here; beyond it the answer is "not yet"

Pause = Callable[[float], Awaitable[None]]


class _Waiting:
    """How many readers of this process wait."""

    def __init__(self) -> None:
        self.value = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        self.value += 1
        try:
            yield
        finally:
            self.value -= 1


_waiting = _Waiting()


async def followed(
    runtime: Runtime,
    service: "Service",
    chain_id: UUID,
    id_: UUID,
    seconds: float = DEADLINE_SECONDS,
    *,
    pause: Pause = asyncio.sleep,
) -> bool:
    """True once the own event or heard message `id_`, and every event that reactions made of it, has been followed by all that hear it.

    False when `seconds` have passed, and at once when its patient or device is parked. An id not yet here may still arrive.
    `pause`: another one where no machine's time passes.
    Raises: Unavailable, at the latest when the database has said nothing for `SILENT_SECONDS_MAX`.
    """
    if _waiting.value >= WAITING_MAX:
        return False
    with _waiting.one_more():
        story = _Story(runtime.store, service, chain_id, id_)
        end, waited, nap = runtime.clock.machine() + timedelta(seconds=seconds), 0.0, POLL_SECONDS_MIN
        while (told := await story.told()) is None:
            waited += nap
            if waited > seconds or runtime.clock.machine() + timedelta(seconds=nap) > end:  # counted too: a clock may stand still
                return False
            await pause(nap)
            nap = min(POLL_SECONDS_MAX, nap * 1.5)
        return told


class _Story:
    """One event or message and what reactions have made of it, told as far as it has been followed. No question is asked twice in vain."""

    def __init__(self, store: Store, service: "Service", chain_id: UUID, id_: UUID) -> None:
        self._store, self._service, self._chain_id = store, service, chain_id
        self._waiting, self._seen = deque([id_]), {id_}
        self._place: tuple[Cursor, str, UUID] | None = None  # of the first that waits, once it is here

    async def told(self) -> bool | None:
        """True: to the end. False: it will not be soon. None: not yet."""
        while self._waiting:
            if len(self._seen) > CONSEQUENCES_MAX:
                return False
            followed_by_all = await self._first_is_followed()
            if not followed_by_all:
                return followed_by_all
            more = await within(SILENT_SECONDS_MAX, self._store.consequences(self._chain_id, self._waiting.popleft()))
            self._place = None
            self._waiting.extend(event_id for event_id in more if event_id not in self._seen)
            self._seen.update(more)
        return True

    async def _first_is_followed(self) -> bool | None:
        self._place = self._place or await within(SILENT_SECONDS_MAX, self._store.place_of(self._chain_id, self._waiting[0]))
        if self._place is None:
            return None
        cursor, type_, ordering_id = self._place
        hearing = self._service.subscribers_of(type_)
        if not hearing:
            return True
        checkpoints = await within(SILENT_SECONDS_MAX, self._store.checkpoints())
        if any(name not in checkpoints or checkpoints[name] < cursor for name in hearing):
            return None
        return not hearing & await within(SILENT_SECONDS_MAX, self._store.parked_in(self._chain_id, ordering_id))
