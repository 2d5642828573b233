"""From the raw topic into PostgreSQL: frames, ranges, sums and the place on the topic in one transaction, so each frame counts once.

What cannot be read (only a gateway that writes to the topic itself could send it) is kept as it came in the kernel's table `unreadable`.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from device_telemetry.frames.absorbing import Absorbed, Arrival, Boot, absorbed
from device_telemetry.frames.codec import Batch, BatchRefused, Receipt, read_record
from device_telemetry.projections import storing_frames
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.state import Treatment, Unopened
from erbium_kernel.errors import LostLease, Unavailable, Undecodable
from erbium_kernel.execute import state_of
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
CAUGHT_UP_SECONDS: Final = 5.0  # how often it is noted that nothing waits (machine time)
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
        engine: AsyncEngine,
        inlet: Inlet,
        stored: Noted,
        *,
        topic: str = FRAMES_TOPIC,
        wait_seconds: float = POLL_WAIT_SECONDS,
    ) -> None:
        """`engine` connects as the role `frames`; `stored()` is told after each transaction."""
        self._runtime, self._engine, self._inlet, self._stored = runtime, engine, inlet, stored
        self._topic, self._wait_seconds = topic, wait_seconds
        self._at: dict[int, int] = {}
        self._astray: set[int] = set()
        self._noted_at: datetime | None = None
        self._partitions_of: date | None = None

    async def step(self) -> Progress:
        """Stores one bounded piece. Raises: StuckConsumer (the process should end)."""
        try:
            await self._ensure_partitions()
            await self._place()
            records = await self._polled()
            return await self._store(records) if records else await self._note_caught_up()
        except Unavailable as error:
            return blocked(str(error))
        except (OffsetGone, OtherCluster) as error:
            return blocked(f"{error}. {WHAT_TO_DO}", operator=True)
        except (DBAPIError, PoolTimeout, OSError) as error:
            self._astray.update(self._at)
            if isinstance(error, DBAPIError) and not _is_away(error):
                raise
            return blocked(f"database: {type(error).__name__}")

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
                continue
            async with self._engine.begin() as conn:
                at = await storing_frames.position(conn, self._topic, n)
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

    async def _note_caught_up(self) -> Progress:
        """Why: silence of a laser may only be concluded when nothing of it waits here."""
        now = self._runtime.clock.machine()
        if self._at and (self._noted_at is None or (now - self._noted_at).total_seconds() >= CAUGHT_UP_SECONDS):
            ends = await self._inlet.end_offsets()
            done = [n for n, at in self._at.items() if ends.get((self._topic, n), -1) == at]
            async with self._engine.begin() as conn:
                await storing_frames.caught_up(conn, self._topic, done, now)
            self._noted_at = now
        return IDLE

    async def _ensure_partitions(self) -> None:
        """Once a day. Frames of a day without a partition go into the default one, so trouble here stops nothing."""
        today = self._runtime.clock.machine().date()
        if self._partitions_of == today:
            return
        self._partitions_of = today
        try:
            async with self._engine.begin() as conn:
                await storing_frames.ensure_partitions(conn)
        except DBAPIError as error:
            log.warning("no new partitions for frames", reason=reason_of(error))

    # --- storing

    async def _store(self, records: Sequence[Received]) -> Progress:
        parts = {
            n: list(part) for n, part in groupby(sorted(records, key=lambda one: (one.partition, one.offset)), lambda one: one.partition)
        }
        self._astray.update(parts)  # until each is committed: after a crash, an error, a cancellation they are read again
        for n, part in parts.items():
            try:
                for piece in pieces(part):
                    await self._store_piece(n, piece)
            except LostLease:
                continue  # another member was faster
            self._astray.discard(n)
        await self._inlet.hint({(self._topic, n): at for n, at in self._at.items()})
        return WORKED

    async def _store_piece(self, n: int, piece: Sequence[Opened]) -> None:
        expected = self._at.get(n, 0)
        fresh = [one for one in piece if one[0].offset >= expected]
        if not fresh:
            return
        arrivals, aside = await self._sorted_out(fresh)
        last = fresh[-1][0].offset + 1
        async with self._engine.begin() as conn:
            if await storing_frames.position(conn, self._topic, n) != expected:
                raise LostLease
            for record in aside:
                await storing_frames.set_aside(conn, record, UNREADABLE)
            counted = [await _write(conn, chain_id, list(group)) for chain_id, group in groupby(arrivals, lambda one: one.receipt.chain_id)]
            await storing_frames.move_position(conn, self._topic, n, last)
        self._at[n] = last
        _count(counted, len(aside))
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
        if isinstance(state, Unopened) or state.binding.ids.device_id != batch.header.device_id:
            return None
        return Arrival(receipt, batch, state.binding, state.watch.closed)

    async def _treatment(self, chain_id: UUID, treatment_id: UUID) -> Treatment:
        """One that this code cannot read keeps its frames in `unreadable`, and nobody else's waiting."""
        try:
            return (await state_of(self._runtime, chain_id, TREATMENT, treatment_id))[0]
        except Undecodable as error:
            log.error("treatment not readable", stream=TREATMENT.stream(treatment_id), reason=reason_of(error))  # noqa: TRY400
            return Unopened()


def _count(counted: Sequence[Absorbed], aside: int) -> None:
    for one in counted:
        metrics.frames("stored", len(one.fresh))
        metrics.frames("duplicate", one.duplicates)
        metrics.frames("rejected", one.rejected)
    if aside:
        metrics.frames("unreadable", aside)
        log.error("frames set aside", count=aside)


async def _write(conn: AsyncConnection, chain_id: UUID, arrivals: Sequence[Arrival]) -> Absorbed:
    await storing_frames.set_chain(conn, chain_id)
    boots = list(dict.fromkeys(Boot(one.batch.header.device_id, one.batch.header.boot_id) for one in arrivals))
    found = absorbed(await storing_frames.load_ranges(conn, boots), arrivals)
    await storing_frames.write(conn, chain_id, found)
    return found


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


AWAY: Final = ("08", "53", "57P", "40", "55P03", "25P03")  # SQLSTATE: connection, resources, shutdown, lost races, locks, timeouts


def _is_away(error: DBAPIError) -> bool:
    """Not our bug: it is tried again."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or not state or str(state).startswith(AWAY)
