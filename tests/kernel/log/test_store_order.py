"""The one suite, second part: the order of the log, its readers, and their places in it."""

import asyncio
from uuid import UUID, uuid4

import pytest

from erbium_kernel.errors import LostLease, Unavailable
from erbium_kernel.event import Cursor
from erbium_kernel.log_records import MoveCheckpoint
from erbium_kernel.ports import Store
from tests.kernel.log.grounds import Ground
from tests.kernel.log.making import START, a_command, a_message, a_slice, a_stream
from tests.kernel.log.racing import outcomes
from tests.kernel.log.reading import eventually, ids, readable, rows_of

RACERS = 5


async def test_a_reader_has_own_and_heard_rows_of_all_chains_in_one_order(
    ground: Ground, chain_id: UUID, subscriber: str, topic: str
) -> None:
    """What was committed before is read before, own event or heard message, and a page is never longer than its limit."""
    elsewhere, stream = uuid4(), a_stream()
    message = a_message(chain_id)
    first, second, third = a_command(chain_id, stream), a_command(elsewhere, a_stream()), a_command(chain_id, stream, 1)
    await ground.store.append(first)
    await ground.store.take_in(a_slice(topic, (message,)))
    await ground.store.append(second)
    await ground.store.append(third)
    async with ground.store.lease(subscriber) as lease:
        assert lease is not None
        rows = await rows_of(lease, chain_id, 3)
        assert ids(rows) == [first.events[0].event_id, message.event_id, third.events[0].event_id]
        assert ids(await readable(lease, elsewhere)) == [second.events[0].event_id]
        assert [row.cursor for row in rows] == sorted(row.cursor for row in rows)
        assert ids(await readable(lease, chain_id, page=1)) == ids(rows)
        assert len(await lease.read(rows[0].cursor, 2)) == 2
        assert ids(await readable(lease, chain_id, after=rows[0].cursor)) == ids(rows[1:])
        assert await readable(lease, chain_id, after=rows[2].cursor) == []


async def test_what_a_reader_has_is_what_the_stream_has(store: Store, chain_id: UUID, subscriber: str) -> None:
    """The same row, field by field, whether it is loaded with its stream or read from the log."""
    stream = a_stream()
    await store.append(a_command(chain_id, stream, events=3))
    async with store.lease(subscriber) as lease:
        assert lease is not None
        assert tuple(await rows_of(lease, chain_id, 3)) == (await store.load(chain_id, stream)).rows


async def test_a_late_commit_is_never_skipped(ground: Ground, chain_id: UUID, subscriber: str) -> None:
    """While a transaction is open, nothing behind it is read; when it commits, everything is, the late one in its place."""
    before = a_command(chain_id, a_stream())
    await ground.store.append(before)
    async with ground.other.lease(subscriber) as lease:
        assert lease is not None
        place = (await rows_of(lease, chain_id, 1))[0].cursor
        async with ground.hold(chain_id) as held:
            behind = a_command(chain_id, a_stream(), events=2)
            await ground.store.append(behind)
            assert len((await ground.store.load(chain_id, behind.stream)).rows) == 2
            assert await readable(lease, chain_id, after=place) == []
            await held.commit()
        assert ids(await rows_of(lease, chain_id, 3, after=place)) == [held.event_id, *(event.event_id for event in behind.events)]


async def test_a_reader_knows_that_something_hides(ground: Ground, chain_id: UUID, subscriber: str) -> None:
    """Committed but not readable yet is told apart from nothing there; what is not committed does not count."""
    async with ground.store.lease(subscriber) as lease:
        assert lease is not None
        first = a_command(chain_id, a_stream())
        await ground.store.append(first)
        at = await place(ground.store, chain_id, first.events[0].event_id)
        async with ground.hold(chain_id):
            assert not await lease.hides(at)
            await ground.store.append(a_command(chain_id, a_stream()))
            assert list(await lease.read(at, 1)) == []
            assert await lease.hides(at)
        (last,) = await rows_of(lease, chain_id, 1, after=at)
        assert not await lease.hides(last.cursor)


