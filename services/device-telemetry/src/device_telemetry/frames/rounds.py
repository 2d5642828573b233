"""Records that come while others are on their way to the broker go together: nobody waits for company, and company costs little."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from erbium_kernel.errors import Unavailable
from erbium_kernel.topic_port import Outgoing, Outlet

WAITING_MAX: Final = 500  # records: as many requests as a process takes at once


class _Call(NamedTuple):
    record: Outgoing
    done: "asyncio.Future[None]"


class Rounds:
    """Many callers with one record each, for one topic. A round is under way at a time; the next one takes all who have come since."""

    def __init__(self, outlet: Outlet, topic: str) -> None:
        """Nothing is under way."""
        self._outlet, self._topic = outlet, topic
        self._waiting: deque[_Call] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._failed = False  # the round before

    async def send(self, record: Outgoing) -> None:
        """Returns when all in-sync replicas have it. Raises: Unavailable: nothing may be assumed sent.

        A caller that gives up takes its record back if it has not left yet, and disturbs nobody else's.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise Unavailable("too many records wait for Kafka")
        call = _Call(record, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        await call.done

    async def _send(self) -> None:
        while self._waiting:
            calls = [call for call in self._waiting if not call.done.done()]
            # After trouble one goes alone: if only its partition is away, the others shall not share its fate for ever.
            together, later = (calls[:1], calls[1:]) if self._failed else (calls, [])
            self._waiting = deque(later)
            if together:
                await self._round(together)

    async def _round(self, calls: Sequence[_Call]) -> None:
        try:
            sent = await self._outlet.publish(self._topic, [call.record for call in calls])
        except Exception as error:  # noqa: BLE001  # whatever it is, this round's callers are told, and the next round is tried
            self._failed = True
            for call in calls:
                if not call.done.done():
                    call.done.set_exception(error)
            return
        self._failed = False
        for call in calls[:sent]:
            if not call.done.done():
                call.done.set_result(None)
        self._waiting.extendleft(reversed(calls[sent:]))
