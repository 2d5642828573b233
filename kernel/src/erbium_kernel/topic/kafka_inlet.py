"""The reading side on Kafka: positions are the caller's, a silent consumer is found out, a lost position is never guessed."""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from erbium_kernel.errors import Unavailable
from erbium_kernel.observing import metrics
from erbium_kernel.topic.calm import calm_aiokafka
from erbium_kernel.topic.closing import consumer_closed
from erbium_kernel.topic.kafka_asking import Asking
from erbium_kernel.topic.share import Share
from erbium_kernel.topic_port import OffsetGone, Received

REQUEST_TIMEOUT_MS: Final = 10_000
SESSION_TIMEOUT_MS: Final = 6_000  # a member that died is replaced after this; the least that a broker allows unless told otherwise
HEARTBEAT_INTERVAL_MS: Final = 1_500
METADATA_AGE_MS_MAX: Final = 5_000  # how late a topic that was missing is noticed; with the default of 5 minutes we would look idle
START_SECONDS: Final = 5.0
PARTITION_FETCH_BYTES_MAX: Final = 1024 * 1024  # compressed, for each assigned partition
UNPLACED_WAIT_SECONDS: Final = 0.05  # a poll without any position, while the group shares out
POLL_GRACE_SECONDS: Final = 1.0  # beyond the caller's wait; then the poll found nothing
SILENT_SECONDS: Final = 5.0  # nothing from the broker for this long: ask whether it is there
ASK_SECONDS: Final = 2.0  # between two such questions
STUCK_SECONDS: Final = 10.0  # after that, the broker answering, but the consumer getting nothing: build a new one
SHARING_OUT_SECONDS: Final = 45.0  # instead, while the group shares out: other members may be the slow ones
TROUBLE_SECONDS: Final = 30.0  # of silence; then this reader is not ready
HINT_SECONDS: Final = 10.0  # between two commits of the hint
HINT_WAIT_SECONDS: Final = 1.0

Place = tuple[str, int]
NOWHERE: Final = TopicPartition("", -1)

log = logging.getLogger(__name__)


class StuckConsumer(Exception):
    """Kafka answers, and yet two consumers in a row got nothing: this process ends, the orchestrator starts another one."""


