"""Read your writes: waits until an event or a message, and all that followed from it here, has had its effect."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from erbium_kernel.runtime import Runtime

if TYPE_CHECKING:
    from erbium_kernel.service import Service

POLL_SECONDS_MIN = 0.005
POLL_SECONDS_MAX = 0.05  # the longer it takes, the rarer it is asked: many waiting readers must not starve commands
WAITING_MAX = 32  # readers of one process that wait at once; one more is told "pending" at once
DEADLINE_SECONDS = 2.0
CONSEQUENCES_MAX = 200  # events that one message leads to here; beyond it the answer is "not yet"


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


async def followed(runtime: Runtime, service: "Service", chain_id: UUID, id_: UUID, deadline_seconds: float = DEADLINE_SECONDS) -> bool:
    """True once the own event or heard message `id_`, and every event that reactions made of it, has been followed by all that hear it.

    False when the deadline passes, and at once when its patient or device is parked. An id not yet here may still arrive.
    Raises: Unavailable.
    """
    if _waiting.value >= WAITING_MAX:
        return False
    with _waiting.one_more():
        return await _wait(runtime, service, chain_id, id_, deadline_seconds)


async def _wait(runtime: Runtime, service: "Service", chain_id: UUID, id_: UUID, deadline_seconds: float) -> bool:
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + deadline_seconds, POLL_SECONDS_MIN
    waiting, seen = [id_], {id_}
    while waiting and len(seen) <= CONSEQUENCES_MAX:
        answer = await _followed(runtime, service, chain_id, waiting[0])
        if answer is False:
            return False
        if answer:
            more = [event_id for event_id in await runtime.store.consequences(chain_id, waiting.pop(0)) if event_id not in seen]
            waiting += more
            seen.update(more)
            continue
        if loop.time() + pause > end:
            return False
        await asyncio.sleep(pause)
        pause = min(POLL_SECONDS_MAX, pause * 1.5)
    return not waiting


async def _followed(runtime: Runtime, service: "Service", chain_id: UUID, id_: UUID) -> bool | None:
    """None = not yet."""
    place = await runtime.store.place_of(chain_id, id_)
    if place is None:
        return None
    cursor, type_, ordering_id = place
    hearing = service.subscribers_of(type_)
    checkpoints = await runtime.store.checkpoints()
    if any(name not in checkpoints or checkpoints[name] < cursor for name in hearing):
        return None
    return not hearing & await runtime.store.parked_in(chain_id, ordering_id)
