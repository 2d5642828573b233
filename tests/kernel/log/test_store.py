"""The one suite for both stores, first part: commands. What is appended stands whole, in order, once, and in its own chain."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from erbium_kernel.errors import AlreadyAnswered, VersionConflict
from erbium_kernel.log_records import Wanted
from erbium_kernel.ports import Store
from tests.kernel.log.grounds import Ground
from tests.kernel.log.making import a_command, a_key, a_stream, an_answer, an_event
from tests.kernel.log.racing import outcomes

RACERS = 6


async def test_an_appended_event_is_read_back_as_it_was_written(ground: Ground, chain_id: UUID) -> None:
    """Every field of the envelope, the data and a place in the order come back; recorded_at is the clock's."""
    stream = a_stream()
    work = a_command(chain_id, stream, events=2)
    assert await ground.store.append(work) == 2
    rows = (await ground.store.load(chain_id, stream)).rows
    assert [row.envelope.version for row in rows] == [1, 2]
    assert rows[0].cursor < rows[1].cursor
    for row, event in zip(rows, work.events, strict=True):
        envelope = row.envelope
        assert (envelope.chain_id, envelope.stream, envelope.origin) == (chain_id, stream, None)
        assert envelope.stream_id == UUID(stream[-36:])
        for name in ("event_id", "type", "schema_version", "ordering_id", "clinic_id", "subject_id"):
            assert getattr(envelope, name) == getattr(event, name)
        for name in ("occurred_at", "actor", "command_id", "correlation_id", "causation_id", "traceparent"):
            assert getattr(envelope, name) == getattr(work, name)
        assert envelope.recorded_at == ground.clock.now()
        assert row.data is not None
        assert json.loads(row.data) == json.loads(event.data)
        assert (row.raw, row.headers) == (None, ())


async def test_what_is_optional_stays_empty(store: Store, chain_id: UUID) -> None:
    """Absent clinic, person, cause and trace come back as absent."""
    stream = a_stream()
    event = an_event(stream, clinic_id=None, subject_id=None)
    await store.append(replace(a_command(chain_id, stream, causation_id=None, traceparent=None), events=(event,)))
    envelope = (await store.load(chain_id, stream)).rows[0].envelope
    assert (envelope.clinic_id, envelope.subject_id, envelope.causation_id, envelope.traceparent) == (None, None, None, None)


async def test_an_unknown_stream_is_empty(store: Store, chain_id: UUID) -> None:
    """No rows, no answer, no error."""
    loaded = await store.load(chain_id, a_stream(), a_key(chain_id))
    assert (loaded.rows, loaded.answer) == ((), None)


async def test_a_stream_can_be_read_as_of_a_version(store: Store, chain_id: UUID) -> None:
    """`upto` cuts the stream behind that version."""
    stream = a_stream()
    await store.append(a_command(chain_id, stream, events=3))
    assert [row.envelope.version for row in (await store.load(chain_id, stream, upto=2)).rows] == [1, 2]
    assert (await store.load(chain_id, stream, upto=0)).rows == ()
    assert len((await store.load(chain_id, stream, upto=9)).rows) == 3


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_a_decision_on_another_version_changes_nothing(store: Store, chain_id: UUID, expected: int) -> None:
    """At version 2, whoever decided on 0, 1 or 3 has lost the race: VersionConflict, no row, no answer."""
    stream, key = a_stream(), a_key(chain_id)
    await store.append(a_command(chain_id, stream, events=2))
    with pytest.raises(VersionConflict):
        await store.append(a_command(chain_id, stream, expected, answer=an_answer(key, stream)))
    loaded = await store.load(chain_id, stream, key)
    assert (len(loaded.rows), loaded.answer) == (2, None)


async def test_a_refusal_holds_only_on_the_version_it_was_decided_on(store: Store, chain_id: UUID) -> None:
    """An append of no events is a VersionConflict too when the stream has moved: a lost race is never recorded as an answer."""
    stream, key = a_stream(), a_key(chain_id)
    await store.append(a_command(chain_id, stream))
    refusal = an_answer(key, stream, 0, status=409, slug="patient-exists")
    with pytest.raises(VersionConflict):
        await store.append(a_command(chain_id, stream, 0, events=0, answer=refusal))
    assert (await store.load(chain_id, stream, key)).answer is None


async def test_the_same_stream_name_in_two_chains_is_two_streams(store: Store, chain_id: UUID) -> None:
    """A chain sees only its own rows under a stream's name, and its versions begin at 1."""
    stream, elsewhere = a_stream(), uuid4()
    mine, theirs = a_command(chain_id, stream, events=2), a_command(elsewhere, stream)
    await store.append(mine)
    assert await store.append(theirs) == 1
    assert [row.envelope.event_id for row in (await store.load(elsewhere, stream)).rows] == [theirs.events[0].event_id]
    assert [row.envelope.event_id for row in (await store.load(chain_id, stream)).rows] == [event.event_id for event in mine.events]


