"""Where a laser stands."""

from dataclasses import dataclass
from uuid import UUID

from scheduling.laser.events import LaserEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nothing heard of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """It stands at a clinic."""

    clinic_id: UUID
    model: str
    modalities: tuple[str, ...]


Laser = Unknown | Installed
INITIAL: Laser = Unknown()


def evolve(_: Laser, event: LaserEvent) -> Laser:
    """The laser after this event."""
    return Installed(clinic_id=event.clinic_id, model=event.model, modalities=event.modalities)
