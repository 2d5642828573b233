"""What a laser's record accepts, and why not."""

from collections.abc import Sequence
from typing import Any, assert_never

from device_telemetry.device.commands import ClaimDevice, DeviceCommand, RegisterDevice, ReleaseDevice, ReportFault
from device_telemetry.device.events import (
    EVENTS,
    DeviceCarriedForward,
    DeviceClaimed,
    DeviceEvent,
    DeviceFaulted,
    DeviceLockedOut,
    DeviceRegistered,
    DeviceReleased,
)
from device_telemetry.device.state import Device, Registered, Unregistered, carried, evolve
from erbium_kernel.decider import Carry, Decider, Guard, TakeName
from erbium_kernel.errors import NotFound, Rejected

SERIAL = "device-serial"


class DeviceUnknown(NotFound):
    """There is no such laser in this chain."""


class ModelUnknown(Rejected):
    """This installation knows no laser model of this name."""

    slug = "telemetry.model-unknown"
    do = "Use the name of a model that is known, or ask the people who run Erbium to add the model."


class DeviceIdTaken(Rejected):
    """Another laser has been registered under this id."""

    slug = "telemetry.device-id-taken"
    do = "Register the laser under a new id."


class SerialTaken(Rejected):
    """A laser with this serial number is registered already."""

    slug = "telemetry.serial-taken"
    do = "Look the laser up by its serial number; each is registered once in a chain."


class DeviceClaimedElsewhere(Rejected):
    """Another clinic has claimed this laser."""

    slug = "telemetry.device-claimed-elsewhere"
    do = "Ask the laser safety officer of the clinic that has it."


class FaultUnknown(Rejected):
    """The fault table has no such code."""

    slug = "telemetry.fault-unknown"
    do = "Use a code of the fault table, F101 to F802."


def decide(command: DeviceCommand, state: Device) -> Sequence[DeviceEvent]:
    """The events that follow. Raises: Rejected."""
    if isinstance(command, RegisterDevice):
        return _register(command, state)
    if isinstance(state, Unregistered):
        raise DeviceUnknown
    match command:
        case ClaimDevice():
            return _claim(command, state)
        case ReportFault():
            return _fault(command, state)
        case ReleaseDevice():
            return _release(command, state)
    assert_never(command)


def _register(command: RegisterDevice, state: Device) -> Sequence[DeviceEvent]:
    if command.model is None:
        raise ModelUnknown
    if isinstance(state, Registered):
        if (state.serial, state.model) == (command.serial, command.model.name):
            return []
        raise DeviceIdTaken
    model = command.model
    registered = DeviceRegistered(
        device_id=command.device_id, serial=command.serial, model=model.name, model_version=model.version,
        modalities=model.modalities, lesions=model.lesions, grid_cell_mm=model.grid_cell_mm, registered_at=command.at,
    )  # fmt: skip
    return [registered]


def _claim(command: ClaimDevice, state: Registered) -> Sequence[DeviceEvent]:
    if state.clinic_id == command.clinic_id:
        return []
    if state.clinic_id is not None:
        raise DeviceClaimedElsewhere
    claimed = DeviceClaimed(
        device_id=state.device_id, clinic_id=command.clinic_id, model=state.model, modalities=state.modalities, claimed_at=command.at
    )
    return [claimed]


def _fault(command: ReportFault, state: Registered) -> Sequence[DeviceEvent]:
    if command.severity is None:
        raise FaultUnknown(code=command.code)
    if command.fault_id in state.fault_ids or (command.severity == "LOCKOUT" and state.locked_out is not None):
        return []
    place: dict[str, Any] = {"device_id": state.device_id, "clinic_id": state.clinic_id}
    if command.severity == "LOCKOUT":
        return [DeviceLockedOut(**place, fault_id=command.fault_id, code=command.code, locked_out_at=command.at)]
    return [DeviceFaulted(**place, fault_id=command.fault_id, code=command.code, severity=command.severity, faulted_at=command.at)]


def _release(command: ReleaseDevice, state: Registered) -> Sequence[DeviceEvent]:
    if state.locked_out is None:
        return []
    return [DeviceReleased(device_id=state.device_id, clinic_id=state.clinic_id, released_by=command.by, released_at=command.at)]


def guards(event: DeviceEvent) -> Sequence[Guard]:
    """A serial number is registered once in a chain."""
    return [TakeName(name=SERIAL, value=event.serial)] if isinstance(event, DeviceRegistered) else []


def guard_refusal(_: str) -> Exception:
    """The only guard is the serial number."""
    return SerialTaken()


DEVICE: Decider[DeviceCommand, Device, DeviceEvent] = Decider(
    category="device",
    events=EVENTS,
    initial=Unregistered(),
    decide=decide,
    evolve=evolve,
    guards=guards,
    guard_refusal=guard_refusal,
    carry=Carry(DeviceCarriedForward, carried),
)
