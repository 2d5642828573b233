"""A laser's record: each command done, refused, repeated; the serial number is one guard."""

from dataclasses import replace
from typing import Any

import pytest

from device_telemetry.device.commands import ReleaseDevice, ReportFault
from device_telemetry.device.decide import (
    DEVICE,
    SERIAL,
    DeviceClaimedElsewhere,
    DeviceIdTaken,
    DeviceUnknown,
    FaultUnknown,
    ModelUnknown,
    SerialTaken,
)
from device_telemetry.device.events import DeviceClaimed, DeviceFaulted, DeviceLockedOut, DeviceRegistered, DeviceReleased
from device_telemetry.rulebook import RULES
from erbium_kernel.decider import TakeName
from tests.device_telemetry.making import CLAIM, FAULT, MODEL, NOW, OTHER_CLINIC, REGISTER, device

LOCKOUT = ReportFault(fault_id=FAULT, code="F402", severity="LOCKOUT", at=NOW)
WARNING = ReportFault(fault_id=FAULT, code="F204", severity="WARN", at=NOW)
RELEASE = ReleaseDevice(by="lso-1", at=NOW)


def test_register_done() -> None:
    """A laser of a known model is registered with the model's modalities and lesion tables, and its serial number is taken."""
    _, [registered] = device(REGISTER)
    assert isinstance(registered, DeviceRegistered)
    assert (registered.modalities, registered.lesions) == (MODEL.modalities, MODEL.lesions)
    assert DEVICE.guards(registered) == [TakeName(name=SERIAL, value="EF-2026-0042")]
    assert DEVICE.guard_refusal is not None
    assert isinstance(DEVICE.guard_refusal(SERIAL), SerialTaken)


def test_register_refused() -> None:
    """A model that the rules do not know, and an id that another laser has, are refused."""
    with pytest.raises(ModelUnknown):
        device(replace(REGISTER, model=None))
    with pytest.raises(DeviceIdTaken):
        device(REGISTER, replace(REGISTER, serial="EF-2026-0043"))


def test_claim_done_refused() -> None:
    """A clinic claims a laser; another clinic, and a laser nobody knows, are refused."""
    state, [_, claimed] = device(REGISTER, CLAIM)
    assert isinstance(claimed, DeviceClaimed)
    assert state.clinic_id == CLAIM.clinic_id
    with pytest.raises(DeviceClaimedElsewhere):
        device(REGISTER, CLAIM, replace(CLAIM, clinic_id=OTHER_CLINIC))
    with pytest.raises(DeviceUnknown):
        device(CLAIM)


def test_fault_by_severity() -> None:
    """A fault is recorded; one of severity LOCKOUT takes the laser out until it is released."""
    _, [*_, faulted] = device(REGISTER, CLAIM, WARNING)
    assert isinstance(faulted, DeviceFaulted)
    out, [*_, locked] = device(REGISTER, CLAIM, LOCKOUT)
    assert isinstance(locked, DeviceLockedOut)
    assert out.locked_out == "F402"
    released, [*_, event] = device(REGISTER, CLAIM, LOCKOUT, RELEASE)
    assert isinstance(event, DeviceReleased)
    assert released.locked_out is None
    with pytest.raises(FaultUnknown):
        device(REGISTER, replace(WARNING, code="F999", severity=None))


def test_repeated() -> None:
    """Every command, repeated at once, yields nothing more."""
    for commands in ([REGISTER], [REGISTER, CLAIM], [REGISTER, WARNING], [REGISTER, LOCKOUT], [REGISTER, LOCKOUT, RELEASE]):
        _, once = device(*commands)
        _, twice = device(*commands, commands[-1])
        assert twice == once


@pytest.mark.parametrize("commands", [[REGISTER], [REGISTER, CLAIM, WARNING], [REGISTER, LOCKOUT], [REGISTER, CLAIM, LOCKOUT, RELEASE]])
def test_carried_forward(commands: list[Any]) -> None:
    """The event that says the record whole leads to the same record, whatever was there; it takes no serial number and sets no clock."""
    state, _ = device(*commands)
    assert DEVICE.carry is not None
    event = DEVICE.carry.of(state)
    assert DEVICE.fold([event]) == DEVICE.fold([*device(REGISTER)[1], event]) == state
    assert list(DEVICE.guards(event)) == list(DEVICE.timers(event)) == []


def test_models_without_a_table_cannot_treat() -> None:
    """A modality whose lesion table is missing from the model is named, and has no table."""
    state, _ = device(replace(REGISTER, model=RULES.models["dual-1550-1927"]))
    assert state.lesion_table("nafl_1550") is not None
    assert state.lesion_table("nafl_1927") is None
    assert state.lesion_table("afl_2940") is None
