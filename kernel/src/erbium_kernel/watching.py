"""What has become readable in the log, found once for all roles of a process, which are told by type: nobody is woken for nothing."""

from typing import Final

from erbium_kernel.driver import Wake
from erbium_kernel.event import Cursor
from erbium_kernel.log_records import News
from erbium_kernel.ports import Store
from erbium_kernel.progress import IDLE, WORKED, Progress

COMMITTED: Final = frozenset({"committed"})  # this process has written to its log; readers may not have it yet
NEWS_ROWS_MAX: Final = 200  # looked at in one step; what is behind them comes with the next
HIDDEN_SECONDS_MIN: Final = 0.002  # between two looks while a committed row waits for an open transaction, most often one of milliseconds


class Watching:
    """A driver calls `step` again and again; its wait is inside.

    Why the log is asked what was written, and not whoever wrote it: another process writes too, and a row may be committed and not
    readable yet, so that whom the writer wakes finds nothing.
    """

    def __init__(self, store: Store, wake: Wake, seconds: float) -> None:
        """`seconds`: how soon what another process has committed is noticed; what this one has (`COMMITTED`), at once."""
        self._store, self._wake, self._seconds = store, wake, seconds
        self._bell = wake.bell(COMMITTED)
        self._at: Cursor | None = None
        self._pause, self._hidden = 0.0, False

    async def step(self) -> Progress:
        """Waits, looks, wakes those who hear what has come. Raises: Unavailable."""
        await self._bell.wait(self._pause)
        self._bell.listen()
        at, self._at = self._at, None  # until the database has answered: it may have come back with a shorter log
        if at is None:
            self._at = await self._store.end()
            self._wake.signal()
            return IDLE
        news = await self._store.news(at, NEWS_ROWS_MAX)
        self._at = news.to
        self._pause, self._hidden = self._next_pause(news), news.hidden
        if news.types:
            self._wake.signal(news.types)
        return WORKED if news.types else IDLE

    def _next_pause(self, news: News) -> float:
        """Why ever longer where something is hidden: a transaction that stays open for a minute is not worth a thousand looks."""
        if news.more:
            return 0.0
        if not news.hidden:
            return self._seconds
        return min(self._seconds, 2 * self._pause) if self._hidden else HIDDEN_SECONDS_MIN
