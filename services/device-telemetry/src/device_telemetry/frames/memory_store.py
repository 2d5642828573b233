"""The store of frames in memory, for the simulation and the quick tests. No clock, no threads.

What a database does by itself (fail, let others in, die between the commit and its answer) is done from outside, by `pause`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import TypeVar
from uuid import UUID

from device_telemetry.frames.absorbing import Absorbed, Arrival, Boot, BootSoFar, Part, absorbed
from device_telemetry.frames.codec import Frame, Header
from device_telemetry.frames.consequences import BOOTS_MAX, Kept, Recording
from device_telemetry.frames.guard import Finding
from device_telemetry.frames.looking import Head, Look
from device_telemetry.frames.store import FINDINGS_MAX, Piece, Seen, Unsettled
from device_telemetry.frames.totals import CellKey, Sum, fullest
from erbium_kernel.errors import LostLease
from erbium_kernel.ports import Store
from erbium_kernel.topic_port import Received

K = TypeVar("K", str, CellKey)
Pause = Callable[[str], Awaitable[None]]
Of = tuple[UUID, UUID]  # chain, treatment


async def no_pause(_: str) -> None:
    """Nobody else is let in, nothing fails."""


@dataclass(slots=True)
class _Treatment:
    parts: dict[UUID, Part] = field(default_factory=dict)
    zones: dict[str, Sum] = field(default_factory=dict)
    cells: dict[CellKey, Sum] = field(default_factory=dict)


@dataclass(slots=True)
class _Untold:
    touched: int = 0
    findings: list[Finding] = field(default_factory=list)


class MemoryFrameStore:
    """See `FrameStore`. `pause(place)` is awaited at `before` and `committed` of every call; it may wait, or raise."""

    def __init__(self, pause: Pause = no_pause) -> None:
        """Empty."""
        self.pause = pause
        self.frames: dict[tuple[UUID, Boot, int], Frame] = {}
        self.aside: list[tuple[Received, str]] = []
        self._boots: dict[tuple[UUID, Boot], BootSoFar] = {}
        self._treatments: dict[Of, _Treatment] = {}
        self._untold: dict[Of, _Untold] = {}
        self._positions: dict[tuple[str, int], int] = {}
        self._caught_up: dict[tuple[str, int], datetime] = {}

    async def prepare(self) -> None:
        """There is room."""
        await self.pause("before")

    async def position(self, topic: str, partition: int) -> int:
        """See `FrameStore`."""
        await self.pause("before")
        return self._positions.setdefault((topic, partition), 0)

    async def keep(self, piece: Piece) -> Sequence[Absorbed]:
        """See `FrameStore`."""
        await self.pause("before")
        place = (piece.topic, piece.partition)
        if self._positions.get(place, 0) != piece.expected:
            raise LostLease
        self.aside += [(record, piece.reason) for record in piece.aside]
        found = [self._write(chain_id, list(part)) for chain_id, part in groupby(piece.arrivals, lambda one: one.receipt.chain_id)]
        self._positions[place] = piece.next
        await self.pause("committed")
        return found

    def _write(self, chain_id: UUID, arrivals: Sequence[Arrival]) -> Absorbed:
        boots = {Boot(one.batch.header.device_id, one.batch.header.boot_id) for one in arrivals}
        found = absorbed({boot: self._boots.get((chain_id, boot), BootSoFar()) for boot in boots}, arrivals)
        for fresh in found.fresh:
            header = fresh.arrival.batch.header
            for frame in fresh.frames:
                key = (chain_id, Boot(header.device_id, header.boot_id), frame.seq)
                assert key not in self.frames, "a frame is stored once"
                self.frames[key] = frame
        self._boots.update({(chain_id, boot): so_far for boot, so_far in found.boots.items()})
        for (treatment_id, boot_id), part in found.parts.items():
            self._of(chain_id, treatment_id).parts.setdefault(boot_id, _nothing_of(part)).add(part)
        for treatment_id, gain in found.gains.items():
            stored = self._of(chain_id, treatment_id)
            for zone, one in gain.zones.items():
                stored.zones.setdefault(zone, Sum()).add(one)
            for cell, one in gain.cells.items():
                stored.cells.setdefault(cell, Sum()).add(one)
            untold = self._untold.setdefault((chain_id, treatment_id), _Untold())
            untold.touched += 1
            if len(untold.findings) < FINDINGS_MAX:
                untold.findings += gain.findings
        return found

    def _of(self, chain_id: UUID, treatment_id: UUID) -> _Treatment:
        return self._treatments.setdefault((chain_id, treatment_id), _Treatment())

    async def caught_up(self, topic: str, partitions: Sequence[int], at: datetime) -> None:
        """See `FrameStore`."""
        await self.pause("before")
        self._caught_up.update({(topic, n): at for n in partitions if (topic, n) in self._positions})
        await self.pause("committed")

    async def caught_up_since(self, topic: str) -> datetime | None:
        """See `FrameStore`."""
        await self.pause("before")
        places = [place for place in self._positions if place[0] == topic]
        seen = [self._caught_up[place] for place in places if place in self._caught_up]
        return min(seen) if seen and len(seen) == len(places) else None

    async def unsettled(self, after: Of | None, limit: int) -> Sequence[Unsettled]:
        """See `FrameStore`."""
        await self.pause("before")
        waiting = sorted(of for of in self._untold if after is None or of > after)[:limit]
        return [Unsettled(*of, self._untold[of].touched, list(self._untold[of].findings)) for of in waiting]

    async def settled(self, done: Unsettled) -> None:
        """See `FrameStore`."""
        await self.pause("before")
        untold = self._untold.get((done.chain_id, done.treatment_id))
        if untold is not None and untold.touched == done.touched:
            del self._untold[done.chain_id, done.treatment_id]
        elif untold is not None:
            del untold.findings[: len(done.findings)]
        await self.pause("committed")

    async def kept(self, chain_id: UUID, treatment_id: UUID, findings: Sequence[Finding]) -> Kept:
        """See `FrameStore`."""
        await self.pause("before")
        stored = self._of(chain_id, treatment_id)
        recordings = [self._recording(chain_id, boot_id, part) for boot_id, part in sorted(stored.parts.items())[:BOOTS_MAX]]
        return Kept(recordings=recordings, zones=_copied(stored.zones), fullest_cells=_copied(fullest(stored.cells)), findings=findings)

    def _recording(self, chain_id: UUID, boot_id: UUID, part: Part) -> Recording:
        return Recording(
            boot_id=boot_id, first_seq=part.first_seq, last_seq=part.last_seq, highest_seq=part.highest_seq,
            last_received_at=part.last_received_at, first_delivered_at=part.first_delivered_at, duplicates=part.duplicates,
            last_seq_at=part.last_seq_at, received=self._boots[chain_id, Boot(part.device_id, boot_id)].received,
        )  # fmt: skip

    async def seen(self, chain_id: UUID, header: Header) -> Seen:
        """What an answer to this batch has to know."""
        await self.pause("before")
        boot = self._boots.get((chain_id, Boot(header.device_id, header.boot_id)), BootSoFar())
        stored = self._of(chain_id, header.treatment_id)
        return Seen(boot, _copied(stored.zones), _copied(fullest(stored.cells)))


class MemoryLooks:
    """See `Looks`: frames and streams in memory."""

    def __init__(self, frames: MemoryFrameStore, log: Store) -> None:
        """Both are only read."""
        self._frames, self._log = frames, log

    async def look(self, chain_id: UUID, header: Header, streams: Sequence[str]) -> Look:
        """See `Looks`. Why streams first: what is stored may be newer than they are, never the other way round."""
        loaded = [await self._log.load(chain_id, stream) for stream in streams]
        heads = [Head(len(one.rows), one.rows[-1].envelope.event_id if one.rows else None) for one in loaded]
        return Look(await self._frames.seen(chain_id, header), heads)


def _nothing_of(part: Part) -> Part:
    return Part(part.device_id, part.first_seq, None, part.first_seq - 1)


def _copied(sums: dict[K, Sum]) -> dict[K, Sum]:
    """Sums grow in place; what was read of them does not."""
    return {key: replace(one) for key, one in sums.items()}
