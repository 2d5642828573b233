"""What holds a laser: pauses and stops, who may resume, zones that stay closed, and what is told only once."""

from dataclasses import replace

import pytest

from device_telemetry.treatment.commands import HoldTreatment
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.events import ZoneClosed
from device_telemetry.treatment.refusals import DoctorMustResume, MayNotResume
from tests.device_telemetry.making import NOW, treatment
from tests.device_telemetry.test_treatment import BREACH, CLOSE, DOCTOR, LIFT, NURSE, PAUSE, RUNNING, STOP


def test_suspension_during_treatment_pauses() -> None:
    """A suspension pauses the laser; nobody resumes it until the clearance is reinstated, then its operator does."""
    state, _ = treatment(*RUNNING, PAUSE)
    assert state.watch.command == "PAUSE"
    for who in (NURSE, DOCTOR):
        with pytest.raises(MayNotResume):
            treatment(*RUNNING, PAUSE, who)
    lifted, _ = treatment(*RUNNING, PAUSE, LIFT)
    assert lifted.watch.command == "PAUSE"
    resumed, _ = treatment(*RUNNING, PAUSE, LIFT, NURSE)
    assert resumed.watch.command is None
    again, _ = treatment(*RUNNING, PAUSE, LIFT, PAUSE)
    with pytest.raises(MayNotResume):
        TREATMENT.decide(NURSE, again)


def test_revocation_stops_for_good() -> None:
    """A revoked clearance stops the laser, and nobody resumes it."""
    revoked = HoldTreatment(command="STOP", cause="clearance_revoked", breach=None, at=NOW)
    state, _ = treatment(*RUNNING, revoked)
    assert state.watch.command == "STOP"
    with pytest.raises(MayNotResume):
        TREATMENT.decide(DOCTOR, state)


def test_a_stop_needs_a_doctor() -> None:
    """After a stop of the dose guard a nurse does not resume; a doctor does, and the same frames do not stop it again."""
    with pytest.raises(DoctorMustResume):
        treatment(*RUNNING, STOP, NURSE)
    state, _ = treatment(*RUNNING, STOP, DOCTOR)
    assert state.watch.command is None
    assert TREATMENT.decide(STOP, state) == []
    part = replace(STOP, breach=replace(BREACH, seq_first=12, seq_last=15))
    assert TREATMENT.decide(part, state) == []
    new = replace(STOP, breach=replace(BREACH, seq_last=21))
    assert len(TREATMENT.decide(new, state)) == 1


def test_a_back_filled_frame_that_is_worse_stops_again() -> None:
    """A doctor resumed over 71 mJ in frames 10 to 20: frame 15, back-filled with 95 mJ, or in another zone, is news."""
    state, _ = treatment(*RUNNING, STOP, DOCTOR)
    inside = replace(BREACH, seq_first=15, seq_last=15)
    assert TREATMENT.decide(replace(STOP, breach=inside), state) == []
    for news in (replace(inside, measured=95.0), replace(inside, zone="nose")):
        assert len(TREATMENT.decide(replace(STOP, breach=news), state)) == 1


def test_each_zone_is_told_of_a_breach() -> None:
    """Two zones over their limit in one batch are two holds: after a doctor's resuming neither stops again by the same frames."""
    nose = replace(STOP, breach=replace(BREACH, zone="nose", seq_first=11, seq_last=19))
    _, events = treatment(*RUNNING, STOP, nose, nose)
    assert [event.breach.zone for event in events[2:]] == ["face", "nose"]
    state, _ = treatment(*RUNNING, STOP, nose, DOCTOR)
    assert [TREATMENT.decide(again, state) for again in (STOP, nose)] == [[], []]


def test_a_laser_that_ignores_its_orders_cannot_fill_the_stream() -> None:
    """While a hold stands, further frames of its cause and zone add no event."""
    state, _ = treatment(*RUNNING, STOP)
    for seq in range(21, 400):
        assert TREATMENT.decide(replace(STOP, breach=replace(BREACH, seq_first=seq, seq_last=seq, measured=60.0 + seq)), state) == []


def test_a_stop_outweighs_a_pause() -> None:
    """With a pause and a stop at once the order is STOP, and resuming needs what both need."""
    state, _ = treatment(*RUNNING, PAUSE, STOP)
    assert state.watch.command == "STOP"
    with pytest.raises(MayNotResume):
        TREATMENT.decide(DOCTOR, state)


def test_a_zone_closes_once() -> None:
    """A zone that had enough is closed and the laser stopped; a doctor's resuming leaves it closed."""
    _, [*_, closed, held] = treatment(*RUNNING, CLOSE)
    assert isinstance(closed, ZoneClosed)
    assert (held.command, held.cause) == ("STOP", "density_over_plan")
    state, _ = treatment(*RUNNING, CLOSE, DOCTOR)
    assert set(state.watch.closed) == {"face"}
    assert TREATMENT.decide(CLOSE, state) == []
