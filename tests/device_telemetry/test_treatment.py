"""A treatment's record: opened, started, held, ended against completed, each command done, refused, repeated."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from device_telemetry.binding import IN_TREATMENT
from device_telemetry.dose import ZoneTotals
from device_telemetry.treatment.commands import (
    AbortTreatment,
    CheckSilence,
    CloseZone,
    Delivered,
    EndTreatment,
    ExpireBackfill,
    FinishTreatment,
    GiveUpUnstarted,
    HoldTreatment,
    LiftSuspension,
    NoteFramesComing,
    ResumeTreatment,
)
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.events import (
    Breach,
    FinalSeq,
    TreatmentAborted,
    TreatmentCompleted,
    TreatmentEnded,
    TreatmentOpened,
    TreatmentPartiallyCompleted,
    TreatmentStarted,
)
from device_telemetry.treatment.refusals import NothingDelivered, TreatmentOver, TreatmentUnknown
from device_telemetry.treatment.state import Ended, GivenUp, Running, Settled
from erbium_kernel.decider import CancelTimer, FreeName, SetTimer
from tests.device_telemetry.making import BOOT, LASER, NOTHING, NOW, PATIENT, START, TAKE_UP, TREATMENT_ID, treatment

TOTALS = (
    ZoneTotals(
        zone="face", mtz_count=136_000, energy_j=5440.0, area_cm2=300, density_mtz_per_cm2=453.3, coverage_percent=23.0, planned_mtz=136_800
    ),
)
MORE = (replace(TOTALS[0], mtz_count=136_800, energy_j=5472.0),)
GAPPY = Delivered(totals=TOTALS, gaps_open=1, missing_frames=50, whole=False)
WHOLE = Delivered(totals=MORE, gaps_open=0, missing_frames=0, whole=True)
LATER = NOW + timedelta(minutes=20)
END = EndTreatment(cause="operator", delivered=GAPPY, finals=(FinalSeq(boot_id=BOOT, last_seq=7999),), at=LATER)
ABORT = AbortTreatment(cause="patient_wish", delivered=GAPPY, finals=(), at=LATER)
BREACH = Breach(zone="face", measured=71.0, limit=70.0, boot_id=BOOT, seq_first=10, seq_last=20)
STOP = HoldTreatment(command="STOP", cause="energy_over_limit", breach=BREACH, at=NOW)
PAUSE = HoldTreatment(command="PAUSE", cause="clearance_suspended", breach=None, at=NOW)
CLOSE = CloseZone(zone="face", cause="density_over_plan", breach=BREACH, at=NOW)
NURSE = ResumeTreatment(by="nurse-1", by_doctor=False, at=NOW)
DOCTOR = ResumeTreatment(by="dr-1", by_doctor=True, at=NOW)
LIFT = LiftSuspension(at=NOW)
RUNNING = (TAKE_UP, START)


def finish(delivered: Delivered) -> FinishTreatment:
    return FinishTreatment(delivered=delivered, at=LATER)


def test_opened_then_started() -> None:
    """It opens by its binding, and starts at the first delivered microbeam, on the clinic's local day."""
    _, [opened, started] = treatment(*RUNNING)
    assert isinstance(opened, TreatmentOpened)
    assert isinstance(started, TreatmentStarted)
    assert (started.on, started.started_at) == (date(2026, 4, 15), START.started_at)
    assert TREATMENT.ordering(started, TREATMENT_ID) == PATIENT
    late = replace(START, started_at=datetime(2026, 4, 15, 22, 30, tzinfo=NOW.tzinfo))
    _, [_, after_midnight] = treatment(TAKE_UP, late)
    assert after_midnight.on == date(2026, 4, 16)


def test_not_before_its_opening() -> None:
    """Nothing is decided about a treatment that nobody opened, and none starts before it was opened."""
    for command in (START, STOP, END, ABORT, NURSE, finish(WHOLE)):
        with pytest.raises(TreatmentUnknown):
            treatment(command)
    _, [_, started] = treatment(TAKE_UP, replace(START, started_at=NOW - timedelta(hours=1)))
    assert started.started_at == NOW


