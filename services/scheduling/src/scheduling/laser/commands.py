"""What a heard fact asks of a laser's record."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallLaser:
    """Telemetry claimed the laser for a clinic."""

    device_id: UUID
    clinic_id: UUID
    model: str
    modalities: tuple[str, ...]


LaserCommand = InstallLaser
