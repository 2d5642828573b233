"""What left one service's log compared with what arrived in another's: message by message, so that a lost one has a name."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

import asyncpg

from erbium_kernel.event import Cursor, message_id
from erbium_kernel.log.doors import told
from erbium_kernel.log.lease import READABLE
from erbium_kernel.log.rows import LOG_COLUMNS, cursor_of, row_of
from erbium_kernel.log_records import Row
from erbium_kernel.message import topic_of
from erbium_kernel.relay import SUBSCRIBER as RELAY
from erbium_kernel.running import codec_of
from erbium_kernel.service import Service

PAGE_ROWS_MAX = 500
PAGES_MAX = 20_000  # ten million rows; then the answer says that it is not the whole
LISTED_MAX = 1_000  # missing messages that are named
UNREADABLE_MAX = 10_000  # records looked through for the id of a message
GRACE = timedelta(seconds=30)  # what is younger may be under way

Place = Literal["heard", "parked", "unreadable", "under way", "skipped", "missing"]
_END = (2**31 - 1, str(2**64 - 1), 2**63 - 1)  # behind every row
_BACKWARDS = (
    f"SELECT {LOG_COLUMNS} FROM log WHERE origin IS NULL AND (epoch, tx, position) < ($1, $2::text::xid8, $3) AND {READABLE} "  # noqa: S608
    "ORDER BY epoch DESC, log.tx DESC, position DESC LIMIT $4"
)
_WANTED = "FROM unnest($1::uuid[], $2::uuid[]) AS w(chain_id, event_id)"
_HEARD = f"SELECT l.event_id {_WANTED} JOIN log l USING (chain_id, event_id) WHERE l.origin IS NOT NULL"
_PARKED = f"SELECT r.event_id {_WANTED} JOIN parked_rows r USING (chain_id, event_id)"
_UNREADABLE = (
    "SELECT (SELECT h ->> 1 FROM jsonb_array_elements(headers) h WHERE h ->> 0 = encode('ce_id', 'hex') LIMIT 1) AS id "
    "FROM unreadable WHERE topic = $1 ORDER BY seen_at DESC LIMIT $2"
)


class Side(NamedTuple):
    """One service, and a connection as its `work` role, which sees all chains."""

    service: Service
    connection: "asyncpg.Connection[Any]"


class Window(NamedTuple):
    """Messages of events recorded from `since` on and before `until`. Units: UTC, the sender's domain time."""

    since: datetime
    until: datetime
    grace: timedelta = GRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One message that has not arrived. `why`: how far it has come."""

    message_id: UUID
    event_id: UUID
    chain_id: UUID
    type: str
    recorded_at: datetime
    why: str


@dataclass(slots=True, kw_only=True)
class Reconciled:
    """One pair. `facts`: type -> how many are where. `whole` False: the window holds more than is looked at."""

    sender: str
    hearer: str
    facts: dict[str, Counter[Place]] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    unreadable_without_id: int = 0
    whole: bool = True

    @property
    def missing_total(self) -> int:
        """Messages that should have arrived."""
        return sum(places["missing"] for places in self.facts.values())


class _Sent(NamedTuple):
    row: Row
    type: str
    message_id: UUID


async def reconcile(sender: Side, hearer: Side, window: Window, *, listed_max: int = LISTED_MAX) -> Reconciled:
    """Every message that the sender's relay makes of its events in the window, and where it is in the hearer's database.

    What is younger than the window's grace, on the sender's clock, may be under way. Raises: Unavailable.
    """
    async with told():
        found = Reconciled(sender=sender.service.name, hearer=hearer.service.name)
        relay = await _relay_of(sender)
        late = min(window.until, await now_of(sender) - window.grace)
        unreadable, found.unreadable_without_id = await _unreadable(hearer, topic_of(sender.service.name))
        async for page in _pages(sender, window, found):
            arrived = await _arrived(hearer, page)
            for sent in page:
                place, why = _place(sent, arrived, unreadable, relay, late)
                found.facts.setdefault(sent.type, Counter())[place] += 1
                if place == "missing" and len(found.missing) < listed_max:
                    found.missing.append(_missing(sent, why))
        return found


class _RelayStands(NamedTuple):
    at: Cursor
    parked: frozenset[UUID]
    skipped: frozenset[UUID]


def _place(
    sent: _Sent, arrived: Mapping[UUID, Place], unreadable: Collection[UUID], relay: _RelayStands, late: datetime
) -> tuple[Place, str]:
    if sent.message_id in arrived:
        return arrived[sent.message_id], ""
    if sent.message_id in unreadable:
        return "unreadable", ""
    envelope = sent.row.envelope
    if envelope.event_id in relay.skipped:
        return "skipped", ""
    if envelope.event_id in relay.parked:
        return "missing", "parked in the sender's relay"
    if envelope.recorded_at > late:
        return "under way", ""
    return "missing", "the sender's relay is behind" if sent.row.cursor > relay.at else "sent and not heard"


def _missing(sent: _Sent, why: str) -> Missing:
    envelope = sent.row.envelope
    return Missing(
        message_id=sent.message_id, event_id=envelope.event_id, chain_id=envelope.chain_id, type=sent.type,
        recorded_at=envelope.recorded_at, why=why,
    )  # fmt: skip


async def _pages(sender: Side, window: Window, found: Reconciled) -> AsyncIterator[list[_Sent]]:
    """Backwards, the newest first. Why it ends at a page that is older as a whole: times rise with places but for small steps back."""
    service, codec, after = sender.service, codec_of(sender.service), _END
    for _ in range(PAGES_MAX):
        records = await sender.connection.fetch(_BACKWARDS, *after, PAGE_ROWS_MAX)
        rows = [row_of(record, record["chain_id"]) for record in records]
        wanted = [row for row in rows if window.since <= row.envelope.recorded_at < window.until]
        yield [sent for row in wanted for sent in _sent(service, codec, row)]
        if len(rows) < PAGE_ROWS_MAX or all(row.envelope.recorded_at < window.since for row in rows):
            return
        last = rows[-1].cursor
        after = (last.epoch, str(last.tx), last.position)
    found.whole = False


def _sent(service: Service, codec: Any, row: Row) -> Sequence[_Sent]:
    """As the relay makes them. What it cannot make it has parked, under the event's own name here: nobody knows the message's."""
    try:
        messages = service.publishes(row.envelope, codec.decode(row))
    except Exception:  # noqa: BLE001  # the relay met the same, and has parked the row
        return [_Sent(row, f"{row.envelope.type} (no message can be made of it)", row.envelope.event_id)]
    return [_Sent(row, f"erbium.{service.name}.{message.fact}", message_id(row.envelope.event_id, message.fact)) for message in messages]


async def _arrived(hearer: Side, page: Sequence[_Sent]) -> Mapping[UUID, Place]:
    if not page:
        return {}
    wanted = ([sent.row.envelope.chain_id for sent in page], [sent.message_id for sent in page])
    heard = await hearer.connection.fetch(_HEARD, *wanted)
    parked = await hearer.connection.fetch(_PARKED, *wanted)
    places: dict[UUID, Place] = {record["event_id"]: "heard" for record in heard}
    return places | {record["event_id"]: "parked" for record in parked}


async def _unreadable(hearer: Side, topic: str) -> tuple[frozenset[UUID], int]:
    """(ids of messages among the records that nobody could read, how many of those have none)."""
    records = await hearer.connection.fetch(_UNREADABLE, topic, UNREADABLE_MAX)
    ids = [_id(record["id"]) for record in records]
    return frozenset(id_ for id_ in ids if id_ is not None), sum(id_ is None for id_ in ids)


def _id(written: str | None) -> UUID | None:
    """`written`: the bytes of a header, in hexadecimal digits."""
    try:
        return UUID(bytes.fromhex(written or "").decode())
    except ValueError:
        return None


async def _relay_of(sender: Side) -> _RelayStands:
    connection = sender.connection
    record = await connection.fetchrow("SELECT epoch, tx::text::bigint AS tx, position FROM checkpoints WHERE subscriber = $1", RELAY)
    parked = await connection.fetch("SELECT event_id FROM parked_rows WHERE subscriber = $1", RELAY)
    skipped = await connection.fetch("SELECT event_id FROM skips WHERE subscriber = $1", RELAY)
    return _RelayStands(
        cursor_of(record) if record else Cursor(),
        frozenset(record["event_id"] for record in parked),
        frozenset(record["event_id"] for record in skipped),
    )


async def now_of(sender: Side) -> datetime:
    """Its domain time, the offset of development included."""
    now: datetime = await sender.connection.fetchval(
        "SELECT clock_timestamp() + make_interval(secs => clock_offset_seconds) FROM installation"
    )
    return now