def test_ended_is_not_completed() -> None:
    """The operator's end has provisional totals with the gaps named; it completes only when the sequence is whole."""
    state, [*_, ended] = treatment(*RUNNING, END)
    assert isinstance(ended, TreatmentEnded)
    assert (ended.totals, ended.gaps_open, ended.cause) == (TOTALS, 1, "operator")
    assert isinstance(state, Ended)
    still, _ = treatment(*RUNNING, END, finish(GAPPY))
    assert still == state
    done, [*_, completed] = treatment(*RUNNING, END, finish(GAPPY), finish(WHOLE))
    assert isinstance(completed, TreatmentCompleted)
    assert completed.totals == MORE
    assert isinstance(done, Settled)
    assert done.whole


def test_partially_completed_when_the_wait_is_over() -> None:
    """When the back-fill has expired, the totals of what is known are final, and what is missing is counted."""
    _, [*_, partial] = treatment(*RUNNING, END, ExpireBackfill(at=LATER), finish(GAPPY))
    assert isinstance(partial, TreatmentPartiallyCompleted)
    assert (partial.missing_frames, partial.totals) == (50, TOTALS)


def test_late_frames_correct_the_totals() -> None:
    """What comes after a partial completion completes it, and what comes after a completion is told again."""
    _, [*_, completed] = treatment(*RUNNING, END, ExpireBackfill(at=LATER), finish(GAPPY), finish(WHOLE))
    assert isinstance(completed, TreatmentCompleted)
    beyond = replace(WHOLE, totals=(replace(MORE[0], mtz_count=136_817),))
    _, [*_, corrected] = treatment(*RUNNING, END, finish(WHOLE), finish(beyond))
    assert corrected.totals == beyond.totals


def test_end_refused_without_a_delivery() -> None:
    """A treatment that delivered nothing does not end; it is aborted, and its laser is free."""
    with pytest.raises(NothingDelivered):
        treatment(TAKE_UP, END)
    state, [*_, aborted] = treatment(TAKE_UP, replace(ABORT, delivered=NOTHING))
    assert isinstance(aborted, TreatmentAborted)
    assert isinstance(state, GivenUp)
    assert TREATMENT.guards(aborted) == [FreeName(name=IN_TREATMENT, value=str(LASER))]


def test_nobody_says_that_nothing_was_delivered_when_it_was() -> None:
    """Ended or aborted before its start was told although frames of it are stored: it starts first, at its first microbeam."""
    known = replace(GAPPY, first_at=NOW + timedelta(minutes=3))
    for command, kinds in (
        (replace(END, delivered=known), [TreatmentOpened, TreatmentStarted, TreatmentEnded]),
        (replace(ABORT, delivered=known), [TreatmentOpened, TreatmentStarted, TreatmentAborted, TreatmentEnded]),
    ):
        state, events = treatment(TAKE_UP, command)
        assert [type(event) for event in events] == kinds
        assert (events[1].started_at, events[-1].frees_device) == (known.first_at, True)
        assert isinstance(state, Ended)
        assert all(event.delivered for event in events if isinstance(event, TreatmentAborted))
    _, events = treatment(TAKE_UP, GiveUpUnstarted(at=LATER), replace(END, delivered=known))
    assert [type(event) for event in events[1:]] == [TreatmentAborted, TreatmentStarted, TreatmentEnded]
    assert not events[-1].frees_device


def test_abort_after_a_delivery_ends_too() -> None:
    """Broken off after a delivery, it is aborted and ended, so that aftercare begins; it never completes, even when whole."""
    _, [*_, aborted, ended] = treatment(*RUNNING, ABORT)
    assert isinstance(aborted, TreatmentAborted)
    assert aborted.delivered
    assert (ended.cause, ended.totals) == ("aborted", TOTALS)
    guards = [guard for event in (aborted, ended) for guard in TREATMENT.guards(event)]
    assert guards == [FreeName(name=IN_TREATMENT, value=str(LASER))]
    _, [*_, partial] = treatment(*RUNNING, ABORT, finish(WHOLE))
    assert isinstance(partial, TreatmentPartiallyCompleted)