async def test_of_racing_appends_exactly_one_wins(ground: Ground, chain_id: UUID) -> None:
    """Six commands of two events decided on the same version, from two processes: one stands whole, five are VersionConflict."""
    stream = a_stream()
    commands = [a_command(chain_id, stream, events=2) for _ in range(RACERS)]
    won, lost = await outcomes(*((ground.store, ground.other)[n % 2].append(work) for n, work in enumerate(commands)))
    assert (won, [type(error) for error in lost]) == ([2], [VersionConflict] * (RACERS - 1))
    stored = {row.envelope.command_id for row in (await ground.store.load(chain_id, stream)).rows}
    assert len((await ground.store.load(chain_id, stream)).rows) == 2
    assert len(stored) == 1


async def test_many_commands_at_once_each_get_their_own_outcome(ground: Ground, chain_id: UUID) -> None:
    """Of a hundred commands in flight (two chains, some decided on a stale version) each is told what became of itself."""
    chains = chain_id, uuid4()
    streams = [a_stream() for _ in range(40)]
    for chain in chains:
        await ground.store.append(a_command(chain, streams[0], events=3))
    fresh = [a_command(chain, stream, events=1 + n % 3) for chain in chains for n, stream in enumerate(streams[1:])]
    stale = [a_command(chain, streams[0], expected) for chain in chains for expected in (0, 1, 2)]
    answers = await asyncio.gather(*(ground.store.append(work) for work in (*fresh, *stale)), return_exceptions=True)
    assert answers[: len(fresh)] == [len(work.events) for work in fresh]
    assert [type(answer) for answer in answers[len(fresh) :]] == [VersionConflict] * len(stale)
    for work in fresh:
        rows = (await ground.store.load(work.chain_id, work.stream)).rows
        assert [row.envelope.event_id for row in rows] == [event.event_id for event in work.events]


async def test_a_member_of_a_group_that_fails_spoils_nobody_else(store: Store, chain_id: UUID) -> None:
    """An event id that exists already is our bug and raises; the commands beside it stand."""
    first = a_command(chain_id, a_stream())
    await store.append(first)
    other_stream = a_stream()
    bad = a_command(chain_id, other_stream, events=0)
    bad = replace(bad, events=(an_event(other_stream), first.events[0]))
    good = [a_command(chain_id, a_stream()) for _ in range(5)]
    answers = await asyncio.gather(*(store.append(work) for work in (*good[:2], bad, *good[2:])), return_exceptions=True)
    assert isinstance(answers.pop(2), Exception)
    assert answers == [1] * 5
    assert (await store.load(chain_id, other_stream)).rows == ()


async def test_recorded_at_never_goes_back_inside_a_stream(ground: Ground, chain_id: UUID) -> None:
    """When the clock steps back an hour, a stream's next event is recorded at its head's time; another stream at the clock's."""
    stream, other = a_stream(), a_stream()
    began = ground.clock.now()
    await ground.store.append(a_command(chain_id, stream))
    ground.clock.at -= timedelta(hours=1)
    await ground.store.append(a_command(chain_id, stream, 1, events=2))
    await ground.store.append(a_command(chain_id, other))
    ground.clock.at += timedelta(hours=2)
    await ground.store.append(a_command(chain_id, stream, 3))
    recorded = [row.envelope.recorded_at for row in (await ground.store.load(chain_id, stream)).rows]
    assert recorded == [began, began, began, began + timedelta(hours=1)]
    assert (await ground.store.load(chain_id, other)).rows[0].envelope.recorded_at == began - timedelta(hours=1)


async def test_an_answer_is_found_under_its_key(store: Store, chain_id: UUID) -> None:
    """A repeated request finds status, version, fingerprint, event and a refusal's facts, whatever stream it now reads."""
    stream, key, refused = a_stream(), a_key(chain_id), a_key(chain_id)
    work = a_command(chain_id, stream)
    success = an_answer(key, stream, 1, event_id=work.events[0].event_id)
    refusal = an_answer(refused, stream, 1, status=409, slug="slot-taken", detail="taken: room 3", facts={"room": 3, "until": "2026-05-04"})
    await store.append(replace(work, answer=success))
    await store.append(a_command(chain_id, stream, 1, events=0, answer=refusal))
    assert (await store.load(chain_id, stream, key)).answer == success
    assert (await store.load(chain_id, a_stream(), refused)).answer == refusal
    assert len((await store.load(chain_id, stream, key)).rows) == 1


