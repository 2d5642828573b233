"""What streams came to when they were last folded in this process: only what was appended since is decoded, opened and folded."""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from erbium_kernel.log_records import Row

STREAMS_MAX = 2_000

AtHand = Callable[[UUID, UUID], object | None]
"""(chain, person) -> the opened key as it is known at this moment, if it is; another object each time it is read again."""


class Before(NamedTuple):
    """A fold of stored rows. `event_id`: of the last of them. `opened`: persons whose values it holds, and the keys that opened them."""

    version: int
    event_id: UUID
    evolve: Callable[[Any, Any], Any]
    state: Any
    opened: dict[UUID, object]


class FoldedBefore:
    """Why it cannot be wrong: it is used only where the very event it ends with stands at its version in what was just loaded.

    An event stands once in a chain, and what it was appended behind never changes; a restored log that went another way has another one.
    States are values, so whoever gets one cannot change it. Opened values are given out no longer than the keys that opened them are
    known, and are dropped where a person's key is.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self._streams: dict[tuple[UUID, str], Before] = {}

    def of(self, rows: tuple[Row, ...], evolve: Callable[[Any, Any], Any], at_hand: AtHand) -> tuple[Before | None, tuple[Row, ...]]:
        """What these rows of one stream came to before, as far as it is known, and the rows behind that."""
        last = rows[-1].envelope
        before = self._streams.get((last.chain_id, str(last.stream)))
        if before is None or before.evolve is not evolve:
            return None, rows
        place = before.version - (rows[0].envelope.version or 0)
        if not 0 <= place < len(rows) or rows[place].envelope.event_id != before.event_id:
            return None, rows
        if any(at_hand(last.chain_id, person) is not key for person, key in before.opened.items()):
            return None, rows
        return before, rows[place + 1 :]

    def keep(self, row: Row, evolve: Callable[[Any, Any], Any], state: Any, opened: dict[UUID, object]) -> None:
        """`state` is what the stream comes to with this row."""
        stream = row.envelope.chain_id, str(row.envelope.stream)
        self._streams.pop(stream, None)
        while len(self._streams) >= STREAMS_MAX:
            self._streams.pop(next(iter(self._streams)))
        self._streams[stream] = Before(row.envelope.version or 0, row.envelope.event_id, evolve, state, opened)

    def forget(self, chain_id: UUID, person_id: UUID) -> None:
        """Drops what holds values of this person."""
        for stream in [stream for stream, before in self._streams.items() if stream[0] == chain_id and person_id in before.opened]:
            del self._streams[stream]
