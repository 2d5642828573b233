"""Transaction ids of the memory store: given at the first write, visible at commit, in an order of their own per epoch."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Cursor

Pause = Callable[[str], Awaitable[None]]


async def no_pause(_: str) -> None:
    """Nothing is waited for: every call runs through."""


@dataclass(slots=True, eq=False)
class Open:
    """A transaction that has written something that nobody else sees yet."""

    epoch: int
    tx: int


@dataclass(slots=True)
class Transactions:
    """The counters of a PostgreSQL cluster, as far as the log's order depends on them.

    `position` goes on through a restore, as a sequence does; `tx` begins at 1 again.
    """

    epoch: int = 1
    _tx: int = 0
    _position: int = 0
    _open: list[Open] = field(default_factory=list)

    def begin(self) -> Open:
        """The transaction writes for the first time: it is given its id, and holds the horizon until it ends."""
        self._tx += 1
        opened = Open(self.epoch, self._tx)
        self._open.append(opened)
        return opened

    def place(self, opened: Open) -> Cursor:
        """The place of the next row that this transaction writes; a place given is never given again."""
        self._position += 1
        return Cursor(opened.epoch, opened.tx, self._position)

    def check_open(self, opened: Open) -> None:
        """Raises: Unavailable if a restore has ended this transaction."""
        if opened not in self._open:
            raise Unavailable("the database was restored while this transaction was open")

    def end(self, opened: Open) -> None:
        """Committed or rolled back: the horizon no longer waits for it. Ending twice changes nothing."""
        if opened in self._open:
            self._open.remove(opened)

    def horizon(self) -> int:
        """The oldest transaction that is still open, else the next one: readers of this epoch stop below it."""
        return min((opened.tx for opened in self._open), default=self._tx + 1)

    def readable(self, place: Cursor) -> bool:
        """No open transaction could still precede this place."""
        return place.epoch < self.epoch or place.tx < self.horizon()

    def new_epoch(self) -> None:
        """What a restore into a fresh cluster does: open transactions are gone, ids start again, the epoch tells them apart."""
        self.epoch += 1
        self._tx = 0
        self._open.clear()
