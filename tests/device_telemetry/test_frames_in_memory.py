"""The dose guard from batch to answer, without a server: whatever is in trouble, no answer says go on where it must not."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from device_telemetry.device.decide import DEVICE
from device_telemetry.frames.memory_store import MemoryFrameStore
from device_telemetry.frames.settling import NOTHING_WAITS_SECONDS_MAX
from device_telemetry.treatment.commands import CheckSilence, ExpireBackfill, HoldTreatment, ResumeTreatment
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.events import TreatmentCompleted, TreatmentHeld, TreatmentPartiallyCompleted, ZoneClosed
from device_telemetry.treatment.state import Ended, Running
from erbium_kernel.errors import StreamFull, Unavailable
from erbium_kernel.topic_port import Outgoing
from tests.device_telemetry.making import BOOT, CHAIN, LASER, NOW, TREATMENT_ID, batch, frame
from tests.device_telemetry.test_device import LOCKOUT, RELEASE
from tests.device_telemetry.test_treatment import END
from tests.device_telemetry.ward_of_frames import TOPIC, WardOfFrames

ROOM = 11  # events of one stream; 1,000 take their time
ENDED = replace(END, finals=())
MANY = 600  # MTZ of one frame; a cell of the face may have 524


@pytest.fixture
async def ward() -> WardOfFrames:
    return await WardOfFrames().opened()


async def resumed(ward: WardOfFrames) -> None:
    """A doctor lets the laser go on."""
    await ward.do(TREATMENT, TREATMENT_ID, ResumeTreatment(by="dr-1", by_doctor=True, at=ward.clock.now()))


async def test_whole_and_completed(ward: WardOfFrames) -> None:
    """Frames doubled and out of order, an end, a late one: completed with every frame once."""
    for part in (range(20, 40), range(25), range(30, 60)):
        answer = await ward.send([frame(seq) for seq in part])
    assert (answer.accepted, answer.duplicates, answer.next_seq, answer.command) == (20, 10, 60, None)
    await ward.kept()
    await ward.told()
    await ward.do(TREATMENT, TREATMENT_ID, ENDED)
    await ward.told()
    assert isinstance(await ward.state(), Ended)  # nobody knows yet which frame is the last
    await ward.send([frame(60)], last_seq=60)
    await ward.kept()
    await ward.told()
    [*_, completed] = await ward.events()
    assert isinstance(completed, TreatmentCompleted)
    assert completed.totals[0].mtz_count == 61 * 17


async def test_the_density_guard_sees_while_nobody_tells(ward: WardOfFrames) -> None:
    """Frames are stored and their telling is broken: the totals close the zone in the next answer all the same, and it stays closed."""
    await ward.send([frame(0, mtz_count=MANY)])
    await ward.kept()  # and nobody tells
    stopped = await ward.send([frame(1)])
    assert (stopped.command, stopped.closed_zones, stopped.reasons) == ("STOP", ["face"], ["density_over_plan"])
    assert [type(event) for event in (await ward.events())[1:]] == [ZoneClosed, TreatmentHeld]
    await resumed(ward)
    again = await ward.send([frame(2)])
    assert (again.command, again.reasons) == ("STOP", ["zone_closed"])


async def test_what_was_closed_at_the_door_is_not_closed_again(ward: WardOfFrames) -> None:
    """The one who tells finds the zone closed, and a doctor's resuming for other zones stands."""
    await ward.send([frame(0, mtz_count=MANY)])
    await ward.kept()
    await ward.send([frame(1, mtz_count=0, emission=False)])
    await resumed(ward)
    await ward.told()
    assert (await ward.send([frame(2, mtz_count=0, emission=False)])).command is None


async def test_a_lockout_outlasts_its_release(ward: WardOfFrames) -> None:
    """A laser that was locked out in mid-treatment stays stopped after its release, until a doctor has decided about this patient."""
    await ward.send([frame(0)])
    await ward.kept()
    await ward.told()
    await ward.do(DEVICE, LASER, LOCKOUT)
    assert (await ward.send([frame(1)])).command == "STOP"
    await ward.do(DEVICE, LASER, RELEASE)
    for seq in (2, 3):
        held = await ward.send([frame(seq)])
        assert (held.command, held.reasons) == ("STOP", ["device_locked_out"])
    assert [event.cause for event in await ward.events() if isinstance(event, TreatmentHeld)] == ["device_locked_out"]
    await resumed(ward)
    assert (await ward.send([frame(4)])).command is None


async def test_a_counter_that_begins_again(ward: WardOfFrames) -> None:
    """Numbers used again in the same boot pass for duplicates: the answer says STOP at once, and a true duplicate does not."""
    await ward.send([frame(seq) for seq in range(10)])
    await ward.kept()
    assert (await ward.send([frame(seq) for seq in range(10)])).command is None
    stopped = await ward.send([frame(0, device_ms=90_000)])
    assert (stopped.accepted, stopped.command, stopped.reasons) == (0, "STOP", ["numbers_reused"])
    # Not stored yet: a repetition of the newest batch is no newer than itself.
    await resumed(ward)
    await ward.send([frame(20)])
    assert (await ward.send([frame(20)])).command is None


async def test_a_full_stream_still_stops(ward: WardOfFrames, monkeypatch: pytest.MonkeyPatch) -> None:
    """A treatment whose record has no room left cannot be told any more; its laser is stopped all the same."""
    monkeypatch.setattr("erbium_kernel.folding.STREAM_EVENTS_MAX", ROOM)
    hold = HoldTreatment(command="STOP", cause="energy_over_limit", breach=None, at=NOW)
    with pytest.raises(StreamFull):
        for _ in range(ROOM):
            await resumed(ward)
            await ward.do(TREATMENT, TREATMENT_ID, hold)
    assert (await ward.state()).watch.command is None
    answer = await ward.send([frame(0, energy_mj=71.0)])
    assert (answer.command, answer.reasons) == ("STOP", ["energy_over_limit"])


