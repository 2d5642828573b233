"""What stored frames lead to: commands for the treatment, orders for the laser, an age for the copy of screening."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from device_telemetry.clearance.state import Clearance
from device_telemetry.device.state import Registered, Unregistered
from device_telemetry.dose import lesion_area_um2
from device_telemetry.frames.absorbing import BootSoFar
from device_telemetry.frames.acknowledged import BOOTS_REMEMBERED_MAX, Acknowledged
from device_telemetry.frames.codec import Batch
from device_telemetry.frames.consequences import BOOTS_MAX, Kept, Recording, commands, delivered, gaps_by_boot
from device_telemetry.frames.guard import Finding
from device_telemetry.frames.orders import Around, order
from device_telemetry.frames.ranges import Range
from device_telemetry.frames.totals import Sum
from device_telemetry.freshness import age_seconds
from device_telemetry.treatment.commands import (
    CheckSilence,
    CloseZone,
    EndTreatment,
    FinishTreatment,
    GiveUpUnstarted,
    HoldTreatment,
    NoteFramesComing,
    StartTreatment,
)
from device_telemetry.treatment.events import Breach, FinalSeq
from erbium_kernel.event import Cursor
from erbium_kernel.log_records import Heartbeat
from tests.device_telemetry.making import (
    AREAS,
    BINDING,
    BOOT,
    CHAIN,
    LASER,
    LESIONS,
    MODEL,
    NOW,
    OTHER_BOOT,
    START,
    TAKE_UP,
    batch,
    device,
    frame,
    treatment,
)
from tests.device_telemetry.test_device import CLAIM, LOCKOUT, REGISTER
from tests.device_telemetry.test_treatment import CLOSE, END, PAUSE, RUNNING, STOP

BREACH = Breach(zone="face", measured=71, limit=70, boot_id=BOOT, seq_first=3, seq_last=5)
FINAL = FinalSeq(boot_id=BOOT, last_seq=99)
AT_HOME, _ = device(REGISTER, CLAIM)


def recording(**changed: Any) -> Recording:
    usual: dict[str, Any] = {
        "boot_id": BOOT, "first_seq": 0, "last_seq": 99, "highest_seq": 99, "last_received_at": NOW, "first_delivered_at": NOW,
        "received": (Range(0, 99),),
    }  # fmt: skip
    return Recording(**{**usual, **changed})


def kept(*recordings: Recording, mtz_count: int = 1_700, **changed: Any) -> Kept:
    sums = {"face": Sum(100, mtz_count, mtz_count * 40_000, mtz_count * lesion_area_um2(LESIONS, 40))}
    return Kept(recordings=recordings or (recording(),), zones=sums, fullest_cells={}, **changed)


def following(history: tuple[Any, ...], stored: Kept, *, nothing_waits: bool = True, now: datetime = NOW) -> list[Any]:
    state, _ = treatment(*history)
    return list(commands(state, stored, now, AREAS, nothing_waits=nothing_waits))


def test_whole_or_not() -> None:
    """Whole means: the last number of every boot is known, and nothing up to it is missing."""
    assert delivered(kept(), BINDING, (), AREAS).whole
    assert not delivered(kept(recording(last_seq=None)), BINDING, (), AREAS).whole
    assert delivered(kept(recording(last_seq=None)), BINDING, (FINAL,), AREAS).whole
    gappy = delivered(kept(recording(received=(Range(0, 49), Range(60, 99)))), BINDING, (), AREAS)
    assert (gappy.whole, gappy.gaps_open, gappy.missing_frames) == (False, 1, 10)
    tail = delivered(kept(recording(last_seq=None, highest_seq=80, received=(Range(0, 80),))), BINDING, (FINAL,), AREAS)
    assert (tail.whole, tail.missing_frames) == (False, 19)
    beyond = delivered(kept(recording(highest_seq=101, received=(Range(0, 99), Range(101, 101)))), BINDING, (), AREAS)
    assert (beyond.whole, beyond.missing_frames) == (False, 1)


def test_every_boot_counts() -> None:
    """A boot that was named but never heard is missing; one without an end keeps the treatment from being whole."""
    unheard = FinalSeq(boot_id=OTHER_BOOT, last_seq=5)
    assert gaps_by_boot([recording()], [FINAL, unheard]) == [(OTHER_BOOT, Range(5, 5))]
    assert not delivered(kept(), BINDING, (FINAL, unheard), AREAS).whole
    assert not delivered(kept(recording(), recording(boot_id=OTHER_BOOT, last_seq=None)), BINDING, (), AREAS).whole
    assert not delivered(Kept(recordings=(), zones={}, fullest_cells={}), BINDING, (), AREAS).whole


def test_too_many_boots_are_never_whole() -> None:
    """Beyond the number of power-ons that are looked at, something could be missing unseen."""
    boots = [recording(boot_id=UUID(int=n)) for n in range(BOOTS_MAX)]
    assert delivered(kept(*boots[:-1]), BINDING, (), AREAS).whole
    assert not delivered(kept(*boots), BINDING, (), AREAS).whole


def test_first_delivery_starts() -> None:
    """The first delivered microbeam starts the treatment, at the time it fell; frames without one do not."""
    assert following((TAKE_UP,), kept(recording(first_delivered_at=None), mtz_count=0)) == []
    [start] = following((TAKE_UP,), kept(recording(), recording(boot_id=OTHER_BOOT, first_delivered_at=NOW - timedelta(seconds=9))))
    assert start == StartTreatment(started_at=NOW - timedelta(seconds=9))
    assert following(RUNNING, kept()) == []


def test_limits_hold_and_close() -> None:
    """What single frames passed holds the treatment; what the totals passed closes the zone, named by the newest frame counted."""
    [held] = following(RUNNING, kept(findings=[Finding("energy_over_limit", BREACH)]))
    assert held == HoldTreatment(command="STOP", cause="energy_over_limit", breach=BREACH, at=NOW)
    [closed] = following(RUNNING, kept(mtz_count=200_000))
    assert isinstance(closed, CloseZone)
    assert (closed.zone, closed.cause, closed.breach.seq_last) == ("face", "density_over_plan", 99)


def test_silence_ends_only_when_nothing_waits() -> None:
    """15 min after the last frame the treatment has ended; before, it is looked at again; while frames wait, nothing is concluded."""
    asked = (*RUNNING, CheckSilence(at=NOW))
    quiet = NOW + timedelta(minutes=15)
    [ended] = following(asked, kept(), now=quiet)
    assert isinstance(ended, EndTreatment)
    assert ended.cause == "silence"
    assert following(asked, kept(), now=quiet - timedelta(seconds=1)) == [NoteFramesComing(last_frame_at=NOW)]
    assert following(asked, kept(), now=quiet, nothing_waits=False) == []
    assert following(RUNNING, kept(), now=quiet) == []


def test_after_the_end_it_is_finished_when_due() -> None:
    """Whatever is stored after the end is told with its totals; the treatment decides whether it is complete."""
    [finish] = following((*RUNNING, END), kept(recording(last_seq=7999)))
    assert isinstance(finish, FinishTreatment)
    assert not finish.delivered.whole


def ordered(history: tuple[Any, ...], one: Batch, **around: Any) -> tuple[str | None, list[str]]:
    state, _ = treatment(*history)
    return order(state, one, Around(**{"device": AT_HOME, "clearance": Clearance(), **around}))


SOME = batch([frame(0)])


def test_orders() -> None:
    """No order while all is well; PAUSE in a suspension; STOP by the guard, by a lockout, by a revocation."""
    assert ordered(RUNNING, SOME) == (None, [])
    assert ordered(RUNNING, SOME, findings=[Finding("energy_over_limit", BREACH)]) == ("STOP", ["energy_over_limit"])
    locked, _ = device(REGISTER, CLAIM, LOCKOUT)
    assert ordered(RUNNING, SOME, device=locked) == ("STOP", ["device_locked_out"])
    assert ordered(RUNNING, SOME, device=Unregistered())[0] == "STOP"
    assert ordered((*RUNNING, PAUSE), SOME) == ("PAUSE", ["clearance_suspended"])
    assert ordered((*RUNNING, PAUSE, STOP), SOME) == ("STOP", ["clearance_suspended", "energy_over_limit"])
    assert ordered((*RUNNING, CLOSE), SOME) == ("STOP", ["density_over_plan"])


def test_a_suspension_counts_from_its_own_stream_on() -> None:
    """Even before the treatment has been told, an answer says PAUSE when the clearance's stream says suspended, STOP when revoked."""
    assert ordered(RUNNING, SOME, clearance=Clearance(suspended=True)) == ("PAUSE", ["clearance_suspended"])
    assert ordered(RUNNING, SOME, clearance=Clearance(ended="revoked")) == ("STOP", ["clearance_revoked"])
    assert ordered(RUNNING, SOME, clearance=Clearance(ended="expired")) == (None, [])


