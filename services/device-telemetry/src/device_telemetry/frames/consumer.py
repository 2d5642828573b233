"""From the raw topic into the store of frames: each frame counts once, and what cannot be read is kept as it came.

Only a gateway that writes to the topic itself could send what cannot be read.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Final
from uuid import UUID

import structlog

from device_telemetry.frames.absorbing import Absorbed, Arrival
from device_telemetry.frames.codec import Batch, BatchRefused, Receipt, read_record
from device_telemetry.frames.store import FrameStore, Piece
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.state import Treatment, Unopened
from erbium_kernel.errors import LostLease, Unavailable, Undecodable
from erbium_kernel.folding import state_of
from erbium_kernel.observing import metrics
from erbium_kernel.progress import IDLE, WORKED, Progress, blocked
from erbium_kernel.runtime import Runtime
from erbium_kernel.topic_port import Inlet, OffsetGone, Received
from erbium_kernel.whereabouts import reason_of

FRAMES_TOPIC: Final = "erbium.device-telemetry.frames.v1"
GROUP: Final = "device-telemetry.frames"
POLL_RECORDS_MAX: Final = 60
POLL_WAIT_SECONDS: Final = 0.2
TRANSACTION_FRAMES_MAX: Final = 20_000
TRANSACTION_RECORDS_MAX: Final = 20
LOOK_SECONDS: Final = 5.0  # how often it is looked how much is on the topic (machine time)
WHAT_TO_DO: Final = "No frames are stored until an operator decides (deploy/runbooks/kafka-positions.md)."

log = structlog.get_logger(__name__)
UNREADABLE: Final = "not a batch of frames of a known treatment"
Noted = Callable[[], None]
Opened = tuple[Received, tuple[Receipt, Batch] | None]  # None: cannot be read


class OtherCluster(Exception):
    """The positions belong to another Kafka cluster than the one that answers."""


class FramesConsumer:
    """One member of the group `device-telemetry.frames`. A driver calls `step` again and again; between two it may crash."""

    def __init__(
        self,
        runtime: Runtime,
        store: FrameStore,
        inlet: Inlet,
        stored: Noted,
        *,
        topic: str = FRAMES_TOPIC,
        wait_seconds: float = POLL_WAIT_SECONDS,
    ) -> None:
        """`stored()` is told after each transaction."""
        self._runtime, self._store, self._inlet, self._stored = runtime, store, inlet, stored
        self._topic, self._wait_seconds = topic, wait_seconds
        self._at: dict[int, int] = {}
        self._astray: set[int] = set()
        self._looked_at: datetime | None = None
        self._ends: dict[int, tuple[datetime, int]] = {}  # how much was on a partition at a time, until so much is stored
        self._prepared_on: date | None = None

    async def step(self) -> Progress:
        """Stores one bounded piece. Raises: StuckConsumer (the process should end)."""
        try:
            await self._prepare()
            await self._place()
            records = await self._polled()
            if records:
                await self._keep(records)
            await self._look()
        except Unavailable as error:
            return blocked(str(error))
        except (OffsetGone, OtherCluster) as error:
            return blocked(f"{error}. {WHAT_TO_DO}", operator=True)
        return WORKED if records else IDLE

    async def _prepare(self) -> None:
        """Once a day."""
        today = self._runtime.clock.machine().date()
        if self._prepared_on != today:
            self._prepared_on = today
            await self._store.prepare()

    # --- where to read on from

    async def _place(self) -> None:
        assigned = {n for _, n in await self._inlet.assigned()}
        if not assigned | self._astray:
            return
        seen = await self._inlet.cluster_id()
        known = await self._runtime.store.cluster_id(seen)
        if seen != known:
            raise OtherCluster(f"Kafka is cluster {seen}, our positions belong to cluster {known}")
        ends = await self._inlet.end_offsets()
        for n in sorted(assigned | self._astray):
            if (self._topic, n) not in ends:
                self._at.pop(n, None)  # another member has it now
                self._ends.pop(n, None)
                continue
            at = await self._store.position(self._topic, n)
            if at > ends[self._topic, n]:
                raise OffsetGone(self._topic, n, at)
            await self._inlet.seek(self._topic, n, at)
            self._at[n] = at
        self._astray.clear()

    async def _polled(self) -> Sequence[Received]:
        sound = False
        try:
            records = await self._inlet.poll(POLL_RECORDS_MAX, self._wait_seconds)
            sound = True
            return records
        finally:
            if not sound:
                self._astray.update(self._at)

    async def _look(self) -> None:
        """Why: silence of a laser may only be concluded when nothing of it waits here; under load the topic is never empty."""
        now = self._runtime.clock.machine()
        if self._at and (self._looked_at is None or abs((now - self._looked_at).total_seconds()) >= LOOK_SECONDS):
            self._looked_at = now
            for (_, n), end in (await self._inlet.end_offsets()).items():
                self._ends.setdefault(n, (now, end))
        done = {n: at for n, (at, end) in self._ends.items() if self._at.get(n, -1) >= end and n not in self._astray}
        for at in sorted(set(done.values())):
            await self._store.caught_up(self._topic, [n for n in sorted(done) if done[n] == at], at)
        for n in done:
            del self._ends[n]

    # --- storing

    async def _keep(self, records: Sequence[Received]) -> None:
        ordered = sorted(records, key=lambda one: (one.partition, one.offset))
        parts = {n: list(part) for n, part in groupby(ordered, lambda one: one.partition)}
        self._astray.update(parts)  # until each is committed: after a crash, an error, a cancellation they are read again
        for n, part in parts.items():
            try:
                for piece in pieces(part):
                    await self._keep_piece(n, piece)
            except LostLease:
                continue  # another member was faster
            self._astray.discard(n)
        await self._inlet.hint({(self._topic, n): at for n, at in self._at.items()})

    async def _keep_piece(self, n: int, read: Sequence[Opened]) -> None:
        expected = self._at.get(n, 0)
        fresh = [one for one in read if one[0].offset >= expected]
        if not fresh:
            return
        arrivals, aside = await self._sorted_out(fresh)
        after = fresh[-1][0].offset + 1
        piece = Piece(topic=self._topic, partition=n, expected=expected, next=after, arrivals=arrivals, aside=aside, reason=UNREADABLE)
        found = await self._store.keep(piece)
        self._at[n] = after
        _count(found, len(aside))
        self._stored()

    async def _sorted_out(self, piece: Sequence[Opened]) -> tuple[list[Arrival], list[Received]]:
        """(what belongs to a treatment, what does not)."""
        known: dict[tuple[UUID, UUID], Treatment] = {}
        arrivals, aside = [], []
        for record, read in piece:
            arrival = await self._arrival(read, known) if read else None
            if arrival is None:
                aside.append(record)
            else:
                arrivals.append(arrival)
        return arrivals, aside

    async def _arrival(self, read: tuple[Receipt, Batch], known: dict[tuple[UUID, UUID], Treatment]) -> Arrival | None:
        receipt, batch = read
        key = (receipt.chain_id, batch.header.treatment_id)
        if key not in known:
            known[key] = await self._treatment(*key)
        state = known[key]
        if isinstance(state, Unopened) or not batch.header.fits(state.binding):
            return None
        arrival = Arrival(receipt, batch, state.binding, state.watch.closed)
        _ = arrival.columns  # now: an open transaction keeps every reader of the server waiting
        return arrival

    async def _treatment(self, chain_id: UUID, treatment_id: UUID) -> Treatment:
        """One that this code cannot read keeps its frames in `unreadable`, and nobody else's waiting."""
        try:
            return (await state_of(self._runtime, chain_id, TREATMENT, treatment_id))[0]
        except Undecodable as error:
            log.error("treatment not readable", stream=TREATMENT.stream(treatment_id), reason=reason_of(error))  # noqa: TRY400
            return Unopened()


def _count(found: Sequence[Absorbed], aside: int) -> None:
    for one in found:
        metrics.frames("stored", one.count)
        metrics.frames("duplicate", one.duplicates)
        metrics.frames("rejected", one.rejected)
    if aside:
        metrics.frames("unreadable", aside)
        log.error("frames set aside", count=aside)


def pieces(records: Sequence[Received]) -> Iterator[list[Opened]]:
    """Cut so that one transaction stays bounded; a record that is larger alone goes alone."""
    piece: list[Opened] = []
    frames = 0
    for record in records:
        read = _read(record)
        more = len(read[1].frames) if read else 0
        if piece and (frames + more > TRANSACTION_FRAMES_MAX or len(piece) == TRANSACTION_RECORDS_MAX):
            yield piece
            piece, frames = [], 0
        piece.append((record, read))
        frames += more
    if piece:
        yield piece


def _read(record: Received) -> tuple[Receipt, Batch] | None:
    try:
        return read_record(record.value or b"")
    except BatchRefused:
        return None
