"""The one suite, fourth part: what is due later, committed with the events that set it, fired once."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from erbium_kernel.decider import CancelTimer, SetTimer
from erbium_kernel.errors import LostLease
from erbium_kernel.log_records import AfterAppend, Append, TimerFired
from erbium_kernel.ports import Store
from erbium_kernel.subscribing import Due
from tests.kernel.log.grounds import Ground
from tests.kernel.log.making import a_command, a_stream
from tests.kernel.log.racing import outcomes

NINE = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
RACERS = 6


def at(minutes: int) -> datetime:
    """So many minutes after nine."""
    return NINE + timedelta(minutes=minutes)


def setting(
    chain_id: UUID, key: str, due: int, stream: str | None = None, expected: int = 0, after: tuple[AfterAppend, ...] = ()
) -> Append:
    """A command whose event sets a timer."""
    work = a_command(chain_id, stream or a_stream("hold"), expected, after=after)
    timer = SetTimer(key=key, type="hold-expires", due_at=at(due), ref=UUID(work.stream[-36:]))
    return replace(work, timers=((work.events[0].event_id, timer),))


async def due_of(store: Store, chain_id: UUID, minutes: int = 1_000) -> list[Due]:
    """The timers of a chain that are due then, in the order they are given."""
    return [due for due in await store.due_timers(at(minutes), 10_000) if due.chain_id == chain_id]


async def test_a_timer_is_due_from_its_time_on_oldest_first(store: Store, chain_id: UUID) -> None:
    """Nothing before its time; at its time it is given with all that its command needs; older ones first, at most so many."""
    late, early, third = setting(chain_id, "late", 20), setting(chain_id, "early", 10), setting(chain_id, "third", 30)
    for work in (late, early, third):
        await store.append(work)
    assert await due_of(store, chain_id, 9) == []
    stream_id = UUID(early.stream[-36:])
    expected = Due(chain_id, "early", "hold-expires", at(10), stream_id, stream_id, early.events[0].event_id)
    assert await due_of(store, chain_id, 10) == [expected]
    assert [due.key for due in await due_of(store, chain_id, 30)] == ["early", "late", "third"]
    everybodys = await store.due_timers(at(30), 2)
    assert len(everybodys) == 2
    assert [due.due_at for due in everybodys] == sorted(due.due_at for due in everybodys)


async def test_a_timer_set_again_replaces_the_old_one(store: Store, chain_id: UUID) -> None:
    """One timer per key and chain: the later time counts, under the event that set it; a cancelled one never fires."""
    first, elsewhere = setting(chain_id, "hold-1", 10), setting(uuid4(), "hold-1", 5)
    second = setting(chain_id, "hold-1", 40, first.stream, 1)
    for work in (first, elsewhere, second):
        await store.append(work)
    assert [(due.due_at, due.set_by) for due in await due_of(store, chain_id)] == [(at(40), second.events[0].event_id)]
    cancelled = a_command(chain_id, first.stream, 2, timers=((uuid4(), CancelTimer(key="hold-1")), (uuid4(), CancelTimer(key="none"))))
    await store.append(cancelled)
    assert await due_of(store, chain_id) == []
    assert len(await due_of(store, elsewhere.chain_id)) == 1


async def test_a_commands_timers_are_changed_in_event_order(store: Store, chain_id: UUID) -> None:
    """Set, cancelled and set again inside one command: the last word counts."""
    ids = [uuid4() for _ in range(3)]
    timer = SetTimer(key="check-in", type="check-in-due", due_at=at(5), ref=uuid4())
    again = SetTimer(key="check-in", type="check-in-due", due_at=at(7), ref=uuid4())
    await store.append(a_command(chain_id, a_stream(), timers=((ids[0], timer), (ids[1], CancelTimer(key="check-in")), (ids[2], again))))
    assert [(due.due_at, due.set_by) for due in await due_of(store, chain_id)] == [(at(7), ids[2])]


async def test_a_fired_timer_goes_with_its_commands_events(store: Store, chain_id: UUID) -> None:
    """The command's append takes the timer away; fired once more it is LostLease, and nothing is appended."""
    setter = setting(chain_id, "hold-1", 10)
    await store.append(setter)
    fired = TimerFired(chain_id, "hold-1", setter.events[0].event_id)
    await store.append(a_command(chain_id, setter.stream, 1, after=(fired,)))
    assert await due_of(store, chain_id) == []
    with pytest.raises(LostLease):
        await store.append(a_command(chain_id, setter.stream, 2, after=(fired,)))
    assert len((await store.load(chain_id, setter.stream)).rows) == 2


