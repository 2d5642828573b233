"""From the others' topics into the own log: each message once, in its partition's order, with the position in the same transaction."""

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Final

from erbium_kernel.errors import LostLease, Unavailable
from erbium_kernel.log_records import Heard, Key, Slice, Unreadable
from erbium_kernel.message import KEYS_TOPIC, heard, heartbeat_at, key_heard
from erbium_kernel.progress import IDLE, WORKED, Progress, blocked
from erbium_kernel.runtime import Runtime
from erbium_kernel.topic_port import Inlet, OffsetGone, Received

POLL_RECORDS_MAX: Final = 500
POLL_WAIT_SECONDS: Final = 0.2
SLICE_BYTES_MAX: Final = 4 * 1024 * 1024  # of bodies in one transaction

Place = tuple[str, int]


class OtherCluster(Exception):
    """Our positions belong to another Kafka cluster than the one that answers."""


class Intake:
    """One member of the group `<service>.intake`. A driver calls `step` again and again; between two it may crash.

    Promise: whatever happens, the next record taken in of a partition is the one at the stored position.
    """

    def __init__(
        self,
        runtime: Runtime,
        inlet: Inlet,
        topics: Collection[str],
        *,
        keys_topic: str = KEYS_TOPIC,
        wait_seconds: float = POLL_WAIT_SECONDS,
    ) -> None:
        """`topics`: those the inlet is subscribed to, `keys_topic` among them unless this service makes the keys."""
        self._store, self._inlet = runtime.store, inlet
        self._topics, self._keys_topic, self._wait_seconds = frozenset(topics), keys_topic, wait_seconds
        self._at: dict[Place, int] = {}  # stored positions, as far as we know
        self._astray: set[Place] = set()  # where the inlet reads on from may differ from the stored position
        self._refused: OffsetGone | None = None
        self.new_total = 0
        self.repeated_total = 0
        self.unreadable_total = 0

    async def step(self) -> Progress:
        """Reads and takes in one bounded piece. Raises: StuckConsumer (the process should end)."""
        try:
            await self._check_refused()
            await self._place()
            return await self._take_in(await self._poll())
        except Unavailable as error:
            return blocked(str(error))
        except OffsetGone as error:
            self._refused = error
            return blocked(f"{error}. {WHAT_TO_DO}", operator=True)
        except OtherCluster as error:
            return blocked(f"{error}. {WHAT_TO_DO}", operator=True)

    # --- where to read on from

    async def _check_refused(self) -> None:
        """Once a position was gone, only another stored position ends the refusal.

        Why: a topic made again grows until it holds the old position too, and reading on there would be a silent gap.
        """
        gone = self._refused
        if gone is None:
            return
        stored = await self._store.positions(gone.topic)
        if stored.get(gone.partition, 0) == gone.position:
            raise OffsetGone(gone.topic, gone.partition, gone.position)
        self._refused = None
        self._astray.update(self._at)

    async def _place(self) -> None:
        """Gives partitions that became ours, or went astray, their stored position; nothing is read before all of them are sound."""
        places = sorted(await self._inlet.assigned() | self._astray)
        if not places:
            return
        await self._check_cluster()
        ends = await self._inlet.end_offsets()
        stored = {topic: await self._store.positions(topic) for topic in {topic for topic, _ in places}}
        ours = {(topic, n): stored[topic].get(n, 0) for topic, n in places if (topic, n) in ends}
        for (topic, n), position in ours.items():
            if position > ends[topic, n]:
                raise OffsetGone(topic, n, position)
        for (topic, n), position in ours.items():
            await self._inlet.seek(topic, n, position)
        self._at.update(ours)
        self._astray.clear()

    async def _check_cluster(self) -> None:
        seen = await self._inlet.cluster_id()
        known = await self._store.cluster_id(seen)
        if seen != known:
            raise OtherCluster(f"Kafka is cluster {seen}, our positions belong to cluster {known}")

    async def _poll(self) -> Sequence[Received]:
        sound = False
        try:
            records = await self._inlet.poll(POLL_RECORDS_MAX, self._wait_seconds)
            sound = True
            return records
        finally:
            if not sound:  # a cancelled poll may have taken records with it
                self._astray.update(self._at)

    # --- taking in

    async def _take_in(self, records: Sequence[Received]) -> Progress:
        if not records:
            return IDLE
        parts = {place: list(part) for place, part in groupby(sorted(records, key=_order), key=_place_of)}
        self._astray.update(parts)  # until each is committed: after a crash, an error, a cancellation they are read again
        for place, part in parts.items():
            try:
                for piece in _pieces(part):
                    await self._take_in_one(place, piece)
            except LostLease:
                continue  # another member was faster
            self._astray.discard(place)
        await self._inlet.hint(self._at)
        return WORKED

    async def _take_in_one(self, place: Place, records: Sequence[Received]) -> None:
        part = self._slice(place, self._at[place], records)
        taken = await self._store.take_in(part)
        self._at[place] = part.next
        self.new_total += taken.new
        self.repeated_total += taken.repeated
        self.unreadable_total += len(part.unreadable)

    def _slice(self, place: Place, expected: int, records: Sequence[Received]) -> Slice:
        beats = [at for record in records if (at := heartbeat_at(record)) is not None]
        read = [self._read(record) for record in records if heartbeat_at(record) is None]
        return Slice(
            topic=place[0],
            partition=place[1],
            expected=expected,
            next=records[-1].offset + 1,
            heard=tuple(each for each in read if isinstance(each, Heard)),
            unreadable=tuple(each for each in read if isinstance(each, Unreadable)),
            keys=tuple(each for each in read if isinstance(each, Key)),
            heartbeat_at=max(beats, default=None),
        )

    def _read(self, record: Received) -> Heard | Key | Unreadable:
        return key_heard(record) if record.topic == self._keys_topic else heard(record)


WHAT_TO_DO: Final = "Nothing is read until an operator decides (deploy/runbooks/kafka-positions.md)."


def _order(record: Received) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset


def _place_of(record: Received) -> Place:
    return record.topic, record.partition


def _pieces(records: Sequence[Received]) -> Iterator[Sequence[Received]]:
    """Cut so that one transaction stays bounded; a record that is larger alone goes alone."""
    piece: list[Received] = []
    size = 0
    for record in records:
        grown = size + len(record.value or b"")
        if piece and grown > SLICE_BYTES_MAX:
            yield piece
            piece, grown = [], len(record.value or b"")
        piece.append(record)
        size = grown
    if piece:
        yield piece
