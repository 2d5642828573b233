"""Whether a subscriber that has something to follow follows anything: a silent one is told to operations, whatever it says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from erbium_kernel.event import Cursor
from erbium_kernel.observing import metrics
from erbium_kernel.ports import Clock, Store
from erbium_kernel.progress import IDLE, Progress

SILENT_SECONDS_MAX: Final = 60.0  # as long as the longest step may take
NEWS_ROWS_MAX: Final = 500  # looked at in one go
LOOKS_MAX: Final = 20  # behind one checkpoint; nothing to follow in so many rows counts as nothing to follow

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Watched:
    """`waits_since`: since when the checkpoint stands at this place although there is something behind it (machine time)."""

    place: Cursor
    waits_since: datetime | None = None
    told: bool = False


class Watchdog:
    """A driver calls `step` now and then. Why by the checkpoint alone: a follower that hangs, or says it is idle, says nothing true."""

    def __init__(self, store: Store, clock: Clock, hears: Mapping[str, frozenset[str]]) -> None:
        """`hears`: subscriber -> the types it follows."""
        self._store, self._clock, self._hears = store, clock, hears
        self._watched: dict[str, _Watched] = {}

    async def step(self) -> Progress:
        """Looks at every subscriber once. Raises: Unavailable."""
        places = await self._store.checkpoints()
        now = self._clock.machine()
        for name, hears in self._hears.items():
            place = places.get(name, Cursor())
            watched = self._watched.get(name)
            if watched is None or watched.place != place:
                watched = self._watched[name] = _Watched(place)
            if watched.waits_since is None and await self._has_something(place, hears):
                watched.waits_since = now
            if not watched.told and self.trouble(name):
                watched.told = True
                metrics.subscriber_silent(name)
                log.error("subscriber silent", subscriber=name, reason=self.trouble(name))
        return IDLE

    def trouble(self, name: str) -> str | None:
        """For readiness: a sentence while this subscriber is silent."""
        watched = self._watched.get(name)
        if watched is None or watched.waits_since is None:
            return None
        seconds = (self._clock.machine() - watched.waits_since).total_seconds()
        if seconds < SILENT_SECONDS_MAX:
            return None
        return f"it has followed nothing for {seconds:.0f} s, although rows wait for it behind position {watched.place.position} of the log"

    async def _has_something(self, place: Cursor, hears: frozenset[str]) -> bool:
        for _ in range(LOOKS_MAX):
            news = await self._store.news(place, NEWS_ROWS_MAX)
            if not hears.isdisjoint(news.types):
                return True
            if not news.more:
                return False
            place = news.to
        return False
