"""From the own log to the own topic: in order, nothing skipped, resent when in doubt; keys before the events that need them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from erbium_kernel.errors import LostLease, Unavailable
from erbium_kernel.event import Cursor
from erbium_kernel.log_records import Park, ParkedRowDone, Row
from erbium_kernel.message import heartbeat, key_record, ordering_key, outgoing
from erbium_kernel.ports import Lease
from erbium_kernel.progress import IDLE, WORKED, WORKED_OFF, Progress, blocked
from erbium_kernel.runtime import Runtime
from erbium_kernel.topic_port import Outgoing, Outlet
from erbium_kernel.whereabouts import reason_of

SUBSCRIBER: Final = "relay"
KEYS: Final = "relay.keys"
KEYS_AGAIN: Final = "relay.keys-again"
ROUND_ROWS_MAX: Final = 1_000  # log rows whose messages are under way before the checkpoint moves
RELEASED_ROWS_MAX: Final = 50  # rows of released keys worked off in one step
KEYS_ROUND_MAX: Final = 500  # keys published in one step
KEYS_LOOK_SECONDS: Final = 0.25  # between two looks for changed keys while no events are there (machine time)
TOMBSTONE_AGAIN_SECONDS: Final = 20  # machine time; beats a value that a frozen broker wrote late, and rolls the segment
HEARTBEAT_SECONDS: Final = 10  # machine time

log = structlog.get_logger(__name__)
OrderedKey = tuple[UUID, UUID]  # (chain, ordering id)


class _NotSent(Exception):
    """The broker did not acknowledge; nothing has moved, the same round is sent again."""


class Relay:
    """One service's relay. A driver holds `store.lease("relay")` and calls `step` again and again; between two it may crash.

    Promise: what one key's events say reaches the topic in their order, at least once.
    Why no effect of the kernel's follower: between reading rows and sending them keys go out and it is decided whether to vouch for the
    topic, and a whole round goes out as one batch per partition; a follower has a place for neither, and would be no smaller with both.
    """

    def __init__(self, runtime: Runtime, outlet: Outlet, topic: str, heartbeat: bool, keys_topic: str | None) -> None:  # noqa: FBT001
        """`heartbeat`: this service vouches for its topic. `keys_topic`: where shared keys go; None if this service has none."""
        self._runtime, self._outlet, self._topic, self._keys_topic = runtime, outlet, topic, keys_topic
        self._vouches = heartbeat
        self._lease: Lease | None = None
        self._at = Cursor()
        self._skips: frozenset[tuple[UUID, UUID]] = frozenset()  # (chain, event)
        self._parked: Mapping[OrderedKey, bool] = {}
        self._keys_at: dict[str, Cursor] = {}
        self._keys_looked_at: datetime | None = None
        self._vouched_at: datetime | None = None

    async def step(self, lease: Lease) -> Progress:
        """One bounded round. Raises: Unavailable when the database fails (take a new lease)."""
        try:
            if lease is not self._lease:
                await self._begin(lease)
            return await self._round(lease)
        except _NotSent as error:
            return blocked(str(error))
        except LostLease:
            self._lease = None
            return blocked("somebody else moved the checkpoint")
        except Unavailable:
            self._lease = None
            raise

    async def _begin(self, lease: Lease) -> None:
        self._at = await lease.checkpoint()
        self._parked, self._skips = await lease.parked_keys(), await lease.skips()
        stored = await self._runtime.store.checkpoints()
        self._keys_at = {subscriber: stored.get(subscriber, Cursor()) for subscriber in (KEYS, KEYS_AGAIN)}
        self._keys_looked_at = None
        self._lease = lease

    async def _round(self, lease: Lease) -> Progress:
        now = self._runtime.clock.machine()  # before the read: what is vouched for below has been seen then
        rows = await lease.read(self._at, ROUND_ROWS_MAX)
        saw_all = self._is_to_vouch(now) and await self._has_seen_all(lease, rows)
        keys = await self._send_keys(now, in_need=bool(rows))
        if keys == KEYS_ROUND_MAX:
            return WORKED  # more keys first
        released = await self._work_off(lease)
        if rows:
            await self._send(lease, rows)
        if saw_all:
            await self._vouch(now)
        if keys or released or len(rows) == ROUND_ROWS_MAX:
            return WORKED
        return WORKED_OFF if rows else IDLE

    # --- events

    async def _send(self, lease: Lease, rows: Sequence[Row]) -> None:
        records: list[Outgoing] = []
        aside: list[Park] = []
        parked = dict(self._parked)
        for row in rows:
            if row.envelope.origin is not None or (row.envelope.chain_id, row.envelope.event_id) in self._skips:
                continue
            if _key(row) in parked:
                aside.append(Park(row=row, reason=None))
                continue
            try:
                records.extend(self._messages(row))
            except Exception as error:  # noqa: BLE001  # our bug met this row: its key waits, everybody else goes on
                aside.append(Park(row=row, reason=reason_of(error), attempts=1))
                parked[_key(row)] = False
                self._report("parked", row, error)
        await self._publish(self._topic, records)
        await lease.move(self._at, rows[-1].cursor, aside)
        self._at, self._parked = rows[-1].cursor, parked

    def _messages(self, row: Row) -> list[Outgoing]:
        runtime = self._runtime
        messages = runtime.publishes(row.envelope, runtime.codec.decode(row))
        return [outgoing(runtime.service, row.envelope, message, runtime.codec.to_json(message.data)) for message in messages]

    async def _work_off(self, lease: Lease) -> int:
        """Rows of released keys, oldest first; returns how many were looked at."""
        if not self._parked:
            return 0  # only we add to it
        self._parked = await lease.parked_keys()
        looked_at = 0
        for chain_id, ordering_id in [key for key, released in self._parked.items() if released]:
            for row in await lease.parked_rows(chain_id, ordering_id, RELEASED_ROWS_MAX - looked_at):
                if row.cursor > self._at:
                    break  # the relay was sent back: what precedes it is told again first
                looked_at += 1
                if not await self._work_off_one(lease, row):
                    break
            if looked_at >= RELEASED_ROWS_MAX:
                break
        if looked_at:
            self._parked = await lease.parked_keys()
        return looked_at

    async def _work_off_one(self, lease: Lease, row: Row) -> bool:
        envelope = row.envelope
        try:
            records = self._messages(row)
        except Exception as error:  # noqa: BLE001  # still our bug: the key waits for the operator as before
            await lease.park_again(envelope.chain_id, envelope.ordering_id, reason_of(error))
            self._report("parked again", row, error)
            return False
        await self._publish(self._topic, records)
        await lease.parked_row_done(ParkedRowDone(SUBSCRIBER, envelope.chain_id, envelope.ordering_id, envelope.event_id))
        return True

    # --- signs of life

    def _is_to_vouch(self, now: datetime) -> bool:
        return self._vouches and (self._vouched_at is None or now - self._vouched_at >= timedelta(seconds=HEARTBEAT_SECONDS))

    async def _has_seen_all(self, lease: Lease, rows: Sequence[Row]) -> bool:
        """Is nothing committed behind these rows? More than a round, or what waits behind somebody's open transaction, has not been seen.

        Why asked before they are sent: a busy service commits the next row meanwhile, and would never be vouched for.
        """
        return len(rows) < ROUND_ROWS_MAX and not await lease.hides(rows[-1].cursor if rows else self._at)

    async def _vouch(self, now: datetime) -> None:
        """Everything committed then is in the topic, save what is parked: the partitions of parked keys are not vouched for."""
        parked = [ordering_key(chain_id, ordering_id) for chain_id, ordering_id in self._parked]
        beat = heartbeat(self._runtime.service, self._runtime.ids.new(), now)
        try:
            await self._outlet.publish_to_each_partition(self._topic, beat, parked)
        except Unavailable as error:
            raise _NotSent(str(error)) from error
        self._vouched_at = now

    # --- keys

    async def _send_keys(self, now: datetime, *, in_need: bool) -> int:
        """Changed keys, and tombstones once more when they are old enough; returns how many keys were passed."""
        looked = self._keys_looked_at
        if self._keys_topic is None or (looked is not None and not in_need and now - looked < timedelta(seconds=KEYS_LOOK_SECONDS)):
            return 0
        passed = await self._pass_keys(KEYS, self._keys_topic, None)
        if looked is None or now - looked >= timedelta(seconds=KEYS_LOOK_SECONDS):
            await self._pass_keys(KEYS_AGAIN, self._keys_topic, now - timedelta(seconds=TOMBSTONE_AGAIN_SECONDS))
            self._keys_looked_at = now
        return passed

    async def _pass_keys(self, subscriber: str, topic: str, before: datetime | None) -> int:
        """`before`: only tombstones of keys erased until then."""
        store, at = self._runtime.store, self._keys_at[subscriber]
        keys = await store.changed_keys(at, KEYS_ROUND_MAX, before)
        if not keys:
            return 0
        async with store.lease(subscriber) as lease:
            if lease is None or await lease.checkpoint() != at:
                raise LostLease
            await self._publish(topic, [key_record(key) for key in keys if key.erased or before is None])
            await lease.move(at, keys[-1].cursor)
        self._keys_at[subscriber] = keys[-1].cursor
        return len(keys)

    # --- the broker

    async def _publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        """All of them, one bounded prefix after the other."""
        sent = 0
        while sent < len(records):
            try:
                sent += await self._outlet.publish(topic, records[sent:])
            except Unavailable as error:
                raise _NotSent(str(error)) from error

    def _report(self, what: str, row: Row, error: Exception) -> None:
        log.error(what, subscriber=SUBSCRIBER, type=row.envelope.type, event_id=str(row.envelope.event_id), reason=reason_of(error))


def _key(row: Row) -> OrderedKey:
    return row.envelope.chain_id, row.envelope.ordering_id