async def test_a_rolled_back_transaction_leaves_no_row_and_holds_nobody(ground: Ground, chain_id: UUID, subscriber: str) -> None:
    """What was never committed is never read, and what waited behind it is."""
    async with ground.store.lease(subscriber) as lease:
        assert lease is not None
        async with ground.hold(chain_id) as held:
            behind = a_command(chain_id, a_stream())
            await ground.store.append(behind)
            await held.roll_back()
        assert ids(await rows_of(lease, chain_id, 1)) == [behind.events[0].event_id]
        assert await ground.store.place_of(chain_id, held.event_id) is None


async def test_the_end_is_what_a_reader_may_reach(ground: Ground, chain_id: UUID) -> None:
    """An open transaction holds the end in front of everything that began after it, and gives way when it ends."""
    before, behind = a_command(chain_id, a_stream()), a_command(chain_id, a_stream())
    await ground.store.append(before)
    reached = await place(ground.store, before.chain_id, before.events[0].event_id)
    assert await eventually(ground.store.end, lambda end: end >= reached) >= reached
    async with ground.hold(chain_id):
        await ground.store.append(behind)
        last = await place(ground.store, behind.chain_id, behind.events[0].event_id)
        assert await ground.store.end() < last
    assert await eventually(ground.store.end, lambda end: end == last) == last


async def place(store: Store, chain_id: UUID, event_id: UUID) -> Cursor:
    """Where an event stands."""
    found = await store.place_of(chain_id, event_id)
    assert found is not None
    return found[0]


async def test_a_restore_breaks_no_order(ground: Ground, chain_id: UUID, subscriber: str) -> None:
    """Behind a restore, where transaction ids start again, old rows are read first and whole, new ones behind them, versions in order."""
    stream, other = a_stream(), a_stream()
    for n in range(3):
        await ground.store.append(a_command(chain_id, stream, n))
    await ground.new_epoch()
    await ground.store.append(a_command(chain_id, stream, 3, events=2))
    await ground.store.append(a_command(chain_id, other))
    async with ground.store.lease(subscriber) as lease:
        assert lease is not None
        rows = await rows_of(lease, chain_id, 6)
        assert [row.envelope.version for row in rows] == [1, 2, 3, 4, 5, 1]
        assert rows[2].cursor.epoch < rows[3].cursor.epoch
        assert rows[2].cursor.tx > rows[3].cursor.tx
        assert ids(await readable(lease, chain_id, after=rows[2].cursor, page=1)) == ids(rows[3:])
        await lease.move(START, rows[2].cursor)
        assert await lease.checkpoint() == rows[2].cursor
    assert await eventually(ground.store.end, lambda end: end == rows[5].cursor) == rows[5].cursor


async def test_an_open_transaction_of_the_new_epoch_holds_no_row_of_the_old(ground: Ground, chain_id: UUID, subscriber: str) -> None:
    """Old rows are readable whatever is open now; rows of the new epoch wait as ever."""
    old, new = a_command(chain_id, a_stream()), a_command(chain_id, a_stream())
    await ground.store.append(old)
    await ground.new_epoch()
    async with ground.hold(chain_id), ground.store.lease(subscriber) as lease:
        assert lease is not None
        await ground.store.append(new)
        assert ids(await readable(lease, chain_id)) == [old.events[0].event_id]


async def test_a_subscriber_is_one_at_a_time(ground: Ground, subscriber: str) -> None:
    """While the lease is held, another process gets none; other names are free; given back, it can be taken again."""
    async with ground.store.lease(subscriber) as mine:
        assert mine is not None
        async with ground.other.lease(subscriber) as theirs, ground.other.lease(f"{subscriber}.next") as free:
            assert theirs is None
            assert free is not None
        async with ground.store.lease(subscriber) as again:
            assert again is None

    async def taken() -> bool:
        async with ground.other.lease(subscriber) as lease:
            return lease is not None

    assert await eventually(taken, bool)


async def test_of_racing_workers_exactly_one_gets_the_lease(ground: Ground, subscriber: str) -> None:
    """Five ask at once; one is given it."""
    leases = [(ground.store, ground.other)[n % 2].lease(subscriber) for n in range(RACERS)]
    given = await asyncio.gather(*(lease.__aenter__() for lease in leases))
    assert len([lease for lease in given if lease is not None]) == 1
    for lease in leases:
        await lease.__aexit__(None, None, None)


