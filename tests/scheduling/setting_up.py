"""Commands that set a clinic up."""

from dataclasses import replace
from typing import Any

from scheduling.clinic.commands import AddRoom, RegisterClinic
from scheduling.hours import Hours
from scheduling.laser.commands import InstallLaser
from scheduling.practitioner.commands import LicensePractitioner
from tests.scheduling.scenes import BERLIN, local, uid

NOW = local("2026-03-02T09:00")
WEEKDAYS = tuple(Hours(weekday=day, opens_minute=480, closes_minute=1200) for day in range(1, 6))


def register(**changes: Any) -> RegisterClinic:
    """A clinic in Berlin."""
    return replace(RegisterClinic(clinic_id=BERLIN, name="Mitte", time_zone="Europe/Berlin", hours=WEEKDAYS, at=NOW), **changes)


def add_room(name: str, *, laser_ready: bool = True) -> AddRoom:
    """A room of it."""
    return AddRoom(clinic_id=BERLIN, room_id=uid(name), label=name, laser_ready=laser_ready, at=NOW)


def license_doctor(**changes: Any) -> LicensePractitioner:
    """A doctor who may use the 1550 laser there."""
    command = LicensePractitioner(
        practitioner_id=uid("doctor"),
        clinic_id=BERLIN,
        visit_kinds=("consultation", "laser"),
        modalities=("nafl_1550",),
        licensed_until=None,
        hours=WEEKDAYS,
        at=NOW,
    )
    return replace(command, **changes)


def install(**changes: Any) -> InstallLaser:
    """A laser stands there."""
    return replace(InstallLaser(device_id=uid("laser"), clinic_id=BERLIN, model="Erfrac 1550", modalities=("nafl_1550",)), **changes)