async def test_a_timer_replaced_meanwhile_does_not_fire(store: Store, chain_id: UUID) -> None:
    """Another event has set the key again: the old timer's command is LostLease, its successor stays."""
    first = setting(chain_id, "hold-1", 10)
    second = setting(chain_id, "hold-1", 40)
    await store.append(first)
    await store.append(second)
    with pytest.raises(LostLease):
        await store.append(a_command(chain_id, first.stream, 1, after=(TimerFired(chain_id, "hold-1", first.events[0].event_id),)))
    assert [due.set_by for due in await due_of(store, chain_id)] == [second.events[0].event_id]


async def test_a_fired_timer_may_set_its_own_successor(store: Store, chain_id: UUID) -> None:
    """An escalation whose command sets the next step under the same key: the old timer is gone, the new one stays, exactly once."""
    first = setting(chain_id, "escalation-1", 10)
    await store.append(first)
    fired = TimerFired(chain_id, "escalation-1", first.events[0].event_id)
    second = setting(chain_id, "escalation-1", 40, first.stream, 1, after=(fired,))
    assert await store.append(second) == 2
    assert [(due.due_at, due.set_by) for due in await due_of(store, chain_id)] == [(at(40), second.events[0].event_id)]
    with pytest.raises(LostLease):
        await store.append(setting(chain_id, "escalation-1", 70, first.stream, 2, after=(fired,)))
    assert [due.set_by for due in await due_of(store, chain_id)] == [second.events[0].event_id]


async def test_a_fired_timer_may_cancel_itself(store: Store, chain_id: UUID) -> None:
    """The command that a timer fires closes its record and cancels what is left under the key: both are the same wish."""
    first = setting(chain_id, "escalation-1", 10)
    await store.append(first)
    fired = TimerFired(chain_id, "escalation-1", first.events[0].event_id)
    closed = a_command(chain_id, first.stream, 1, after=(fired,), timers=((uuid4(), CancelTimer(key="escalation-1")),))
    assert await store.append(closed) == 2
    assert await due_of(store, chain_id) == []


async def test_a_timer_whose_command_had_nothing_to_do_is_gone_all_the_same(store: Store, chain_id: UUID) -> None:
    """It goes with an append of no events, once: the next worker that fires it is LostLease, and the stream stands as it was."""
    setter = setting(chain_id, "hold-1", 10)
    await store.append(setter)
    fired = TimerFired(chain_id, "hold-1", setter.events[0].event_id)
    assert await store.append(a_command(chain_id, setter.stream, 1, events=0, after=(fired,))) == 1
    assert await due_of(store, chain_id) == []
    with pytest.raises(LostLease):
        await store.append(a_command(chain_id, setter.stream, 1, events=0, after=(fired,)))
    assert (await store.load(chain_id, setter.stream)).version == 1


async def test_of_two_workers_firing_one_timer_exactly_one_has_an_effect(ground: Ground, chain_id: UUID) -> None:
    """Both append to streams of their own: one stands, the others are LostLease."""
    setter = setting(chain_id, "hold-1", 10)
    await ground.store.append(setter)
    fired = TimerFired(chain_id, "hold-1", setter.events[0].event_id)
    racers = [a_command(chain_id, a_stream(), after=(fired,)) for _ in range(RACERS)]
    won, lost = await outcomes(*((ground.store, ground.other)[n % 2].append(work) for n, work in enumerate(racers)))
    assert (won, [type(error) for error in lost]) == ([1], [LostLease] * (RACERS - 1))