def test_a_blind_guard_pauses() -> None:
    """When the totals have not followed for more than 30 s, nobody watches the density: the laser pauses until they do."""
    assert ordered(RUNNING, SOME, behind_seconds=30.0) == (None, [])
    assert ordered(RUNNING, SOME, behind_seconds=30.1) == ("PAUSE", ["totals_behind"])


def test_how_long_totals_have_not_followed() -> None:
    """The age of the oldest acknowledged batch that is not stored; nothing once all are."""
    acknowledged, boot = Acknowledged(), (CHAIN, LASER, BOOT)
    for n in range(3):
        acknowledged.learn(boot, BootSoFar((Range(0, n),), n))
        acknowledged.wait_for(boot, n, NOW + timedelta(seconds=n))
    later = NOW + timedelta(seconds=40)
    assert acknowledged.behind_seconds(boot, (), later) == 40
    assert acknowledged.behind_seconds(boot, (Range(0, 1),), later) == 38
    assert acknowledged.behind_seconds(boot, (Range(0, 2),), later) == 0
    assert acknowledged.behind_seconds((CHAIN, LASER, OTHER_BOOT), (), later) == 0


def test_two_batches_of_one_laser_at_once() -> None:
    """Neither forgets what the other has had acknowledged meanwhile."""
    acknowledged, boot = Acknowledged(), (CHAIN, LASER, BOOT)
    acknowledged.learn(boot, BootSoFar((Range(0, 9),), 9))
    assert acknowledged.learn(boot, BootSoFar((Range(10, 19),), 19)) == BootSoFar(
        (Range(0, 19),), 19
    )  # it began before the first was answered
    assert acknowledged.of(boot) == BootSoFar((Range(0, 19),), 19)