async def test_nobody_tells_older_totals_last(ward: WardOfFrames) -> None:
    """Two tell one treatment at once: what was read of the frames first is never told last."""
    await ward.send([frame(0), frame(2)])
    await ward.kept()
    await ward.told()
    await ward.do(TREATMENT, TREATMENT_ID, END, ExpireBackfill(at=NOW))
    store, once = ward.store, [True]

    async def meanwhile(chain_id: Any, treatment_id: Any, findings: Any) -> Any:
        """Read, and before it is told the missing frame is stored and told by the other one."""
        kept = await MemoryFrameStore.kept(store, chain_id, treatment_id, findings)
        if once.pop() if once else False:
            await ward.send([frame(1)])
            await ward.kept()
            await ward.told()
        return kept

    store.kept = meanwhile  # type: ignore[method-assign]
    await ward.settling.tell(CHAIN, TREATMENT_ID, (), correlation_id=TREATMENT_ID)
    told = [event.totals[0].mtz_count for event in await ward.events() if isinstance(event, TreatmentPartiallyCompleted)]
    assert told == sorted(told)
    assert told[-1] == 51


async def test_silence_under_load(ward: WardOfFrames) -> None:
    """Other lasers never stop sending: what the topic held a moment ago is stored all the same, and a silent treatment ends."""
    await ward.send([frame(0)])
    await ward.kept()
    await ward.told()
    key = ward.broker.partition_of(TOPIC, f"{CHAIN}/{LASER}".encode())
    noise = next(f"x{n}".encode() for n in range(99) if ward.broker.partition_of(TOPIC, f"x{n}".encode()) == key)

    async def busy(place: str, _: str) -> None:
        if place == "metadata":  # whenever the topic is looked at, there is more on it
            await ward.broker.outlet().publish(TOPIC, [Outgoing(key=noise, value=b"junk")] * 3)

    ward.broker.hook = busy
    kinds = []
    for _ in range(120):
        ward.later(seconds=10)
        kinds.append((await ward.consumer.step()).kind)
    assert kinds == ["idle", *["worked"] * 119]
    await ward.do(TREATMENT, TREATMENT_ID, CheckSilence(at=ward.clock.now()))
    await ward.settling.tell(CHAIN, TREATMENT_ID, (), correlation_id=TREATMENT_ID)
    assert isinstance(await ward.state(), Ended)


@pytest.mark.parametrize("seconds", [NOTHING_WAITS_SECONDS_MAX + 1, -3_600])
async def test_nothing_is_concluded_from_an_old_look(ward: WardOfFrames, seconds: float) -> None:
    """Silence is not concluded when the topic was last seen empty too long ago, nor when our own clock was set back since."""
    await ward.send([frame(0)])
    ward.later(minutes=60)
    await ward.kept()
    await ward.told()
    ward.later(seconds=seconds)
    await ward.do(TREATMENT, TREATMENT_ID, CheckSilence(at=ward.clock.now()))
    with pytest.raises(Unavailable):
        await ward.settling.tell(CHAIN, TREATMENT_ID, (), correlation_id=TREATMENT_ID)
    assert isinstance(await ward.state(), Running)


class Died(Exception):
    """The process ends here."""


def dying(chance: random.Random, share: float) -> Callable[[str], Any]:
    async def pause(_: str) -> None:
        if chance.random() < share:
            raise Died

    return pause


async def a_treatment(seed: int) -> tuple[list[Any], int]:
    """A seeded treatment with crashes at every place of the store: (what its stream says, how often somebody died)."""
    chance, ward, died = random.Random(seed), await WardOfFrames().opened(), 0
    numbers = list(range(120))
    batches = [numbers[at : at + 10] for at in range(0, 120, 10)]
    sending = batches + chance.choices(batches, k=6)
    chance.shuffle(sending)
    ward.store.pause = dying(chance, 0.15)
    for part in sending:
        for work in (lambda part=part: ward.send([frame(seq) for seq in part], last_seq=119), ward.kept, ward.told):
            for _ in range(50):
                try:
                    await work()
                    break
                except Died:
                    died += 1
                    ward.consumer, ward.taking = ward.new_consumer(f"g{died}"), ward.new_process()
            else:
                raise AssertionError("it dies for ever")
    ward.store.pause = dying(chance, 0)
    await ward.do(TREATMENT, TREATMENT_ID, ENDED)
    await ward.looking_again.work_parked(*await _a_row(ward))
    return await ward.events(), died


async def _a_row(ward: WardOfFrames) -> Any:
    class Lease:
        async def parked_row_done(self, _: Any) -> None:
            return None

    loaded = await ward.log.load(CHAIN, TREATMENT.stream(TREATMENT_ID))
    return Lease(), loaded.rows[-1], None


@pytest.mark.parametrize("seed", range(8))
async def test_whoever_dies_the_totals_are_right(seed: int) -> None:
    """Consumer, teller and door die at every place they can: each frame counts once, and the same seed tells the same story."""
    events, died = await a_treatment(seed)
    assert died > 5
    assert isinstance(events[-1], TreatmentCompleted)
    assert events[-1].totals[0].mtz_count == 120 * 17
    again, _ = await a_treatment(seed)
    assert again == events


def test_the_batch_of_other_tests_is_this_lasers() -> None:
    """The header that tests send names the laser and the boot."""
    assert (batch([frame(0)]).header.device_id, batch([frame(0)]).header.boot_id) == (LASER, BOOT)