def test_silence() -> None:
    """A timer asks whether frames still come: if they do it asks again after the last one, if not the treatment has ended."""
    checked, _ = treatment(*RUNNING, CheckSilence(at=LATER))
    assert isinstance(checked, Running)
    assert checked.silence_check
    last = NOW + timedelta(minutes=10)
    _, [*_, coming] = treatment(*RUNNING, CheckSilence(at=LATER), NoteFramesComing(last_frame_at=last))
    [timer] = TREATMENT.timers(coming)
    assert isinstance(timer, SetTimer)
    assert timer.due_at == last + timedelta(minutes=15)
    _, [*_, ended] = treatment(*RUNNING, CheckSilence(at=LATER), replace(END, cause="silence"))
    assert ended.cause == "silence"


def test_timers() -> None:
    """Unstarted: given up after an hour. Running: silence asked after 15 min. Ended: back-fill waited for 24 h. Over: nothing waits."""
    _, [opened, started, ended, completed] = treatment(*RUNNING, END, finish(WHOLE))
    [unstarted] = TREATMENT.timers(opened)
    assert (unstarted.due_at, unstarted.type) == (NOW + timedelta(minutes=60), "treatment-unstarted")  # type: ignore[union-attr]
    cancelled, silence = TREATMENT.timers(started)
    assert cancelled == CancelTimer(key=unstarted.key)
    assert silence.due_at == START.started_at + timedelta(minutes=15)  # type: ignore[union-attr]
    cancelled, backfill = TREATMENT.timers(ended)
    assert cancelled == CancelTimer(key=silence.key)
    assert backfill.due_at == LATER + timedelta(hours=24)  # type: ignore[union-attr]
    assert TREATMENT.timers(completed) == [CancelTimer(key=backfill.key)]


def test_given_up_and_started_after_all() -> None:
    """A laser that was offline tells its delivery late: it counts, but it takes no laser from whoever has it now."""
    state, [*_, started] = treatment(TAKE_UP, GiveUpUnstarted(at=LATER), START)
    assert isinstance(started, TreatmentStarted)
    assert isinstance(state, Running)
    assert not state.holds_device
    _, [*_, ended] = treatment(TAKE_UP, GiveUpUnstarted(at=LATER), START, END)
    assert TREATMENT.guards(ended) == []


def test_over_is_over() -> None:
    """A treatment that is over is not resumed; a breach found in its late frames is recorded all the same."""
    with pytest.raises(TreatmentOver):
        treatment(*RUNNING, END, DOCTOR)
    _, events = treatment(*RUNNING, END, STOP)
    assert events[-1].breach == BREACH


@pytest.mark.parametrize(
    "history",
    [
        [TAKE_UP],
        [*RUNNING],
        [*RUNNING, PAUSE],
        [*RUNNING, PAUSE, LIFT],
        [*RUNNING, PAUSE, LIFT, NURSE],
        [*RUNNING, STOP],
        [*RUNNING, CLOSE],
        [*RUNNING, STOP, DOCTOR],
        [*RUNNING, CheckSilence(at=LATER)],
        [*RUNNING, CheckSilence(at=LATER), NoteFramesComing(last_frame_at=LATER)],
        [*RUNNING, END],
        [*RUNNING, END, finish(WHOLE)],
        [*RUNNING, END, ExpireBackfill(at=LATER)],
        [*RUNNING, END, ExpireBackfill(at=LATER), finish(GAPPY)],
        [*RUNNING, ABORT],
        [TAKE_UP, GiveUpUnstarted(at=LATER)],
    ],
    ids=lambda history: type(history[-1]).__name__,
)
def test_repeated(history: list[Any]) -> None:
    """Every command, repeated at once, yields nothing more."""
    _, once = treatment(*history)
    _, twice = treatment(*history, history[-1])
    assert twice == once
