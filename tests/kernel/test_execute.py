"""One command end to end on the memory store: done, refused, repeated, raced."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from erbium_kernel.decider import Claim
from erbium_kernel.errors import KeyReused, NotFound, PersonErased, Rejected, Stale, Unavailable, VersionConflict
from erbium_kernel.event import Cursor
from erbium_kernel.execute import AnswerRequest, execute
from erbium_kernel.folding import state_of
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log_records import AnswerKey, MoveCheckpoint
from erbium_kernel.personal import Personal, Redacted, Sealed
from erbium_kernel.runtime import Runtime
from tests.kernel.ward import BED, BedIsTaken, BedTaken, LeaveBed, RoomIsTaken, TakeBed, WardClock, cause, ward

CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")


@pytest.fixture
def clock() -> WardClock:
    return WardClock()


@pytest.fixture
def runtime(clock: WardClock) -> Runtime:
    return ward(MemoryStore(clock=clock), clock)


def take(runtime: Runtime, patient_id: UUID, room_id: UUID | None = None, name: str | None = None) -> TakeBed:
    return TakeBed(
        patient_id=patient_id, room_id=room_id or uuid4(), at=runtime.clock.now(), name=Personal(patient_id, name) if name else None
    )


def asked(runtime: Runtime, key: str, body: bytes = b"{}") -> AnswerRequest:
    return AnswerRequest(key=AnswerKey(CHAIN, "clinic-1", "POST /beds", key), fingerprint=runtime.vault.fingerprint(body), status=201)


async def test_done(runtime: Runtime) -> None:
    """A command's event is in the log when it returns, and the outcome names the event and the message that follow from it."""
    bed, patient = uuid4(), uuid4()
    outcome = await execute(runtime, CHAIN, BED, bed, take(runtime, patient), cause=cause(runtime))
    state, version = await state_of(runtime, CHAIN, BED, bed)
    assert (outcome.version, version, outcome.state) == (1, 1, state)
    assert isinstance(state, BedTaken)
    assert state.patient_id == patient
    assert outcome.event_id is not None
    assert outcome.message_id is not None


async def test_refused_and_remembered(runtime: Runtime) -> None:
    """A refusal is answered again under its key as it was, even after the reason for it is gone."""
    bed = uuid4()
    await execute(runtime, CHAIN, BED, bed, take(runtime, uuid4()), cause=cause(runtime))
    command = take(runtime, uuid4())
    with pytest.raises(BedIsTaken) as first:
        await execute(runtime, CHAIN, BED, bed, command, cause=cause(runtime), answer=asked(runtime, "a"))
    await execute(runtime, CHAIN, BED, bed, LeaveBed(), cause=cause(runtime))
    with pytest.raises(BedIsTaken) as second:
        await execute(runtime, CHAIN, BED, bed, command, cause=cause(runtime), answer=asked(runtime, "a"))
    assert second.value.replayed
    assert not first.value.replayed
    assert second.value.facts == first.value.facts
    assert second.value.detail == first.value.detail


@pytest.mark.parametrize("lasts", [timedelta(), timedelta(hours=-1)])
async def test_a_claim_that_takes_no_time_is_refused_where_it_is_made(runtime: Runtime, lasts: timedelta) -> None:
    """Our own bug, told by the decider's guards and not by the database: nothing is appended."""

    def claims(event: BedTaken) -> list[Claim]:
        return [Claim(resource=event.room_id, starts_at=event.starts_at, ends_at=event.starts_at + lasts, holder=event.patient_id)]

    bed = uuid4()
    with pytest.raises(AssertionError, match="takes no time"):
        await execute(runtime, CHAIN, replace(BED, guards=claims), bed, take(runtime, uuid4()), cause=cause(runtime))
    assert await state_of(runtime, CHAIN, BED, bed) == (None, 0)


async def test_repeated(runtime: Runtime) -> None:
    """The same key has one effect; the repeated answer speaks of the version it first spoke of."""
    bed, patient = uuid4(), uuid4()
    command = take(runtime, patient, name="Anna Example")
    first = await execute(runtime, CHAIN, BED, bed, command, cause=cause(runtime), answer=asked(runtime, "a"))
    await execute(runtime, CHAIN, BED, bed, LeaveBed(), cause=cause(runtime))
    second = await execute(runtime, CHAIN, BED, uuid4(), command, cause=cause(runtime), answer=asked(runtime, "a"))
    assert second.replayed
    assert (second.stream, second.version, second.state, second.event_id, second.message_id) == (
        first.stream,
        first.version,
        first.state,
        first.event_id,
        first.message_id,
    )


async def test_what_was_loaded_ahead_has_no_last_word(runtime: Runtime) -> None:
    """A stream that moved since it was loaded is loaded anew and decided again; an answer that was given meanwhile is given again."""
    bed, patient = uuid4(), uuid4()
    answer = asked(runtime, "a")
    before = await runtime.store.load(CHAIN, BED.stream(bed), answer.key)
    first = await execute(runtime, CHAIN, BED, bed, take(runtime, patient), cause=cause(runtime), answer=answer, loaded=before)
    assert (first.version, first.replayed) == (1, False)
    again = await execute(runtime, CHAIN, BED, bed, take(runtime, patient), cause=cause(runtime), answer=answer, loaded=before)
    assert (again.version, again.replayed, again.event_id) == (1, True, first.event_id)
    with pytest.raises(BedIsTaken):
        await execute(runtime, CHAIN, BED, bed, take(runtime, uuid4()), cause=cause(runtime), loaded=before)
    assert (await state_of(runtime, CHAIN, BED, bed))[1] == 1