def test_frames_that_were_not_taken_are_not_waited_for() -> None:
    """A batch of which nothing counts leaves the guard as seeing as it was."""
    acknowledged, boot = Acknowledged(), (CHAIN, LASER, BOOT)
    acknowledged.learn(boot, BootSoFar())
    assert acknowledged.behind_seconds(boot, (), NOW + timedelta(hours=1)) == 0


def test_what_is_remembered_is_bounded() -> None:
    """At most so many boots are remembered, the newest; what is forgotten only costs a resend."""
    acknowledged = Acknowledged()
    boots = [(CHAIN, LASER, UUID(int=n)) for n in range(BOOTS_REMEMBERED_MAX + 1)]
    for boot in boots:
        acknowledged.learn(boot, BootSoFar((Range(0, 1),), 1))
    assert (acknowledged.of(boots[0]), acknowledged.of(boots[-1])) == (None, BootSoFar((Range(0, 1),), 1))


def test_orders_after_the_end() -> None:
    """Back-fill up to the last number is welcome; a laser that goes on after the end is stopped."""
    ended = (*RUNNING, END)
    assert ordered(ended, batch([frame(7999)])) == (None, [])
    assert ordered(ended, batch([frame(8000)])) == ("STOP", ["treatment_over"])
    silent = (*RUNNING, replace(END, cause="silence", finals=()))
    assert ordered(silent, batch([frame(5)]))[0] == "STOP"
    assert ordered(silent, batch([frame(5)], last_seq=9))[0] is None
    given_up = (TAKE_UP, GiveUpUnstarted(at=NOW))
    assert ordered(given_up, SOME)[0] == "STOP"
    assert ordered((*given_up, START), SOME)[0] == "STOP"


def test_the_laser_at_home_is_known() -> None:
    """A registered and claimed laser of a known model."""
    assert isinstance(AT_HOME, Registered)
    assert (AT_HOME.device_id, AT_HOME.model) == (LASER, MODEL.name)


T0 = datetime(2026, 4, 15, 10, 0, tzinfo=UTC)


def beat(partition: int, seconds: int, position: int) -> Heartbeat:
    return Heartbeat(topic="t", partition=partition, sent_at=T0 + timedelta(seconds=seconds), cursor=Cursor(1, position, position))


def test_a_heartbeat_counts_once_its_rows_were_passed() -> None:
    """The copy is as old as its oldest partition's heartbeat that the guarding reaction has passed; one not passed does not count."""
    now = T0 + timedelta(seconds=60)
    beats = [beat(0, 55, 10), beat(1, 50, 12)]
    assert age_seconds(beats, [0, 1], Cursor(1, 12, 12), now) == 10
    assert age_seconds(beats, [0, 1], Cursor(1, 11, 11), now) is None
    assert age_seconds(beats, [0, 1, 2], Cursor(1, 12, 12), now) is None
    assert age_seconds(beats, [], Cursor(1, 12, 12), now) is None
    assert age_seconds(beats, [0], None, now) is None
    assert age_seconds([beat(0, 65, 1)], [0], Cursor(1, 1, 1), now) == 0


def test_a_heartbeat_from_the_future_does_not_count() -> None:
    """Clocks more than 5 s apart would make an old copy look fresh: then the copy's age is not known."""
    now = T0 + timedelta(seconds=60)
    assert age_seconds([beat(0, 66, 1)], [0], Cursor(1, 1, 1), now) is None
    assert age_seconds([beat(0, 50, 1), beat(1, 66, 1)], [0, 1], Cursor(1, 1, 1), now) is None


def test_start_is_the_first_delivery() -> None:
    """The start that other tests use lies after the opening."""
    assert START.started_at > NOW
