"""The fast frames path says what the plain one says: any order, any duplication, anything a laser may send."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_telemetry.dose import lesion_area_um2
from device_telemetry.frames import guard, ranges
from device_telemetry.frames.absorbing import Arrival, Boot, BootSoFar, absorbed
from device_telemetry.frames.codec import BatchRefused, Frame, Receipt, read_batch
from device_telemetry.treatment.events import Breach, ZoneClosed
from tests.device_telemetry import plain
from tests.device_telemetry.making import BINDING, BOOT, CHAIN, LASER, LESIONS, NOW, OTHER_BOOT, TREATMENT_ID, batch, body, frame

EXAMPLES = 60
frames = st.builds(
    frame,
    seq=st.integers(0, 30),
    device_ms=st.integers(0, 5_000),
    zone=st.sampled_from(["face", "face", "face", "nose", "neck"]),
    pass_no=st.sampled_from([1, 2, 8, 9]),
    energy_set_mj=st.sampled_from([40.0, 70.0, 70.01]),
    energy_mj=st.one_of(st.floats(0, 70), st.sampled_from([2.0, 4.0, 39.97, 70.0, 70.2, 150.0])),
    mtz_count=st.sampled_from([0, 1, 17, 100_000]),
    grid_row=st.sampled_from([0, 3, 4_095]),
    grid_col=st.sampled_from([0, 7, 4_095]),
    emission=st.booleans(),
    temp_tip_c=st.sampled_from([None, -50.0, 31.5]),
    fault_bits=st.sampled_from([0, 2**31 - 1]),
)
tame = st.builds(frame, seq=st.integers(0, 30), energy_mj=st.floats(4, 70), mtz_count=st.integers(0, 30))
batches = st.lists(st.tuples(st.lists(st.one_of(tame, frames), min_size=1, max_size=25), st.integers(0, 6)), min_size=1, max_size=5)
BREACH = Breach(zone="face", measured=1, limit=1, boot_id=OTHER_BOOT, seq_first=1, seq_last=1)
CLOSED = {"face": ZoneClosed(ids=BINDING.ids, zone="face", cause="density_over_plan", breach=BREACH, closed_at=NOW)}


@settings(max_examples=EXAMPLES)
@given(batches, st.booleans())
def test_absorbed_as_plainly(sent: list[tuple[list[Frame], int]], shut: bool) -> None:
    """Fresh frames, sums of zones and cells, findings, numbers used again: after every batch as frame by frame."""
    received: set[int] = set()
    newest_ms: int | None = None
    boots: dict[Boot, BootSoFar] = {}
    for frames_sent, first_seq in sent:
        sending = batch(frames_sent, first_seq=first_seq)
        receipt = Receipt(v=1, chain_id=CHAIN, received_at=NOW, stored_at=NOW)
        found = absorbed(boots, [Arrival(receipt, sending, BINDING, CLOSED if shut else {})])
        fresh = plain.fresh(received, sending)
        reused = plain.numbers_reused(received, newest_ms, sending)
        assert [one for part in found.fresh for one in part.frames] == fresh
        assert [seq for part in found.fresh for seq in part.columns.seq.tolist()] == [one.seq for one in fresh]
        gain = found.gains[TREATMENT_ID]
        assert (gain.zones, gain.cells) == plain.sums(fresh, LESIONS)
        told = {(one.cause, one.breach.zone): (one.breach.measured, one.breach.seq_first, one.breach.seq_last) for one in gain.findings}
        assert {key: one for key, one in told.items() if key[0] != "numbers_reused"} == plain.passed(
            BINDING, {"face"} if shut else set(), fresh
        )
        spans = [(one.breach.seq_first, one.breach.seq_last) for one in gain.findings if one.cause == "numbers_reused"]
        assert bool(spans) == bool(reused)
        assert not reused or (min(first for first, _ in spans), max(last for _, last in spans)) == (min(reused), max(reused))
        received |= {one.seq for one in fresh}
        if fresh:
            newest_ms = max(newest_ms or 0, *(one.device_ms for one in fresh))
        boots = found.boots
        assert boots[Boot(LASER, BOOT)] == (ranges.of(received), newest_ms)


@settings(max_examples=EXAMPLES)
@given(st.lists(st.one_of(tame, frames), min_size=1, max_size=40))
def test_the_guard_by_maxima(sent: list[Frame]) -> None:
    """What the batch reaches at most never hides what one of its frames passes."""
    found = guard.at_once(BINDING, {}, BOOT, sent)
    told = {(one.cause, one.breach.zone): (one.breach.measured, one.breach.seq_first, one.breach.seq_last) for one in found}
    assert told == plain.passed(BINDING, set(), sent)


@settings(max_examples=EXAMPLES)
@given(st.floats(0, 1_000))
def test_areas_of_lesions(energy_mj: float) -> None:
    """The area of a lesion, of many at once, is the plain one to the square micrometre."""
    assert lesion_area_um2(LESIONS, energy_mj) == plain.area_um2(LESIONS, energy_mj)


@pytest.mark.parametrize("seed", range(20))
def test_one_malformed_frame_refuses_all(seed: int) -> None:
    """Wherever a frame is damaged, the batch is refused with that line and nothing of it is kept."""
    chance = random.Random(seed)
    rows: list[Any] = body([frame(seq) for seq in range(chance.randint(1, 50))]).rstrip().split(b"\n")
    at = chance.randrange(1, len(rows))
    rows[at] = chance.choice(
        [rows[at][:-1], rows[at].replace(b"true", b"1"), rows[at].replace(b"face", b"fa\\u0000ce"), b"[]", b"{}", b"-"]
    )
    with pytest.raises(BatchRefused) as refused:
        read_batch(b"\n".join(rows))
    assert [line for line, _ in refused.value.lines] == [at + 1]