async def test_same_key_other_body(runtime: Runtime) -> None:
    """A key that was used with another body is refused and changes nothing."""
    bed = uuid4()
    await execute(runtime, CHAIN, BED, bed, take(runtime, uuid4()), cause=cause(runtime), answer=asked(runtime, "a"))
    with pytest.raises(KeyReused):
        await execute(runtime, CHAIN, BED, bed, LeaveBed(), cause=cause(runtime), answer=asked(runtime, "a", b'{"x":1}'))
    assert (await state_of(runtime, CHAIN, BED, bed))[1] == 1


async def test_raced_on_one_stream(runtime: Runtime) -> None:
    """Two patients race for one bed: one lies in it, the other reads why not."""
    bed = uuid4()
    outcomes = await asyncio.gather(
        *(execute(runtime, CHAIN, BED, bed, take(runtime, uuid4()), cause=cause(runtime)) for _ in range(8)), return_exceptions=True
    )
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert {type(outcome) for outcome in outcomes if isinstance(outcome, Exception)} <= {BedIsTaken, VersionConflict}


async def test_raced_on_one_room(runtime: Runtime) -> None:
    """Two beds race for one room at one time: one wins, the other's refusal is recorded and replayed."""
    room = uuid4()
    await execute(runtime, CHAIN, BED, uuid4(), take(runtime, uuid4(), room), cause=cause(runtime))
    loser = take(runtime, uuid4(), room)
    for replayed in (False, True):
        with pytest.raises(RoomIsTaken) as refusal:
            await execute(runtime, CHAIN, BED, uuid4(), loser, cause=cause(runtime), answer=asked(runtime, "loser"))
        assert refusal.value.replayed is replayed
        assert refusal.value.facts == {"room_id": str(room)}


async def test_raced_with_one_key(runtime: Runtime) -> None:
    """Requests that race under one key have one effect and one answer."""
    command = take(runtime, uuid4())
    outcomes = await asyncio.gather(
        *(execute(runtime, CHAIN, BED, uuid4(), command, cause=cause(runtime), answer=asked(runtime, "a")) for _ in range(5))
    )
    assert len({outcome.stream for outcome in outcomes}) == 1
    assert sum(not outcome.replayed for outcome in outcomes) == 1


async def test_if_match(runtime: Runtime) -> None:
    """A stale If-Match is told the current version; a repeated request is answered before If-Match is looked at."""
    bed = uuid4()
    request = asked(runtime, "a")
    await execute(runtime, CHAIN, BED, bed, take(runtime, uuid4()), cause=cause(runtime), if_match=0, answer=request)
    with pytest.raises(Stale) as stale:
        await execute(runtime, CHAIN, BED, bed, LeaveBed(), cause=cause(runtime), if_match=7)
    assert stale.value.current == 1
    again = await execute(runtime, CHAIN, BED, bed, take(runtime, uuid4()), cause=cause(runtime), if_match=0, answer=request)
    assert again.replayed


async def test_chains_do_not_meet(runtime: Runtime) -> None:
    """A stream of another chain does not exist."""
    bed = uuid4()
    await execute(runtime, CHAIN, BED, bed, take(runtime, uuid4()), cause=cause(runtime))
    assert await state_of(runtime, uuid4(), BED, bed) == (None, 0)


async def test_sealed_in_the_log(runtime: Runtime) -> None:
    """A name is sealed in the log, readable to a command's fold, and gone for everybody after the erasure."""
    bed, patient = uuid4(), uuid4()
    await execute(runtime, CHAIN, BED, bed, take(runtime, patient, name="Anna Example"), cause=cause(runtime))
    loaded = await runtime.store.load(CHAIN, BED.stream(bed))
    assert b"Anna" not in (loaded.rows[0].data or b"")
    assert isinstance(runtime.codec.decode(loaded.rows[0]).name, Sealed)
    state, _ = await state_of(runtime, CHAIN, BED, bed)
    assert state is not None
    assert state.name == Personal(patient, "Anna Example")
    await runtime.store.erase_key(CHAIN, patient)
    runtime.vault.forget(CHAIN, patient)
    erased, _ = await state_of(runtime, CHAIN, BED, bed)
    assert erased is not None
    assert erased.name == Redacted(patient)
    with pytest.raises(PersonErased):
        await execute(runtime, CHAIN, BED, uuid4(), take(runtime, patient, name="Anna Example"), cause=cause(runtime))


async def test_key_of_another_service(clock: WardClock) -> None:
    """A service that does not own patients' keys waits for a key instead of making a second one."""
    runtime = ward(MemoryStore(clock=clock), clock, owns_keys=False)
    with pytest.raises(Unavailable):
        await execute(runtime, CHAIN, BED, uuid4(), take(runtime, uuid4(), name="Anna Example"), cause=cause(runtime))


async def test_checkpoint_moves_with_the_event(runtime: Runtime) -> None:
    """A reaction's event and its checkpoint commit together; with a refusal the checkpoint moves too."""
    bed = uuid4()
    first, second = Cursor(1, 1, 1), Cursor(1, 1, 2)
    for command, move in (
        (take(runtime, uuid4()), MoveCheckpoint("s", Cursor(), first)),
        (take(runtime, uuid4()), MoveCheckpoint("s", first, second)),
    ):
        try:
            await execute(runtime, CHAIN, BED, bed, command, cause=cause(runtime), after=(move,))
        except BedIsTaken:
            assert move.to == second
        assert (await runtime.store.checkpoints())["s"] == move.to


def test_refusals_are_found_by_slug() -> None:
    """Every refusal can be told again from its stored slug; an unknown one still answers under it."""
    assert isinstance(Rejected.named("not-found"), NotFound)
    assert Rejected.named("renamed.long-ago", "why", day=3).slug == "renamed.long-ago"
