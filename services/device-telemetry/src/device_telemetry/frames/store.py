"""Where frames and what they add up to are kept: the memory and the PostgreSQL store pass one suite."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from device_telemetry.frames.absorbing import Absorbed, Arrival, BootSoFar
from device_telemetry.frames.consequences import Kept
from device_telemetry.frames.guard import Finding
from device_telemetry.frames.totals import CellKey, Sum
from erbium_kernel.topic_port import Received

FINDINGS_MAX: Final = 200  # kept of one treatment until they are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What was read of one partition, up to `next`; `expected` is where its reader stood. `aside`: what cannot be read, and why."""

    topic: str
    partition: int
    expected: int
    next: int
    arrivals: Sequence[Arrival]
    aside: Sequence[Received] = ()
    reason: str = ""


class Unsettled(NamedTuple):
    """A treatment to be told what its frames have come to. `touched` counts what has been stored of it since it was told."""

    chain_id: UUID
    treatment_id: UUID
    touched: int
    findings: list[Finding]


class Seen(NamedTuple):
    """What is stored when a batch comes: of its boot, and of its treatment the sums of each zone and at least its fullest cell."""

    boot: BootSoFar
    zones: Mapping[str, Sum]
    fullest_cells: Mapping[CellKey, Sum]


class FrameStore(Protocol):
    """Of all chains of one service. Every call raises Unavailable when the database does not answer."""

    async def prepare(self) -> None:
        """Makes room for the days to come. Trouble here stops nothing: there is always room."""
        ...

    async def position(self, topic: str, partition: int) -> int:
        """The next offset to store; 0 for a partition never seen."""
        ...

    async def keep(self, piece: Piece) -> Sequence[Absorbed]:
        """Promise: frames, ranges, sums and the position in one transaction, so that each frame counts once. Returns what was new.

        No two calls work on the same boot at once, wherever its frames come from.
        Raises: LostLease if the position is not the expected one.
        """
        ...

    async def caught_up(self, topic: str, partitions: Sequence[int], at: datetime) -> None:
        """All that these partitions held at that time is stored. Units: `at` machine time."""
        ...

    async def caught_up_since(self, topic: str) -> datetime | None:
        """The machine time up to which all partitions are stored; None while one never was."""
        ...

    async def unsettled(self, after: tuple[UUID, UUID] | None, limit: int) -> Sequence[Unsettled]:
        """Treatments of all chains that have not been told yet, in the order of (chain, treatment), those after `after`."""
        ...

    async def settled(self, done: Unsettled) -> None:
        """Its findings have been told; and all of it has, unless more has come meanwhile."""
        ...

    async def kept(self, chain_id: UUID, treatment_id: UUID, findings: Sequence[Finding]) -> Kept:
        """Everything stored of this treatment, as it is now."""
        ...
