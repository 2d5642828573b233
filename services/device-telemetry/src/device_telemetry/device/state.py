"""A laser's record by phase."""

from dataclasses import dataclass, replace
from typing import assert_never
from uuid import UUID

from device_telemetry.device.events import (
    DeviceCarriedForward,
    DeviceClaimed,
    DeviceEvent,
    DeviceFaulted,
    DeviceLockedOut,
    DeviceRegistered,
    DeviceReleased,
)
from device_telemetry.dose import LesionTable
from device_telemetry.rules import ModalityLesions


@dataclass(frozen=True, slots=True)
class Unregistered:
    """Nothing is known under this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A known laser. `locked_out` is the fault that took it out, if one did; `clinic_id` None = in no clinic yet."""

    device_id: UUID
    serial: str
    model: str
    modalities: tuple[str, ...]
    lesions: tuple[ModalityLesions, ...]
    grid_cell_mm: float
    clinic_id: UUID | None = None
    locked_out: str | None = None
    fault_ids: frozenset[UUID] = frozenset()

    def lesion_table(self, modality: str) -> LesionTable | None:
        """The table energy -> diameter, if this laser has the modality and its model a table for it."""
        if modality not in self.modalities:
            return None
        return next((one.table for one in self.lesions if one.modality == modality), None)


Device = Unregistered | Registered


def evolve(state: Device, event: DeviceEvent) -> Device:
    """The record after one more event."""
    if isinstance(event, DeviceRegistered):
        return Registered(
            device_id=event.device_id, serial=event.serial, model=event.model,
            modalities=event.modalities, lesions=event.lesions, grid_cell_mm=event.grid_cell_mm,
        )  # fmt: skip
    if isinstance(event, DeviceCarriedForward):
        return Registered(
            device_id=event.device_id, serial=event.serial, model=event.model, modalities=event.modalities, lesions=event.lesions,
            grid_cell_mm=event.grid_cell_mm, clinic_id=event.clinic_id, locked_out=event.locked_out, fault_ids=frozenset(event.fault_ids),
        )  # fmt: skip
    assert isinstance(state, Registered), "a laser is registered before anything else happens to it"
    match event:
        case DeviceClaimed():
            return replace(state, clinic_id=event.clinic_id)
        case DeviceLockedOut():
            return replace(state, locked_out=event.code, fault_ids=state.fault_ids | {event.fault_id})
        case DeviceReleased():
            return replace(state, locked_out=None)
        case DeviceFaulted():
            return replace(state, fault_ids=state.fault_ids | {event.fault_id})
    assert_never(event)


def carried(state: Device) -> DeviceCarriedForward:
    """The event that says this state."""
    assert isinstance(state, Registered), "a laser that is not registered has no events to carry forward"
    return DeviceCarriedForward(
        device_id=state.device_id, serial=state.serial, model=state.model, modalities=state.modalities, lesions=state.lesions,
        grid_cell_mm=state.grid_cell_mm, clinic_id=state.clinic_id, locked_out=state.locked_out, fault_ids=tuple(sorted(state.fault_ids)),
    )  # fmt: skip
