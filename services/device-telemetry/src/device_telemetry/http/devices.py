"""Lasers: registered once, claimed by a clinic, faulted, locked out, released."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from device_telemetry.device.commands import ClaimDevice, RegisterDevice, ReleaseDevice, ReportFault
from device_telemetry.device.decide import (
    DEVICE,
    DeviceClaimedElsewhere,
    DeviceIdTaken,
    DeviceUnknown,
    FaultUnknown,
    ModelUnknown,
    SerialTaken,
)
from device_telemetry.device.state import Device, Registered
from device_telemetry.projections.devices import list_devices
from device_telemetry.rulebook import RULES
from erbium_kernel.http import Body, Call, Opener, Page, Paging, Routes, View
from erbium_kernel.looking_back import AsRecorded

routes = Routes(tag="devices")

DEVICE_ID = "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9d01"
CLINIC_ID = "01976d2c-7a31-7cc0-8f2e-5b0f5f1e9c01"
EXAMPLE: dict[str, Any] = {
    "device_id": DEVICE_ID, "serial": "EF-2026-0042", "model": "ef-1550", "modalities": ["nafl_1550"],
    "clinic_id": CLINIC_ID, "locked_out": None, "grid_cell_mm": 10.0,
}  # fmt: skip
UNCLAIMED = EXAMPLE | {"clinic_id": None, "version": 1}
CLAIMED = EXAMPLE | {"version": 2}

Serial = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./_-]*$")]


class RegisterDeviceBody(Body):
    """A laser to register."""

    device_id: Annotated[UUID | None, Field(description="Chosen by the caller, or made here.")] = None
    serial: Annotated[Serial, Field(description="As on its plate; the case of letters does not count.")]
    model: Annotated[
        str, Field(min_length=1, max_length=60, description="Of the table of models, which says what it can do: `ef-1550`, say.")
    ]


class ClaimDeviceBody(Body):
    """Which clinic takes it into use."""

    clinic_id: Annotated[UUID, Field(description="The clinic where it stands from now on.")]


class ReportFaultBody(Body):
    """One occurrence of a fault."""

    fault_id: Annotated[UUID | None, Field(description="Tells one occurrence from the next; made here if absent.")] = None
    code: Annotated[str, Field(pattern=r"^F[0-9]{3}$", description="Of the fault table, F101 to F802.")]


class DeviceView(View):
    """A laser. `locked_out`: the fault that took it out of use, null while it may be used."""

    device_id: UUID
    serial: str
    model: str
    modalities: list[str]
    clinic_id: UUID | None
    locked_out: str | None
    grid_cell_mm: float | None = None


class VersionedDeviceView(DeviceView):
    """A laser, and its version for If-Match."""

    version: int


def device_view(state: Device, device_id: UUID, _: Opener) -> DeviceView:
    """The laser as its stream tells."""
    assert isinstance(state, Registered)
    return DeviceView(
        device_id=device_id, serial=state.serial, model=state.model, modalities=list(state.modalities),
        clinic_id=state.clinic_id, locked_out=state.locked_out, grid_cell_mm=state.grid_cell_mm,
    )  # fmt: skip


@routes.command(
    "POST",
    "/devices",
    name="registerDevice",
    scope="fleet:operate",
    request_example={"device_id": DEVICE_ID, "serial": "EF-2026-0042", "model": "ef-1550"},
    response_example=UNCLAIMED,
    response=VersionedDeviceView,
    refusals=(ModelUnknown, DeviceIdTaken, SerialTaken),
)
async def register_device(call: Call, body: RegisterDeviceBody) -> DeviceView:
    """Make a laser known to the chain.

    Its serial number is registered once in a chain, whatever the spelling of its letters.
    """
    device_id = body.device_id or call.new_id()
    serial = " ".join(body.serial.upper().split())
    command = RegisterDevice(device_id=device_id, serial=serial, model=RULES.models.get(body.model), at=call.now())
    return await call.execute(DEVICE, device_id, command, render=device_view, location=f"/v1/devices/{device_id}")


@routes.command(
    "POST",
    "/devices/{device_id}/claim",
    name="claimDevice",
    scope="fleet:operate",
    status=200,
    request_example={"clinic_id": CLINIC_ID},
    response_example=CLAIMED,
    response=VersionedDeviceView,
    refusals=(DeviceClaimedElsewhere,),
    changes=True,
)
async def claim_device(call: Call, device_id: UUID, body: ClaimDeviceBody) -> DeviceView:
    """Take a laser into use at a clinic."""
    call.at_clinic(body.clinic_id)
    return await call.execute(DEVICE, device_id, ClaimDevice(clinic_id=body.clinic_id, at=call.now()), render=device_view)


@routes.command(
    "POST",
    "/devices/{device_id}/faults",
    name="reportDeviceFault",
    scope="fleet:operate",
    request_example={"code": "F204"},
    response_example=CLAIMED,
    response=VersionedDeviceView,
    refusals=(FaultUnknown,),
)
async def report_fault(call: Call, device_id: UUID, body: ReportFaultBody) -> DeviceView:
    """Report a fault by its code.

    One of severity LOCKOUT takes the laser out of use at once; a treatment that runs on it is stopped in its next answer.
    """
    command = ReportFault(fault_id=body.fault_id or call.new_id(), code=body.code, severity=RULES.faults.get(body.code), at=call.now())
    return await call.execute(DEVICE, device_id, command, render=device_view, location=f"/v1/devices/{device_id}")


@routes.command(
    "POST",
    "/devices/{device_id}/release",
    name="releaseDevice",
    scope="fleet:release",
    status=200,
    response_example=CLAIMED,
    response=VersionedDeviceView,
    changes=True,
)
async def release_device(call: Call, device_id: UUID) -> DeviceView:
    """End a lockout, by a named person's decision."""
    return await call.execute(DEVICE, device_id, ReleaseDevice(by=call.principal.actor.id, at=call.now()), render=device_view)


@routes.query(
    "GET",
    "/devices/{device_id}",
    name="getDevice",
    scope="telemetry:read",
    response=VersionedDeviceView,
    response_example=CLAIMED,
    as_recorded=AsRecorded(decider=DEVICE, by="device_id"),
)
async def get_device(call: Call, device_id: UUID) -> VersionedDeviceView:
    """Read a laser."""
    state, version = await call.state_of(DEVICE, device_id)
    if not isinstance(state, Registered):
        raise DeviceUnknown
    return VersionedDeviceView(version=version, **device_view(state, device_id, lambda _: None).model_dump())


@routes.query(
    "GET",
    "/devices",
    name="listDevices",
    scope="telemetry:read",
    response=Page[DeviceView],
    response_example={"items": [EXAMPLE | {"grid_cell_mm": None}], "next_cursor": None},
)
async def list_all(call: Call, paging: Paging, clinic_id: UUID | None = None) -> Page[Any]:
    """List the lasers of the chain, or of one clinic."""
    async with call.reading() as conn:
        rows = await list_devices(conn, clinic_id, paging.after, paging.limit + 1)
    views = [DeviceView(**{name: row[name] for name in DeviceView.model_fields if name in row}) for row in rows]
    return paging.page(views, key=lambda view: (view.device_id,))