class KafkaInlet:
    """One consumer of a group, built anew when it is broken. Use from one task.

    Why always seek: with any `auto_offset_reset` but "none" a position outside the topic is a silent restart or a silent gap.
    """

    def __init__(
        self,
        bootstrap: str,
        group: str,
        topics: Collection[str],
        *,
        partition_fetch_bytes: int = PARTITION_FETCH_BYTES_MAX,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        """`security`: aiokafka's own options.

        Why no static membership: the one that shares out no longer looks for new partitions once it has been started again.
        """
        calm_aiokafka()
        self._connection = {"bootstrap_servers": bootstrap, "request_timeout_ms": REQUEST_TIMEOUT_MS, **(security or {})}
        self._membership = {"group_id": group, "max_partition_fetch_bytes": partition_fetch_bytes}
        self._topics = sorted(topics)
        self._asking = Asking(self._connection)
        self._consumer: AIOKafkaConsumer | None = None
        self._share = Share(time.monotonic)
        self._placed: set[TopicPartition] = set()
        self._alive_at = 0.0  # loop time of the newest sign that the broker serves us
        self._asked_at = 0.0
        self._stuck_since: float | None = None  # since then the broker has answered questions, but no fetch
        self._hinted_at = 0.0
        self.rebuilt = 0  # consumers given up since the broker last served one

    async def cluster_id(self) -> str:
        """The id of the cluster at this address. Raises: Unavailable."""
        return await self._asking.cluster_id()

    async def assigned(self) -> frozenset[Place]:
        """Partitions that are ours and were given no position since they became ours. Raises: Unavailable."""
        consumer = await self._ready()
        self._forget_after_sharing_out()
        if self._share.sharing_out:
            return frozenset()
        return frozenset((tp.topic, tp.partition) for tp in consumer.assignment() - self._placed)

    async def seek(self, topic: str, partition: int, offset: int) -> None:
        """Read on from `offset`; a partition that has gone to another member meanwhile is left alone."""
        place = TopicPartition(topic, partition)
        consumer = await self._ready()
        if self._share.sharing_out:
            return
        try:
            consumer.seek(place, offset)
            self._placed.add(place)
            self._share.has_read = True
        except IllegalStateError:
            self._placed.discard(place)

    async def poll(self, limit: int, wait_seconds: float) -> Sequence[Received]:
        """What has arrived for the partitions that have a position.

        After any error, and when partitions were shared out meanwhile, every position counts as lost: seek again.
        Raises: Unavailable; OffsetGone; StuckConsumer.
        """
        consumer = await self._ready()
        found = await self._fetched(consumer, limit, wait_seconds)
        if self._forget_after_sharing_out():
            return []
        if found:
            self._serves()
        elif _now() - self._alive_at > SILENT_SECONDS:
            await self._look_after(consumer)
        return found

    async def end_offsets(self) -> Mapping[Place, int]:
        """One past the newest record of each assigned partition, as of now. Raises: Unavailable."""
        places = (await self._ready()).assignment()
        ends = await self._asking.end_offsets(places) if places else {}
        return {(tp.topic, tp.partition): end for tp, end in ends.items()}

    def ends_seen(self) -> Mapping[Place, int]:
        """The same, as the newest answers to fetches told it; nobody is asked."""
        if self._consumer is None:
            return {}
        ours = self._placed & self._consumer.assignment()
        return {(tp.topic, tp.partition): end for tp in ours if (end := self._consumer.highwater(tp)) is not None}

    async def hint(self, positions: Mapping[Place, int]) -> None:
        """Commits the positions for operators' tools, at most once in `HINT_SECONDS`. An error is counted and forgotten."""
        if self._consumer is None or _now() - self._hinted_at < HINT_SECONDS:
            return
        self._hinted_at = _now()
        ours = {tp: positions[tp.topic, tp.partition] for tp in self._placed if (tp.topic, tp.partition) in positions}
        try:
            async with asyncio.timeout(HINT_WAIT_SECONDS):
                await self._consumer.commit(ours)
        except (KafkaError, TimeoutError):  # a commit during a rebalance fails by design
            metrics.offset_commit_failed()

    async def close(self) -> None:
        """Leaves the group; returns within seconds even if the broker is away."""
        await self._drop()
        await self._asking.close()

    def silent_seconds(self) -> float:
        """Since the broker last served this consumer; for health and metrics."""
        return _now() - self._alive_at

    def trouble(self) -> str | None:
        """For readiness: why nothing is read here although it should; None if all is well, as of a standby beside other members."""
        if self._consumer is None:  # once it has read, losing the connection is told by the steps that fail
            return None if self._share.has_read else "it has no connection to Kafka yet"
        if trouble := self._share.trouble():
            return trouble
        silent = self.silent_seconds()
        return f"Kafka has served it nothing for {silent:.0f} s" if silent > TROUBLE_SECONDS else None

    async def _ready(self) -> AIOKafkaConsumer:
        if self._consumer is not None:
            return self._consumer
        self._share, self._alive_at, self._stuck_since = Share(time.monotonic, has_read=self._share.has_read), _now(), None
        consumer = _consumer(self._connection, self._membership, self._share)
        try:
            async with asyncio.timeout(START_SECONDS):
                await consumer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            raise Unavailable(f"Kafka: {type(error).__name__}") from error
        else:
            self._consumer = consumer
        finally:
            if self._consumer is None:
                await consumer_closed(consumer)
        # Only now: start() of a consumer that has topics waits for its assignment without an end.
        consumer.subscribe(topics=self._topics, listener=self._share)
        return consumer

    async def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._placed.clear()
        if consumer is not None:
            await consumer_closed(consumer)

    async def _fetched(self, consumer: AIOKafkaConsumer, limit: int, wait_seconds: float) -> list[Received]:
        """Only of placed partitions: the others may have started at the committed hint. Without any, the group's health is asked."""
        wait = wait_seconds if self._placed else min(wait_seconds, UNPLACED_WAIT_SECONDS)
        try:
            async with asyncio.timeout(wait + POLL_GRACE_SECONDS):
                drained = await consumer.getmany(*(self._placed or {NOWHERE}), timeout_ms=int(wait * 1000), max_records=limit)
        except TimeoutError:  # the group is sharing out: getmany() then waits without an end
            return []
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            if self._share.changed or self._share.sharing_out:
                return []  # about the new assignment's own guess, not about a position of ours
            self._placed.clear()
            raise _gone(error.args[0]) from error
        except KafkaError as error:
            await self._drop()
            raise Unavailable(f"Kafka: {type(error).__name__}") from error
        return [_received(record) for records in drained.values() for record in records]

    def _forget_after_sharing_out(self) -> bool:
        """Partitions that were shared out again have no position, even those that came back to us."""
        changed, self._share.changed = self._share.changed, False
        if changed:
            self._placed.clear()
        return changed

    async def _look_after(self, consumer: AIOKafkaConsumer) -> None:
        """The watchdog. Why: a consumer whose group task died looks like an idle one; it never raises.

        Raises: Unavailable if the broker does not answer either; StuckConsumer the second time.
        """
        if not self._silent(consumer):
            self._serves()
            return
        if _now() - self._asked_at < ASK_SECONDS:
            return
        self._asked_at, stuck_since, self._stuck_since = _now(), self._stuck_since, None
        await self.cluster_id()
        self._stuck_since = _now() if stuck_since is None else stuck_since
        if _now() - self._stuck_since < (SHARING_OUT_SECONDS if self._share.sharing_out else STUCK_SECONDS):
            return
        log.error("Kafka answers, but this consumer got nothing for %.0f s; building a new one", self.silent_seconds())
        await self._drop()
        self.rebuilt += 1
        if self.rebuilt > 1:
            raise StuckConsumer("Kafka answers, but two consumers in a row got nothing")

    def _serves(self) -> None:
        self._alive_at, self._stuck_since, self.rebuilt = _now(), None, 0

    def _silent(self, consumer: AIOKafkaConsumer) -> bool:
        """Is the group still sharing out, or some partition of ours without any answered fetch (an empty one too) for a while?

        Why not by lag: on a compacted topic the end may be past everything that is left to read.
        """
        if self._share.sharing_out:
            return True
        since = (time.time() - SILENT_SECONDS) * 1000
        return any((consumer.last_poll_timestamp(tp) or 0) < since for tp in self._placed & consumer.assignment())


def _now() -> float:
    return asyncio.get_running_loop().time()


def _consumer(connection: Mapping[str, Any], membership: Mapping[str, Any], share: Share) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        auto_offset_reset="none",
        enable_auto_commit=False,
        partition_assignment_strategy=(share.assignor(),),
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
        metadata_max_age_ms=METADATA_AGE_MS_MAX,
        **connection,
        **membership,
    )


def _gone(lost: Any) -> OffsetGone:
    """`lost`: a partition, or one partition -> its position."""
    place, position = next(iter(lost.items())) if isinstance(lost, dict) else (lost, None)
    return OffsetGone(place.topic, place.partition, position)


def _received(record: Any) -> Received:
    return Received(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple((name, value or b"") for name, value in record.headers),  # Kafka lets a header's value be null
    )
