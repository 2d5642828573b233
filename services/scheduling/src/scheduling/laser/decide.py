"""What has been heard of a laser is recorded as it stands: telemetry has decided it already."""

from collections.abc import Sequence

from erbium_kernel.decider import Decider
from scheduling.laser.commands import LaserCommand
from scheduling.laser.events import EVENTS, LaserEvent, LaserInstalled
from scheduling.laser.state import INITIAL, Installed, Laser, evolve


def decide(command: LaserCommand, state: Laser) -> Sequence[LaserEvent]:
    """Never refuses."""
    if state == Installed(clinic_id=command.clinic_id, model=command.model, modalities=command.modalities):
        return []
    return [LaserInstalled(device_id=command.device_id, clinic_id=command.clinic_id, model=command.model, modalities=command.modalities)]


LASER: Decider[LaserCommand, Laser, LaserEvent] = Decider(category="laser", events=EVENTS, initial=INITIAL, decide=decide, evolve=evolve)
