"""What left one log and what arrived in the other are compared message by message; what is missing has a name."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from erbium_kernel import reconciling
from erbium_kernel.event import EventTable, Stored, message_id
from erbium_kernel.log_records import Heard, Park, Row, Slice, Unreadable
from erbium_kernel.message import heard, outgoing, topic_of
from erbium_kernel.reconciling import Reconciled, Side, Window, reconcile
from erbium_kernel.relay import SUBSCRIBER as RELAY
from erbium_kernel.service import Service
from erbium_kernel.topic_port import Received
from tests.kernel.follow.board import Hall
from tests.kernel.follow.kitchen import take_bed
from tests.kernel.log.grounds import Database
from tests.kernel.operating.hall import a_database, a_hall, service_of
from tests.kernel.ward import BedTaken

FACT = "erbium.ward.bed-taken"
HEARER = Service(name="laundry", deciders=(), heard=EventTable({FACT: Stored(record=BedTaken)}), listens_to=("ward",))


@pytest.fixture(scope="module")
async def sending(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """The ward's database."""
    async with a_database(postgres_url, tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
async def hearing(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """The laundry's database."""
    async with a_database(postgres_url, tmp_path_factory) as made:
        yield made


@pytest.fixture
async def ward(sending: Database) -> AsyncIterator[Hall]:
    """It sends. Each test has its own hour."""
    async with a_hall(sending) as opened:
        async with opened.store.lease("hours") as lease:
            assert lease is not None
            at = await lease.checkpoint()
            await lease.move(at, at._replace(position=at.position + 1))
            opened.clock.at += timedelta(hours=at.position)
        yield opened


class Pair:
    """The ward, the laundry, and what is between them."""

    def __init__(self, ward: Hall, laundry: Hall, sending: Database, hearing: Database) -> None:
        """`begun`: the hour of this test."""
        self.ward, self.laundry, self._sending, self._hearing = ward, laundry, sending, hearing
        self.begun: datetime = ward.clock.at

    async def rows(self, beds: list[UUID]) -> dict[UUID, Row]:
        """The rows of these events in the ward's log."""
        await self.ward.settled()
        found = {}
        async with self.ward.store.lease("reader") as lease:
            assert lease is not None
            for row in await lease.read(await lease.checkpoint(), 1_000):
                found[row.envelope.event_id] = row
        return {bed: found[bed] for bed in beds}

    async def relayed(self, to: Row, *park: Row) -> None:
        """The relay has passed this row, and parked some."""
        async with self.ward.store.lease(RELAY) as lease:
            assert lease is not None
            await lease.move(await lease.checkpoint(), to.cursor, [Park(row=row, reason="Bug at here.py:1", attempts=1) for row in park])

    async def take_in(self, *read: Heard | Unreadable) -> None:
        """The laundry's intake."""
        topic = topic_of("ward")
        at = (await self.laundry.store.positions(topic)).get(0, 0)
        await self.laundry.store.take_in(
            Slice(
                topic=topic, partition=0, expected=at, next=at + len(read), heard=tuple(one for one in read if isinstance(one, Heard)),
                unreadable=tuple(replace(one, offset=at + n) for n, one in enumerate(read) if isinstance(one, Unreadable)),
            )
        )  # fmt: skip

    def message(self, row: Row, *, broken: bool = False, nameless: bool = False) -> Heard | Unreadable:
        """The message of this row as it arrives: whole, under a broken key, or without an id as well."""
        codec, publishes = self.ward.runtime.codec, self.ward.runtime.publishes
        (message,) = publishes(row.envelope, codec.decode(row))
        sent = outgoing("ward", row.envelope, message, codec.to_json(message.data))
        headers = tuple(header for header in sent.headers if not (nameless and header[0] == "ce_id"))
        key = b"\xff no key" if broken or nameless else sent.key
        return heard(Received(topic=topic_of("ward"), partition=0, offset=0, key=key, value=sent.value, headers=headers))

    async def reconciled(self, **window: Any) -> Reconciled:
        """The whole hour, unless told otherwise. The ward's clock is long past, so nothing is young."""
        sides = []
        for database, service in ((self._sending, service_of(self.ward.kitchen, self.ward.board)), (self._hearing, HEARER)):
            sides.append(Side(service, await asyncpg.connect(database.work)))
        try:
            asked = {"since": self.begun, "until": self.begun + timedelta(minutes=59)} | window
            return await reconcile(*sides, Window(**asked))
        finally:
            for side in sides:
                await side.connection.close()


@pytest.fixture
async def pair(ward: Hall, hearing: Database, sending: Database) -> AsyncIterator[Pair]:
    """Both, with nothing on the way."""
    async with a_hall(hearing) as laundry:
        yield Pair(ward, laundry, sending, hearing)


async def test_every_message_has_a_place(pair: Pair) -> None:
    """Heard, parked there, unreadable, skipped and missing are told apart; a missing one is named with how far it came."""
    chain = uuid4()
    names = ["heard", "parked", "unreadable", "nameless", "skipped", "stuck", "lost", "behind"]
    beds = {name: await take_bed(pair.ward.runtime, uuid4(), chain) for name in names}
    rows = await pair.rows(list(beds.values()))
    row = {name: rows[bed] for name, bed in beds.items()}
    await pair.relayed(row["lost"], row["stuck"], row["skipped"])
    skipped = row["skipped"].envelope
    await pair.ward.store.skip_parked(RELAY, chain, skipped.ordering_id, skipped.event_id, "ops-1", "known")
    await pair.take_in(
        pair.message(row["heard"]), pair.message(row["parked"]), pair.message(row["unreadable"], broken=True),
        pair.message(row["nameless"], nameless=True),
    )  # fmt: skip
    await pair.laundry.settled()
    async with pair.laundry.store.lease("laundry.sheets") as lease:
        assert lease is not None
        taken = [each for each in await lease.read(await lease.checkpoint(), 1_000) if each.envelope.chain_id == chain]
        await lease.move(await lease.checkpoint(), taken[-1].cursor, [Park(row=taken[1], reason="Bug at here.py:1", attempts=1)])
    found = await pair.reconciled()
    assert (found.sender, found.hearer, found.whole, found.unreadable_without_id) == ("ward", "laundry", True, 1)
    assert found.facts == {FACT: Counter({"missing": 4, "heard": 1, "parked": 1, "unreadable": 1, "skipped": 1})}
    assert found.missing_total == 4
    why = {each.event_id: each.why for each in found.missing}
    assert why == {
        beds["stuck"]: "parked in the sender's relay", beds["lost"]: "sent and not heard", beds["nameless"]: "sent and not heard",
        beds["behind"]: "the sender's relay is behind",
    }  # fmt: skip
    assert {each.message_id for each in found.missing} == {message_id(each.event_id, "bed-taken") for each in found.missing}


async def test_all_is_well(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one page, all heard: nothing is missing, and nothing outside the window is looked for."""
    monkeypatch.setattr(reconciling, "PAGE_ROWS_MAX", 4)
    await take_bed(pair.ward.runtime, uuid4())
    pair.ward.clock.at += timedelta(minutes=1)
    pair.begun = pair.ward.clock.at
    beds = [await take_bed(pair.ward.runtime, uuid4()) for _ in range(11)]
    pair.ward.clock.at += timedelta(minutes=30)
    await take_bed(pair.ward.runtime, uuid4())
    rows = await pair.rows(beds)
    await pair.relayed(rows[beds[-1]])
    await pair.take_in(*(pair.message(row) for row in rows.values()))
    found = await pair.reconciled(until=pair.begun + timedelta(minutes=10))
    assert found.facts == {FACT: Counter({"heard": 11})}
    assert (found.missing, found.missing_total, found.whole) == ([], 0, True)
    monkeypatch.setattr(reconciling, "PAGES_MAX", 1)
    assert not (await pair.reconciled(until=pair.begun + timedelta(minutes=10))).whole


async def test_what_is_young_may_be_under_way(pair: Pair) -> None:
    """A message that is younger than the grace is not missing yet; the list of missing ones is bounded, their number is not."""
    beds = [await take_bed(pair.ward.runtime, uuid4()) for _ in range(5)]
    await pair.relayed((await pair.rows(beds))[beds[-1]])
    found = await pair.reconciled(grace=timedelta(days=36_500))
    assert found.facts == {FACT: Counter({"under way": 5})}
    assert found.missing_total == 0
    assert (await pair.reconciled()).missing_total == 5
