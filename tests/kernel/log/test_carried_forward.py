"""A long stream is closed and continued in place: its state is carried forward, its versions count on, and what it answered stays."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace as changed

from erbium_kernel.codec import Codec
from erbium_kernel.decider import Carry
from erbium_kernel.errors import VersionConflict
from erbium_kernel.execute import AnswerRequest, Outcome, execute
from erbium_kernel.folding import folded, state_of
from erbium_kernel.log_records import AnswerKey
from erbium_kernel.ports import Store
from erbium_kernel.runtime import Runtime
from tests.kernel.ward import BED, BedCarriedForward, BedTaken, LeaveBed, TakeBed, WardClock, cause, ward

CARRIED, FULL = 6, 8


def _carried(taken: BedTaken | None) -> BedCarriedForward:
    return BedCarriedForward(patient_id=taken.patient_id if taken else UUID(int=0), taken=taken)


LONG_BED = replace(BED, carry=Carry(BedCarriedForward, _carried))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test reaches."""
    monkeypatch.setattr("erbium_kernel.folding.STREAM_EVENTS_CARRIED", CARRIED)
    monkeypatch.setattr("erbium_kernel.folding.STREAM_EVENTS_MAX", FULL)


@pytest.fixture
def runtime(store: Store) -> Runtime:
    return ward(store, WardClock())


async def slept_in(runtime: Runtime, chain_id: UUID, bed: UUID, nights: int) -> Sequence[UUID]:
    """Each night is two events; says who slept there."""
    patients = [uuid4() for _ in range(nights)]
    for patient in patients:
        take = TakeBed(patient_id=patient, room_id=uuid4(), at=runtime.clock.now())
        for command in (take, LeaveBed()):
            await execute(runtime, chain_id, LONG_BED, bed, command, cause=cause(runtime))
    return patients


async def types(store: Store, chain_id: UUID, bed: UUID) -> list[str]:
    return [row.envelope.type for row in (await store.load(chain_id, LONG_BED.stream(bed))).rows]


async def test_no_command_folds_more_than_the_bound(runtime: Runtime, store: Store, chain_id: UUID) -> None:
    """However long the stream gets, what is folded stays short; the whole stream is kept, and the versions count through without a gap."""
    bed, folds = uuid4(), []
    for _ in range(3 * FULL):
        await slept_in(runtime, chain_id, bed, 1)
        folds.append((await folded(runtime, chain_id, LONG_BED, bed)).events)
    assert max(folds) <= CARRIED
    rows = (await store.load(chain_id, LONG_BED.stream(bed))).rows
    assert [row.envelope.version for row in rows] == list(range(1, len(rows) + 1))
    assert len([row for row in rows if row.envelope.type != "bed-carried-forward"]) == 2 * 3 * FULL
    assert (await state_of(runtime, chain_id, LONG_BED, bed)) == (None, len(rows))


async def test_the_state_is_that_of_the_whole_stream(runtime: Runtime, store: Store, chain_id: UUID) -> None:
    """At every version, the fold since the last carrying event is the fold of everything."""
    bed = uuid4()
    await slept_in(runtime, chain_id, bed, 5)
    rows = (await store.load(chain_id, LONG_BED.stream(bed))).rows
    codec: Codec = runtime.codec
    for version in range(len(rows) + 1):
        whole = LONG_BED.fold([codec.decode(row) for row in rows[:version] if row.envelope.type != "bed-carried-forward"])
        assert await state_of(runtime, chain_id, LONG_BED, bed, upto=version) == (whole, version)


async def test_repeated_after_it_was_carried_forward(runtime: Runtime, store: Store, chain_id: UUID) -> None:
    """A command that carried the state forward, and one from before that, are answered as they were, and write nothing."""
    bed, told = uuid4(), []

    async def take(number: int, patient: UUID) -> Outcome[BedTaken | None]:
        key = AnswerKey(chain_id, "clinic-1", "POST /beds", f"night-{number}")
        command = TakeBed(patient_id=patient, room_id=UUID(int=number), at=runtime.clock.now())
        answer = AnswerRequest(key=key, fingerprint=runtime.vault.fingerprint(patient.bytes), status=201)
        return await execute(runtime, chain_id, LONG_BED, bed, command, cause=cause(runtime), answer=answer)

    patients = [uuid4() for _ in range(FULL)]
    for number, patient in enumerate(patients):
        told.append(await take(number, patient))
        await execute(runtime, chain_id, LONG_BED, bed, LeaveBed(), cause=cause(runtime))
    before = await types(store, chain_id, bed)
    assert "bed-carried-forward" in before
    for number, patient in enumerate(patients):
        assert await take(number, patient) == changed(told[number], replayed=True)
    assert await types(store, chain_id, bed) == before


async def test_raced(runtime: Runtime, store: Store, chain_id: UUID) -> None:
    """Several commands at the moment of carrying: one wins, the others are decided on what it left; the state is carried once."""
    bed = uuid4()
    await slept_in(runtime, chain_id, bed, CARRIED // 2)
    takes = [TakeBed(patient_id=uuid4(), room_id=uuid4(), at=runtime.clock.now()) for _ in range(3)]
    work = [execute(runtime, chain_id, LONG_BED, bed, take, cause=cause(runtime)) for take in takes]
    answers = await asyncio.gather(*work, return_exceptions=True)
    won = [answer for answer in answers if isinstance(answer, Outcome)]
    assert len(won) == 1
    assert not any(isinstance(answer, VersionConflict) for answer in answers)
    assert (await types(store, chain_id, bed))[-2:] == ["bed-carried-forward", "bed-taken"]


async def test_what_yields_nothing_carries_nothing(runtime: Runtime, store: Store, chain_id: UUID) -> None:
    """A repeated command at the bound writes no event, so none that carries."""
    bed = uuid4()
    await slept_in(runtime, chain_id, bed, CARRIED // 2)
    before = await types(store, chain_id, bed)
    await execute(runtime, chain_id, LONG_BED, bed, LeaveBed(), cause=cause(runtime))
    assert await types(store, chain_id, bed) == before
