"""Whatever the order and however often batches come, ranges and sums are the same."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from device_telemetry.frames import ranges
from device_telemetry.frames.absorbing import Absorbed, Arrival, Boot, BootSoFar, absorbed
from device_telemetry.frames.codec import DEVICE_MS_MAX, Frame, Receipt
from device_telemetry.frames.ranges import Range
from device_telemetry.frames.totals import Sum
from tests.device_telemetry.making import BINDING, BOOT, CHAIN, LASER, NOW, TREATMENT_ID, batch, frame


def arrival(frames: list[Frame], minutes: int = 0, **header: Any) -> Arrival:
    at = NOW + timedelta(minutes=minutes)
    return Arrival(Receipt(v=1, chain_id=CHAIN, received_at=at, stored_at=at), batch(frames, **header), BINDING, {})


def story(arrivals: list[Arrival], cuts: list[int] | None = None) -> tuple[dict[Boot, ranges.Ranges], dict[str, Sum], int]:
    """Ranges, sums per zone, and fresh frames, with the arrivals cut into transactions."""
    boots: dict[Boot, BootSoFar] = {}
    sums: dict[str, Sum] = {}
    fresh = 0
    places = [0, *sorted(cuts or []), len(arrivals)]
    for start, end in pairwise(places):
        found: Absorbed = absorbed(boots, arrivals[start:end])
        boots = found.boots
        fresh += found.count
        for gain in found.gains.values():
            for zone, one in gain.zones.items():
                sums.setdefault(zone, Sum()).add(one)
    return {boot: so_far.received for boot, so_far in boots.items()}, sums, fresh


FRAMES = [frame(seq, zone=("face", "nose")[seq % 2], energy_mj=20.0 + seq % 7 / 3, mtz_count=seq % 23) for seq in range(40)]
batches = st.lists(st.lists(st.sampled_from(FRAMES), min_size=1, max_size=12), min_size=1, max_size=12)


@given(batches, st.randoms(use_true_random=False), st.lists(st.integers(0, 12), max_size=3))
def test_any_order_any_duplication(sent: list[list[Frame]], random: Any, cuts: list[int]) -> None:
    """Batches shuffled, doubled, cut into transactions anywhere: the same ranges, the same sums, each frame fresh once."""
    shuffled = [arrival(frames) for frames in sent + sent[:3]]
    random.shuffle(shuffled)
    once = story([arrival([one for frames in sent for one in frames])])
    assert story(shuffled, [min(cut, len(shuffled)) for cut in cuts]) == once
    assert once[2] == len({one.seq for frames in sent for one in frames})


def test_the_first_of_two_different_frames_under_one_number_stays() -> None:
    """One number in one boot is one frame: what comes first counts, in one batch and over two."""
    received, sums, fresh = story([arrival([frame(1, mtz_count=5), frame(1, mtz_count=9)]), arrival([frame(1, mtz_count=11)])])
    assert (sums["face"].mtz_count, fresh, received[Boot(LASER, BOOT)]) == (5, 1, (Range(1, 1),))


def test_frames_before_the_first_number_are_something_else() -> None:
    """Numbers below first_seq belong to whatever the laser did before: rejected, not counted, not received."""
    found = absorbed({}, [arrival([frame(9), frame(10)], first_seq=10)])
    assert (found.rejected, found.count, found.boots[Boot(LASER, BOOT)].received) == (1, 1, (Range(10, 10),))


def test_a_recording_grows() -> None:
    """First, last and highest number, the newest arrival of new frames, and the first delivery by the laser's own clock."""
    dark = [frame(0, mtz_count=0, emission=False), frame(1, mtz_count=0, emission=False)]
    found = absorbed(
        {},
        [
            arrival([*dark, frame(2)], minutes=5, sent_device_ms=1_000 + 60_200),  # frame 2 was at 1200 ms, sent a minute later
            arrival([frame(2)], minutes=9),  # a duplicate is no sign of life
            arrival([frame(4)], minutes=6, last_seq=7, sent_device_ms=1_400),
        ],
    )
    part = found.parts[TREATMENT_ID, BOOT]
    assert (part.first_seq, part.last_seq, part.highest_seq) == (0, 7, 4)
    assert part.last_received_at == NOW + timedelta(minutes=6)
    assert part.first_delivered_at == NOW + timedelta(minutes=4)
    assert found.duplicates == 1


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(4, 6)), min_size=1, max_size=6), st.integers(0, 6))
def test_when_the_end_was_said(said: list[tuple[int, int | None]], cut: int) -> None:
    """In whatever order it is said, in one transaction or two: the greatest end that was said, and when it was said first."""
    arrivals = [arrival([frame(0)], minutes=minutes, last_seq=last_seq) for minutes, last_seq in said]
    parts = [absorbed({}, some).parts for some in (arrivals[:cut], arrivals[cut:]) if some]
    whole = parts[0][TREATMENT_ID, BOOT]
    for more in parts[1:]:
        whole.add(more[TREATMENT_ID, BOOT])
    greatest = max((last for _, last in said if last is not None), default=None)
    first = min((minutes for minutes, last in said if last == greatest), default=0)
    assert (whole.last_seq, whole.last_seq_at) == (greatest, None if greatest is None else NOW + timedelta(minutes=first))


def test_two_boots_count_apart() -> None:
    """The same number in another boot of the laser is another frame."""
    other = UUID("01990000-0000-7000-8000-00000000b009")
    received, sums, fresh = story([arrival([frame(1)]), arrival([frame(1)], boot_id=other)])
    assert (fresh, sums["face"].mtz_count, len(received)) == (2, 34, 2)


def first_delivery(minutes: int, **header: Any) -> datetime | None:
    """When the first microbeam of a batch of one frame (at 1000 ms) fell that came so long after the opening."""
    found = absorbed({}, [arrival([frame(0, device_ms=1_000)], minutes=minutes, **header)])
    return found.parts[TREATMENT_ID, BOOT].first_delivered_at


def test_a_lasers_clock_is_believed_within_reason() -> None:
    """The laser's milliseconds place the first microbeam between the opening and the arrival, whatever they say."""
    assert first_delivery(9, sent_device_ms=61_000) == NOW + timedelta(minutes=8)
    assert first_delivery(9, sent_device_ms=3_600_000) == NOW  # an hour ago the treatment was not open
    assert first_delivery(9, sent_device_ms=DEVICE_MS_MAX) == NOW  # 285,000 years ago nothing was
    assert first_delivery(9, sent_device_ms=0) == NOW + timedelta(minutes=9)  # its counter has wrapped
    assert first_delivery(-9, sent_device_ms=61_000) == NOW - timedelta(minutes=9)  # our own clock was set back
