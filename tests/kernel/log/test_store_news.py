"""The one suite, seventh part: what has become readable is told by type, to whoever watches, in the reader's order and no sooner."""

from uuid import UUID, uuid4

from msgspec.structs import replace

from erbium_kernel.event import Cursor
from erbium_kernel.log_records import News
from erbium_kernel.ports import Store
from tests.kernel.log.grounds import Ground
from tests.kernel.log.making import a_command, a_message, a_slice, a_stream, an_event
from tests.kernel.log.reading import eventually


async def place(store: Store, chain_id: UUID, event_id: UUID) -> Cursor:
    """Where an event stands."""
    found = await store.place_of(chain_id, event_id)
    assert found is not None
    return found[0]


async def the_end(ground: Ground) -> Cursor:
    """A place that readers may reach, with nothing behind it."""
    marker = a_command(uuid4(), a_stream())
    await ground.store.append(marker)
    last = await place(ground.store, marker.chain_id, marker.events[0].event_id)
    return await eventually(ground.store.end, lambda end: end >= last)


async def news_up_to(ground: Ground, at: Cursor, last: Cursor) -> News:
    """The news as soon as a reader may have this row."""
    return await eventually(lambda: ground.other.news(at, 10), lambda news: news.to >= last)


async def test_news_are_the_types_of_what_a_reader_may_have(ground: Ground, chain_id: UUID, topic: str) -> None:
    """Own events and heard messages of all chains, page by page; at the end there are none, and the place stays."""
    at, stream = await the_end(ground), a_stream()
    noted, measured = an_event(stream), an_event(stream, type="mole-measured")
    await ground.store.append(replace(a_command(uuid4(), stream), events=(noted, measured)))
    message = a_message(chain_id)
    await ground.store.take_in(a_slice(topic, (message,)))
    last = await place(ground.store, chain_id, message.event_id)
    news = await news_up_to(ground, at, last)
    assert news == News(frozenset({noted.type, measured.type, message.type}), last, more=False, hidden=False)
    first = await ground.other.news(at, 2)
    assert (first.types, first.more, at < first.to < last) == (frozenset({noted.type, measured.type}), True, True)
    assert await ground.other.news(first.to, 2) == News(frozenset({message.type}), last, more=False, hidden=False)
    assert await ground.other.news(last, 2) == News(frozenset(), last, more=False, hidden=False)


async def test_what_a_reader_may_not_have_is_no_news(ground: Ground, chain_id: UUID) -> None:
    """What is committed behind an open transaction is told to hide; when that ends, both are news, the late one first."""
    at, behind = await the_end(ground), a_command(chain_id, a_stream())
    behind = replace(behind, events=(an_event(behind.stream, type="mole-measured"),))
    async with ground.hold(chain_id) as held:
        assert await ground.store.news(at, 10) == News(frozenset(), at, more=False, hidden=False)
        await ground.store.append(behind)
        assert await ground.store.news(at, 10) == News(frozenset(), at, more=False, hidden=True)
        await held.commit()
    early = await place(ground.store, chain_id, held.event_id)
    late = await place(ground.store, chain_id, behind.events[0].event_id)
    assert await news_up_to(ground, at, late) == News(frozenset({"mole-noted", "mole-measured"}), late, more=False, hidden=False)
    assert await ground.store.news(at, 1) == News(frozenset({"mole-noted"}), early, more=True, hidden=False)


async def test_news_go_on_behind_a_restore(ground: Ground, chain_id: UUID) -> None:
    """Who watched before a restore is told of what comes behind it, where transaction ids start again."""
    await the_end(ground)
    await ground.new_epoch()
    at, first = await the_end(ground), a_command(chain_id, a_stream())
    await ground.store.append(first)
    last = await place(ground.store, chain_id, first.events[0].event_id)
    assert (await news_up_to(ground, at, last)).types == frozenset({"mole-noted"})