async def test_streams_are_loaded_together(store: Store, chain_id: UUID) -> None:
    """Each comes as if it were asked for alone, with the answer under its own key; one that is not there, and one twice, too."""
    one, two, key = a_stream(), a_stream(), a_key(chain_id)
    await store.append(a_command(chain_id, one, events=3, answer=an_answer(key, one, 3)))
    await store.append(a_command(chain_id, two))
    wanted = [Wanted(one), Wanted(two, key), Wanted(a_stream()), Wanted(one, a_key(chain_id))]
    together = await store.load_together(chain_id, wanted)
    assert list(together) == [await store.load(chain_id, stream, answer) for stream, answer, _ in wanted]
    assert [loaded.version for loaded in together] == [3, 1, 0, 3]
    assert [loaded.answer is not None for loaded in together] == [False, True, False, False]


async def test_an_answers_scope_is_chain_client_route_and_key(store: Store, chain_id: UUID) -> None:
    """The same key of another chain, client or route is another key."""
    stream, key = a_stream(), a_key(chain_id)
    await store.append(a_command(chain_id, stream, answer=an_answer(key, stream)))
    for other in (key._replace(client="app"), key._replace(route="POST /v1/holds"), key._replace(key="k2")):
        assert (await store.load(chain_id, stream, other)).answer is None
    elsewhere = key._replace(chain_id=uuid4())
    await store.append(a_command(elsewhere.chain_id, stream, answer=an_answer(elsewhere, stream, status=200)))
    found = (await store.load(elsewhere.chain_id, stream, elsewhere)).answer
    assert found is not None
    assert found.status == 200


async def test_a_key_that_was_answered_writes_nothing_more(store: Store, chain_id: UUID) -> None:
    """A second attempt under the key is AlreadyAnswered and leaves neither event nor another answer."""
    key, first, second = a_key(chain_id), a_stream(), a_stream()
    await store.append(a_command(chain_id, first, answer=an_answer(key, first)))
    late = a_command(chain_id, second, answer=an_answer(key, second))
    with pytest.raises(AlreadyAnswered):
        await store.append(late)
    assert await store.place_of(chain_id, late.events[0].event_id) is None
    loaded = await store.load(chain_id, second, key)
    assert loaded.rows == ()
    assert loaded.answer is not None
    assert loaded.answer.stream == first


async def test_of_racing_attempts_under_one_key_exactly_one_is_recorded(ground: Ground, chain_id: UUID) -> None:
    """Six attempts with one Idempotency-Key on six streams, from two processes: one stands, five are AlreadyAnswered."""
    key = a_key(chain_id)
    streams = [a_stream() for _ in range(RACERS)]
    commands = [a_command(chain_id, stream, answer=an_answer(key, stream)) for stream in streams]
    won, lost = await outcomes(*((ground.store, ground.other)[n % 2].append(work) for n, work in enumerate(commands)))
    assert (won, [type(error) for error in lost]) == ([1], [AlreadyAnswered] * (RACERS - 1))
    lengths = [len((await ground.store.load(chain_id, stream)).rows) for stream in streams]
    assert sorted(lengths) == [0] * (RACERS - 1) + [1]
    answer = (await ground.store.load(chain_id, streams[0], key)).answer
    assert answer is not None
    assert answer.stream == streams[lengths.index(1)]


async def test_place_of_finds_an_event_in_its_own_chain_only(store: Store, chain_id: UUID) -> None:
    """Cursor, type and ordering id of an event; nothing for an unknown id or another chain's."""
    stream = a_stream()
    work = a_command(chain_id, stream)
    await store.append(work)
    row = (await store.load(chain_id, stream)).rows[0]
    event_id = row.envelope.event_id
    assert await store.place_of(chain_id, event_id) == (row.cursor, "mole-noted", UUID(stream[-36:]))
    assert await store.place_of(uuid4(), event_id) is None
    assert await store.place_of(chain_id, uuid4()) is None


async def test_an_events_consequences_are_the_own_events_it_led_to(store: Store, chain_id: UUID) -> None:
    """In order, of this chain only, whatever streams they went to; an event that led to nothing has none."""
    cause, stream = uuid4(), a_stream()
    first = a_command(chain_id, stream, events=2, causation_id=cause)
    second = a_command(chain_id, a_stream(), causation_id=cause)
    for work in (first, a_command(uuid4(), stream, causation_id=cause), a_command(chain_id, stream, 2), second):
        await store.append(work)
    assert list(await store.consequences(chain_id, cause)) == [event.event_id for event in (*first.events, *second.events)]
    assert list(await store.consequences(chain_id, uuid4())) == []


async def test_developments_clock_offset_is_kept(ground: Ground) -> None:
    """An offset stored by one process is read by the other; it may be negative and zero again."""
    for offset in (timedelta(days=40, seconds=3), timedelta(days=-2), timedelta()):
        await ground.store.set_clock_offset(offset)
        assert await ground.other.clock_offset() == offset
