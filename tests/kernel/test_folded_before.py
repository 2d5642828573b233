"""What was folded before is not folded again, and nobody can tell."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from erbium_kernel import folded_before
from erbium_kernel.execute import execute
from erbium_kernel.folding import state_of
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.log_records import Row
from erbium_kernel.personal import Personal, Redacted, Sealed
from erbium_kernel.runtime import Runtime
from tests.kernel.ward import BED, BedTaken, LeaveBed, TakeBed, WardClock, cause, ward

CHAIN = UUID("00000000-0000-7000-8000-00000000c4a1")
NAME = "Anna Example"


@pytest.fixture
def clock() -> WardClock:
    return WardClock()


@pytest.fixture
def runtime(clock: WardClock) -> Runtime:
    return ward(MemoryStore(clock=clock), clock)


@pytest.fixture
def decoded(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The versions of the rows that are decoded from now on."""
    seen: list[int | None] = []
    decode = type(runtime.codec).decode

    def noted(codec: Any, row: Row) -> Any:
        seen.append(row.envelope.version)
        return decode(codec, row)

    monkeypatch.setattr(type(runtime.codec), "decode", noted)
    return seen


async def taken(runtime: Runtime, bed: UUID, patient: UUID, *, name: str | None = None) -> None:
    """The bed's next event."""
    command = TakeBed(patient_id=patient, room_id=uuid4(), at=runtime.clock.now(), name=Personal(patient, name) if name else None)
    await execute(runtime, CHAIN, BED, bed, command, cause=cause(runtime))


async def left(runtime: Runtime, bed: UUID) -> None:
    """The bed's next event."""
    await execute(runtime, CHAIN, BED, bed, LeaveBed(), cause=cause(runtime))


async def name_in(runtime: Runtime, bed: UUID) -> object:
    """The name of who lies in the bed, as far as it is readable."""
    state, _ = await state_of(runtime, CHAIN, BED, bed)
    assert isinstance(state, BedTaken)
    return state.name


async def test_each_event_is_decoded_once(runtime: Runtime, decoded: list[int | None]) -> None:
    """A command looks at what has been appended since the last one, and comes to what a process that knows nothing comes to."""
    bed = uuid4()
    for _ in range(3):
        await taken(runtime, bed, uuid4(), name=NAME)
        await left(runtime, bed)
    await taken(runtime, bed, uuid4(), name=NAME)
    assert decoded == [1, 2, 3, 4, 5, 6]
    told = await state_of(runtime, CHAIN, BED, bed)
    assert decoded == [1, 2, 3, 4, 5, 6, 7]
    assert told == await state_of(runtime, CHAIN, BED, bed) == await state_of(ward_on(runtime), CHAIN, BED, bed)


def ward_on(runtime: Runtime) -> Runtime:
    """Another process on the same log."""
    return replace(runtime, folded_before=folded_before.FoldedBefore())


async def test_an_earlier_version_is_folded_for_itself(runtime: Runtime) -> None:
    """Whoever asks for the past gets it, and the present afterwards."""
    bed, patient = uuid4(), uuid4()
    await taken(runtime, bed, patient)
    await left(runtime, bed)
    assert await state_of(runtime, CHAIN, BED, bed) == (None, 2)
    state, version = await state_of(runtime, CHAIN, BED, bed, upto=1)
    assert (state is not None and state.patient_id, version) == (patient, 1)
    assert await state_of(runtime, CHAIN, BED, bed) == (None, 2)


async def test_a_log_that_went_another_way(runtime: Runtime, clock: WardClock) -> None:
    """A restored log has other events at the same versions, or fewer: what was folded before counts no more."""
    bed, first, second = uuid4(), uuid4(), uuid4()
    await taken(runtime, bed, first)
    await state_of(runtime, CHAIN, BED, bed)
    restored = replace(runtime, store=MemoryStore(clock=clock))
    assert await state_of(restored, CHAIN, BED, bed) == (None, 0)
    await taken(restored, bed, second)
    state, version = await state_of(restored, CHAIN, BED, bed)
    assert (state is not None and state.patient_id, version) == (second, 1)


async def test_an_erasure_is_obeyed_at_once(runtime: Runtime, clock: WardClock) -> None:
    """A name is gone when its key is forgotten here; where nobody says so, when the opened key has grown old."""
    bed, patient = uuid4(), uuid4()
    await taken(runtime, bed, patient, name=NAME)
    assert await name_in(runtime, bed) == Personal(patient, NAME)
    elsewhere = ward(runtime.store, clock)
    assert await name_in(elsewhere, bed) == Personal(patient, NAME)
    assert any(before.state.name == Personal(patient, NAME) for before in runtime.folded_before._streams.values())
    await runtime.store.erase_key(CHAIN, patient)
    runtime.forget(CHAIN, patient)
    assert NAME not in repr(runtime.folded_before._streams)
    assert await name_in(runtime, bed) == Redacted(patient)
    clock.at += timedelta(seconds=31)
    assert await name_in(elsewhere, bed) == Redacted(patient)


async def test_a_key_that_arrives_opens_what_was_sealed(runtime: Runtime, clock: WardClock) -> None:
    """A value stays sealed only as long as its key is not here."""
    bed, patient = uuid4(), uuid4()
    await taken(runtime, bed, patient, name=NAME)
    key = (await runtime.store.keys(CHAIN, [patient]))[patient]
    store = runtime.store
    assert isinstance(store, MemoryStore)
    hidden = store.tables.keys.pop((CHAIN, patient))
    other = ward(store, clock, owns_keys=False)
    assert isinstance(await name_in(other, bed), Sealed)
    store.tables.keys[CHAIN, patient] = hidden
    assert key == hidden.key
    assert await name_in(other, bed) == Personal(patient, NAME)


async def test_the_number_of_streams_is_bounded(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, decoded: list[int | None]) -> None:
    """Of more streams than that, those that were looked at longest ago are folded anew."""
    monkeypatch.setattr(folded_before, "STREAMS_MAX", 2)
    beds = [uuid4() for _ in range(3)]
    for bed in beds:
        await taken(runtime, bed, uuid4())
        await state_of(runtime, CHAIN, BED, bed)
    decoded.clear()
    for bed in reversed(beds):
        await state_of(runtime, CHAIN, BED, bed)
    assert decoded == [1]