async def test_a_lease_dies_with_its_connection(ground: Ground, subscriber: str) -> None:
    """The connection is cut: every call of the old lease is Unavailable, and another process takes over where it was."""
    async with ground.store.lease(subscriber) as lease:
        assert lease is not None
        await lease.move(START, Cursor(1, 2, 3))
        await ground.cut_lease(subscriber)

        async def taken_over() -> Cursor | None:
            async with ground.other.lease(subscriber) as successor:
                return await successor.checkpoint() if successor else None

        assert await eventually(taken_over, lambda place: place is not None) == Cursor(1, 2, 3)
        for call in (
            lease.checkpoint,
            lambda: lease.read(START, 1),
            lambda: lease.move(Cursor(1, 2, 3), Cursor(1, 2, 4)),
            lease.parked_keys,
        ):
            with pytest.raises(Unavailable):
                await call()
    assert (await ground.store.checkpoints())[subscriber] == Cursor(1, 2, 3)


async def test_a_checkpoint_moves_only_from_where_it_is(store: Store, subscriber: str) -> None:
    """A new subscriber is at the beginning; a move from anywhere else than its place is LostLease and moves nothing."""
    async with store.lease(subscriber) as lease:
        assert lease is not None
        assert await lease.checkpoint() == START
        with pytest.raises(LostLease):
            await lease.move(Cursor(1, 1, 1), Cursor(1, 2, 2))
        assert subscriber not in await store.checkpoints()
        await lease.move(START, Cursor(1, 5, 7))
        for stale in (START, Cursor(1, 5, 6), Cursor(2, 5, 7)):
            with pytest.raises(LostLease):
                await lease.move(stale, Cursor(1, 9, 9))
        assert await lease.checkpoint() == Cursor(1, 5, 7)
        assert (await store.checkpoints())[subscriber] == Cursor(1, 5, 7)
        await lease.move(Cursor(1, 5, 7), Cursor(2, 1, 8))
        assert await lease.checkpoint() == Cursor(2, 1, 8)


async def test_a_command_and_its_checkpoint_stand_or_fall_together(store: Store, chain_id: UUID, subscriber: str) -> None:
    """A reaction's events and its move commit as one; a checkpoint that has moved meanwhile takes the events back."""
    stream, place = a_stream(), Cursor(1, 4, 4)
    await store.append(a_command(chain_id, stream, after=(MoveCheckpoint(subscriber, START, place),)))
    assert (await store.checkpoints())[subscriber] == place
    with pytest.raises(LostLease):
        await store.append(a_command(chain_id, stream, 1, after=(MoveCheckpoint(subscriber, START, Cursor(1, 5, 5)),)))
    assert (await store.checkpoints())[subscriber] == place
    assert len((await store.load(chain_id, stream)).rows) == 1
    await store.append(a_command(chain_id, stream, 1, events=0, after=(MoveCheckpoint(subscriber, place, Cursor(1, 6, 6)),)))
    assert (await store.checkpoints())[subscriber] == Cursor(1, 6, 6)


async def test_of_two_workers_with_one_checkpoint_exactly_one_has_an_effect(ground: Ground, chain_id: UUID, subscriber: str) -> None:
    """Two processes react to the same row on different streams: one effect stands, the other is LostLease."""
    streams = [a_stream() for _ in range(RACERS)]
    move = MoveCheckpoint(subscriber, START, Cursor(1, 4, 4))
    racers = (a_command(chain_id, stream, after=(move,)) for stream in streams)
    won, lost = await outcomes(*((ground.store, ground.other)[n % 2].append(work) for n, work in enumerate(racers)))
    assert (won, [type(error) for error in lost]) == ([1], [LostLease] * (RACERS - 1))
    assert sorted([len((await ground.store.load(chain_id, stream)).rows) for stream in streams]) == [0] * (RACERS - 1) + [1]


async def test_a_forgotten_subscriber_is_back_at_the_beginning(ground: Ground, store: Store, subscriber: str) -> None:
    """A worker that was on its way learns it at its next move, and begins again."""
    async with store.lease(subscriber) as lease:
        assert lease is not None
        await lease.move(START, Cursor(1, 5, 7))
        await ground.forget(subscriber)
        with pytest.raises(LostLease):
            await lease.move(Cursor(1, 5, 7), Cursor(1, 6, 8))
        assert await lease.checkpoint() == START
        assert (await store.checkpoints()).get(subscriber, START) == START
        await lease.move(START, Cursor(1, 5, 7))
