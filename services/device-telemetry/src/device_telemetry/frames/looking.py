"""What an answer to a batch looks at: what is stored of its frames, and the streams that may forbid to go on."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from uuid import UUID

from device_telemetry.frames.codec import Header
from device_telemetry.frames.store import Seen
from erbium_kernel.decider import Decider
from erbium_kernel.folding import state_of
from erbium_kernel.runtime import Runtime

STREAMS_KEPT_MAX: Final = 5_000

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


class Head(NamedTuple):
    """The newest event of a stream; (0, None) when there is none. Why its id too: after a restore a version may come again."""

    version: int
    event_id: UUID | None


class Look(NamedTuple):
    """Everything at one moment. `heads`: of the streams that were asked for, in their order."""

    seen: Seen
    heads: Sequence[Head]


class Looks(Protocol):
    """Who looks: PostgreSQL in one statement, or memory."""

    async def look(self, chain_id: UUID, header: Header, streams: Sequence[str]) -> Look:
        """As it is now. Raises: Unavailable."""
        ...


class Streams:
    """Folded streams, each used again only as long as its newest event is still the newest.

    Why that is as good as reading it: events are never changed, so the same newest event means the same stream.
    """

    def __init__(self) -> None:
        """Nothing is kept yet."""
        self._kept: dict[tuple[UUID, str], tuple[Head, Any]] = {}

    async def at(self, runtime: Runtime, chain_id: UUID, decider: Decider[C, S, E], stream_id: UUID, head: Head) -> S:
        """The state of a stream whose newest event was this one a moment ago, or a later state. Raises: Unavailable, Undecodable."""
        key = (chain_id, decider.stream(stream_id))
        if key in self._kept and self._kept[key][0] == head:
            known: S = self._kept[key][1]
            return known
        state, version = await state_of(runtime, chain_id, decider, stream_id)
        if version == head.version > 0:
            self._kept.pop(key, None)
            while len(self._kept) >= STREAMS_KEPT_MAX:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = (head, state)
        return state

    def kept(self, chain_id: UUID, decider: Decider[C, S, E], stream_id: UUID) -> S | None:
        """The state as it was last read here, None if it was not: only for what never changes in it."""
        kept = self._kept.get((chain_id, decider.stream(stream_id)))
        return kept[1] if kept else None
